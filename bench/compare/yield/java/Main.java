// SPDX-License-Identifier: BSL-1.0
// yield: TASKS virtual threads, each yielding YIELDS times.
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "YIELDS");
    AtomicLong total = new AtomicLong();
    Bench.run(() -> {
      long start = System.nanoTime();
      Thread[] threads = new Thread[(int) size[0]];
      for (int i = 0; i < threads.length; ++i) {
        threads[i] = Bench.spawn(() -> {
          long done = 0;
          for (; done < size[1]; ++done) Thread.yield();
          total.addAndGet(done);
        });
      }
      for (Thread thread : threads) thread.join();
      Bench.metric("yield", Bench.since(start) / (size[0] * size[1]), "ns");
    });
    Bench.answer(total.get());
  }
}
