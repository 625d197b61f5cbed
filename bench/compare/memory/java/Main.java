// SPDX-License-Identifier: BSL-1.0
// memory: TASKS virtual threads parked on one latch; what each keeps resident and what spawning it
// took.  The heap grows in steps, so that few tasks seem large.
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS");
    AtomicLong parked = new AtomicLong();
    AtomicLong released = new AtomicLong();
    CountDownLatch gate = new CountDownLatch(1);
    Bench.run(() -> {
      double before = Bench.residentBytes();
      long start = System.nanoTime();
      Thread[] threads = new Thread[(int) size[0]];
      for (int i = 0; i < threads.length; ++i) {
        threads[i] = Bench.spawn(() -> {
          parked.incrementAndGet();
          gate.await();
          released.incrementAndGet();
        });
      }
      while (parked.get() < size[0]) Thread.yield();
      Bench.metric("spawn", Bench.since(start) / size[0], "ns");
      Bench.metric("resident", (Bench.residentBytes() - before) / size[0], "B/task");
      Bench.metric("mappings", Bench.mappings(), "maps");
      gate.countDown();
      for (Thread thread : threads) thread.join();
    });
    Bench.answer(released.get());
  }
}
