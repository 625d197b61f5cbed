// SPDX-License-Identifier: BSL-1.0
// idle: the CPU time of MS milliseconds in which TASKS virtual threads are parked and nothing
// happens.
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "MS");
    AtomicLong parked = new AtomicLong();
    AtomicLong released = new AtomicLong();
    CountDownLatch gate = new CountDownLatch(1);
    Bench.run(() -> {
      Thread[] threads = new Thread[(int) size[0]];
      for (int i = 0; i < threads.length; ++i) {
        threads[i] = Bench.spawn(() -> {
          parked.incrementAndGet();
          gate.await();
          released.incrementAndGet();
        });
      }
      while (parked.get() < size[0]) Thread.yield();
      Thread.sleep(100);  // the tail of the spawning is not idleness
      double cpu = Bench.cpuSeconds();
      Thread.sleep(size[1]);
      Bench.metric("cpu", (Bench.cpuSeconds() - cpu) * 1e3, "ms");
      gate.countDown();
      for (Thread thread : threads) thread.join();
    });
    Bench.answer(released.get());
  }
}
