// SPDX-License-Identifier: BSL-1.0
// skynet: a tree of virtual threads with LEAVES leaves and a fan-out of ten, joined bottom up.
final class Main {
  static final int FANOUT = 10;

  static long skynet(long first, long leaves) throws InterruptedException {
    if (leaves == 1) return first;
    long each = leaves / FANOUT;
    long[] parts = new long[FANOUT];
    Thread[] children = new Thread[FANOUT];
    for (int i = 0; i < FANOUT; ++i) {
      int at = i;
      children[i] = Bench.spawn(() -> parts[at] = skynet(first + at * each, each));
    }
    long sum = 0;
    for (int i = 0; i < FANOUT; ++i) {
      children[i].join();
      sum += parts[i];
    }
    return sum;
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "LEAVES");
    long[] sum = new long[1];
    Bench.run(() -> {
      skynet(0, size[0] / FANOUT);  // warm-up
      long start = System.nanoTime();
      sum[0] = skynet(0, size[0]);
      double ns = Bench.since(start);
      Bench.metric("total", ns * 1e-6, "ms");
      Bench.metric("leaf", ns / size[0], "ns");
    });
    Bench.answer(sum[0]);
  }
}
