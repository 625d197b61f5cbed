// SPDX-License-Identifier: BSL-1.0
// pingpong: two virtual threads, two rendezvous queues, ROUNDS round trips.
import java.util.concurrent.SynchronousQueue;

final class Main {
  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "ROUNDS");
    long[] sum = new long[1];
    SynchronousQueue<Long> ping = new SynchronousQueue<>();
    SynchronousQueue<Long> pong = new SynchronousQueue<>();
    Bench.run(() -> {
      Thread echo = Bench.spawn(() -> {
        for (long value; (value = ping.take()) >= 0; ) pong.put(value + 1);
      });
      long start = System.nanoTime();
      for (long i = 0; i < size[0]; ++i) {
        ping.put(i);
        sum[0] += pong.take();
      }
      Bench.metric("round_trip", Bench.since(start) / size[0], "ns");
      ping.put(-1L);
      echo.join();
    });
    Bench.answer(sum[0]);
  }
}
