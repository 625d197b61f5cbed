// SPDX-License-Identifier: BSL-1.0
// sleep20: TASKS virtual threads with SLEEPS pseudo-random sleeps of 1 to 50 ms each.
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "TASKS", "SLEEPS");
    int sleeps = (int) size[1];
    AtomicLong total = new AtomicLong();
    Bench.run(() -> {
      double[] late = new double[(int) size[0] * sleeps];
      double cpu = Bench.cpuSeconds();
      long start = System.nanoTime();
      Thread[] threads = new Thread[(int) size[0]];
      for (int t = 0; t < threads.length; ++t) {
        int task = t;
        threads[t] = Bench.spawn(() -> {
          long state = task;
          long asked = 0;
          for (int i = 0; i < sleeps; ++i) {
            state = state * 6364136223846793005L + 1442695040888963407L;
            long ms = 1 + (state >>> 33) % 50;
            asked += ms;
            long until = System.nanoTime() + ms * 1_000_000;
            Bench.sleepUntil(until);
            late[task * sleeps + i] = Bench.since(until) * 1e-6;
          }
          total.addAndGet(asked);
        });
      }
      for (Thread thread : threads) thread.join();
      Bench.metric("wall", Bench.since(start) * 1e-6, "ms");
      Bench.metric("cpu", Bench.cpuSeconds() - cpu, "s");
      Bench.metric("late_p50", Bench.percentile(late, 0.50), "ms");
      Bench.metric("late_p99", Bench.percentile(late, 0.99), "ms");
    });
    Bench.answer(total.get());
  }
}
