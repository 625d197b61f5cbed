// SPDX-License-Identifier: BSL-1.0
// mutex: TASKS virtual threads, each locking one ReentrantLock OPS times.
import java.util.concurrent.locks.ReentrantLock;

final class Main {
  static long counter = 0;  // guarded by the lock

  static void work(ReentrantLock lock, long operations) {
    for (long i = 0; i < operations; ++i) {
      lock.lock();
      try {
        ++counter;
      } finally {
        lock.unlock();
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "OPS");
    Bench.run(() -> {
      ReentrantLock lock = new ReentrantLock();
      long start = System.nanoTime();
      Thread[] threads = new Thread[(int) size[0]];
      for (int i = 0; i < threads.length; ++i) threads[i] = Bench.spawn(() -> work(lock, size[1]));
      for (Thread thread : threads) thread.join();
      Bench.metric("lock", Bench.since(start) / (size[0] * size[1]), "ns");
    });
    Bench.answer(counter);
  }
}
