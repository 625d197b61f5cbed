// SPDX-License-Identifier: BSL-1.0
// fib: one virtual thread per call, the sibling computed in place.
final class Main {
  static long fib(long n) throws InterruptedException {
    if (n < 2) return n;
    long[] a = new long[1];
    Thread child = Bench.spawn(() -> a[0] = fib(n - 1));
    long b = fib(n - 2);
    child.join();
    return a[0] + b;
  }

  static long spawns(long n) {  // fib(n + 1) - 1
    long a = 0;
    long b = 1;
    for (; n > 0; --n) {
      long next = a + b;
      a = b;
      b = next;
    }
    return b - 1;
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "N");
    long[] answer = new long[1];
    Bench.run(() -> {
      fib(size[0] - 4);  // warm-up
      long start = System.nanoTime();
      answer[0] = fib(size[0]);
      double ns = Bench.since(start);
      Bench.metric("spawn", ns / spawns(size[0]), "ns");
      Bench.metric("total", ns * 1e-6, "ms");
    });
    Bench.answer(answer[0]);
  }
}
