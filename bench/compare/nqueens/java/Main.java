// SPDX-License-Identifier: BSL-1.0
// nqueens: all ways to put N queens on a board, a virtual thread per queen that can stand.
final class Main {
  /** Where the next row's queen would be attacked: columns and both diagonals. */
  record Board(int columns, int left, int right) {
    Board with(int queen) {
      return new Board(columns | queen, (left | queen) << 1, (right | queen) >>> 1);
    }
  }

  static long place(Board board, int all) throws InterruptedException {
    if (board.columns == all) return 1;
    long[] found = new long[32];
    Thread[] children = new Thread[32];
    int count = 0;
    int free = all & ~(board.columns | board.left | board.right);
    for (; free != 0; free &= free - 1) {
      Board next = board.with(free & -free);
      int at = count++;
      children[at] = Bench.spawn(() -> found[at] = place(next, all));
    }
    long sum = 0;
    for (int i = 0; i < count; ++i) {
      children[i].join();
      sum += found[i];
    }
    return sum;
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "N", "TASKS");
    long[] answer = new long[1];
    Bench.run(() -> {
      long start = System.nanoTime();
      answer[0] = place(new Board(0, 0, 0), (1 << size[0]) - 1);
      double ns = Bench.since(start);
      Bench.metric("task", ns / size[1], "ns");
      Bench.metric("total", ns * 1e-6, "ms");
    });
    Bench.answer(answer[0]);
  }
}
