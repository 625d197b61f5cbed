// SPDX-License-Identifier: BSL-1.0
// pipeline: ITEMS through ten stages, a virtual thread each, and queues of CAPACITY between them.
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

final class Main {
  static final int STAGES = 10;
  static final Long END = -1L;  // Java's queues have no end of their own

  static void run(long stage, BlockingQueue<Long> in, BlockingQueue<Long> out) throws Exception {
    for (Long item; !(item = in.take()).equals(END); ) out.put(item * 3 + stage);
    out.put(END);
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "ITEMS", "CAPACITY");
    long[] answer = new long[1];
    Bench.run(() -> {
      long start = System.nanoTime();
      BlockingQueue<Long> first = new ArrayBlockingQueue<>((int) size[1]);
      BlockingQueue<Long> last = first;
      for (int i = 0; i < STAGES; ++i) {
        int stage = i;
        BlockingQueue<Long> in = last;
        BlockingQueue<Long> out = new ArrayBlockingQueue<>((int) size[1]);
        Bench.spawn(() -> run(stage, in, out));
        last = out;
      }
      Bench.spawn(() -> {
        for (long i = 0; i < size[0]; ++i) first.put(i);
        first.put(END);
      });
      long hash = 0;
      for (Long item; !(item = last.take()).equals(END); ) {
        hash = (hash * 31 + item) % 1_000_000_007;
      }
      Bench.metric("item", Bench.since(start) / size[0], "ns");
      answer[0] = hash;
    });
    Bench.answer(answer[0]);
  }
}
