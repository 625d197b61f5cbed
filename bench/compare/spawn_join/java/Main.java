// SPDX-License-Identifier: BSL-1.0
// spawn_join: TASKS empty virtual threads kept and joined in order.
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  static final AtomicLong counter = new AtomicLong();

  static double round(int tasks) throws InterruptedException {
    long start = System.nanoTime();
    Thread[] threads = new Thread[tasks];
    for (int i = 0; i < tasks; ++i) threads[i] = Bench.spawn(counter::incrementAndGet);
    for (Thread thread : threads) thread.join();
    return Bench.since(start) / tasks;
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "ROUNDS");
    Bench.run(() -> {
      round((int) size[0]);  // warm-up
      double[] times = new double[(int) size[1]];
      for (int i = 0; i < times.length; ++i) times[i] = round((int) size[0]);
      Bench.metric("spawn_join", Bench.percentile(times, 0.5), "ns");
    });
    Bench.answer(counter.get());
  }
}
