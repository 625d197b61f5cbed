// SPDX-License-Identifier: BSL-1.0
// channel4x4: four producers and four consumers over one queue.
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;

final class Main {
  static final int SIDE = 4;

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "ITEMS", "CAPACITY");
    AtomicLong sum = new AtomicLong();
    Bench.run(() -> {
      BlockingQueue<Long> queue = new ArrayBlockingQueue<>((int) size[1]);
      Thread[] producers = new Thread[SIDE];
      Thread[] consumers = new Thread[SIDE];
      long start = System.nanoTime();
      for (int p = 0; p < SIDE; ++p) {
        int first = p;
        producers[p] = Bench.spawn(() -> {
          for (long i = first; i < size[0]; i += SIDE) queue.put(i);
        });
        consumers[p] = Bench.spawn(() -> {
          long own = 0;
          for (long value; (value = queue.take()) >= 0; ) own += value;
          sum.addAndGet(own);
        });
      }
      for (Thread producer : producers) producer.join();
      for (int i = 0; i < SIDE; ++i) queue.put(-1L);  // an end for each consumer
      for (Thread consumer : consumers) consumer.join();
      Bench.metric("item", Bench.since(start) / size[0], "ns");
    });
    Bench.answer(sum.get());
  }
}
