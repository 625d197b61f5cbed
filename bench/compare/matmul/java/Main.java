// SPDX-License-Identifier: BSL-1.0
// matmul: a virtual thread per half of the longer side of the product, down to LEAF x LEAF tiles.
import java.util.Arrays;

final class Main {
  record Tile(int row, int rows, int column, int columns) {
    Tile[] halves() {
      if (rows >= columns) {
        int half = rows / 2;
        return new Tile[] {
          new Tile(row, half, column, columns), new Tile(row + half, rows - half, column, columns)
        };
      }
      int half = columns / 2;
      return new Tile[] {
        new Tile(row, rows, column, half), new Tile(row, rows, column + half, columns - half)
      };
    }
  }

  static int n;
  static double[] a, b, c;  // by rows

  static void compute(Tile tile) {
    for (int i = tile.row; i < tile.row + tile.rows; ++i) addRow(i, tile.column, tile.columns);
  }

  static void addRow(int i, int column, int columns) {
    int to = i * n + column;
    Arrays.fill(c, to, to + columns, 0);
    for (int k = 0; k < n; ++k) {
      double factor = a[i * n + k];
      int from = k * n + column;
      for (int j = 0; j < columns; ++j) c[to + j] += factor * b[from + j];
    }
  }

  static void multiply(Tile tile, int leaf) throws InterruptedException {
    if (tile.rows <= leaf && tile.columns <= leaf) {
      compute(tile);
      return;
    }
    Tile[] halves = tile.halves();
    Thread child = Bench.spawn(() -> multiply(halves[0], leaf));
    multiply(halves[1], leaf);
    child.join();
  }

  static long weightedSum() {
    long sum = 0;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) sum += (long) c[i * n + j] * (i % 10 + 1) * (j % 10 + 1);
    }
    return sum;
  }

  public static void main(String[] arguments) throws Exception {
    long[] size = Bench.parse(arguments, "N", "LEAF");
    n = (int) size[0];
    a = new double[n * n];
    b = new double[n * n];
    c = new double[n * n];
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        a[i * n + j] = (i + j) % 7;
        b[i * n + j] = i * j % 5;
      }
    }
    Bench.run(() -> {
      Tile whole = new Tile(0, n, 0, n);
      for (int i = 0; i < 5; ++i) multiply(whole, (int) size[1]);  // warm-up, for the compiler, too
      long start = System.nanoTime();
      multiply(whole, (int) size[1]);
      Bench.metric("total", Bench.since(start) * 1e-6, "ms");
    });
    Bench.answer(weightedSum());
  }
}
