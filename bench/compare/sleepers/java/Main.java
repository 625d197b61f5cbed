// SPDX-License-Identifier: BSL-1.0
// sleepers: TASKS virtual threads that sleep MS milliseconds.
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "MS");
    AtomicLong woken = new AtomicLong();
    Bench.run(() -> {
      double cpu = Bench.cpuSeconds();
      long start = System.nanoTime();
      Thread[] threads = new Thread[(int) size[0]];
      for (int i = 0; i < threads.length; ++i) {
        threads[i] = Bench.spawn(() -> {
          Thread.sleep(size[1]);
          woken.incrementAndGet();
        });
      }
      for (Thread thread : threads) thread.join();
      Bench.metric("wall", Bench.since(start) * 1e-6, "ms");
      Bench.metric("cpu", Bench.cpuSeconds() - cpu, "s");
    });
    Bench.answer(woken.get());
  }
}
