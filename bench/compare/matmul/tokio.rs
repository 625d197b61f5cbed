// SPDX-License-Identifier: BSL-1.0
//! matmul: a task per half of the longer side of the product, down to LEAF x LEAF tiles.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use weft_compare as bench;

#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
}

impl Tile {
    fn halves(self) -> (Tile, Tile) {
        let (mut first, mut second) = (self, self);
        if self.rows >= self.columns {
            first.rows = self.rows / 2;
            second.row += first.rows;
            second.rows -= first.rows;
        } else {
            first.columns = self.columns / 2;
            second.column += first.columns;
            second.columns -= first.columns;
        }
        (first, second)
    }
}

struct Product {
    n: usize,
    a: Vec<f64>, // by rows, all three
    b: Vec<f64>,
    c: *mut f64, // leaked: it lives as long as the program
}

// SAFETY: tasks write disjoint tiles of `c`, and it is read when all of them were awaited.
unsafe impl Send for Product {}
unsafe impl Sync for Product {}

impl Product {
    fn new(n: usize) -> Self {
        let each =
            |f: fn(usize, usize) -> usize| (0..n * n).map(|at| f(at / n, at % n) as f64).collect();
        Product {
            n,
            a: each(|i, k| (i + k) % 7),
            b: each(|k, j| k * j % 5),
            c: vec![0.0; n * n].leak().as_mut_ptr(),
        }
    }

    fn compute(&self, tile: Tile) {
        for i in tile.row..tile.row + tile.rows {
            let begin = i * self.n + tile.column;
            // SAFETY: it is within the n * n elements, and no other task has this tile.
            let to = unsafe { std::slice::from_raw_parts_mut(self.c.add(begin), tile.columns) };
            to.fill(0.0);
            for k in 0..self.n {
                let factor = self.a[i * self.n + k];
                let from = &self.b[k * self.n + tile.column..][..tile.columns];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += factor * from;
                }
            }
        }
    }

    fn weighted_sum(&self) -> i64 {
        // SAFETY: all tasks were awaited.
        let c = unsafe { std::slice::from_raw_parts(self.c, self.n * self.n) };
        let weight = |at: usize| ((at / self.n % 10 + 1) * (at % self.n % 10 + 1)) as i64;
        c.iter()
            .enumerate()
            .map(|(at, &c)| c as i64 * weight(at))
            .sum()
    }
}

type Done = Pin<Box<dyn Future<Output = ()> + Send>>;

fn multiply(product: Arc<Product>, tile: Tile, leaf: usize) -> Done {
    Box::pin(async move {
        if tile.rows <= leaf && tile.columns <= leaf {
            product.compute(tile);
            return;
        }
        let (first, second) = tile.halves();
        let child = tokio::spawn(multiply(product.clone(), first, leaf));
        multiply(product, second, leaf).await;
        child.await.expect("the child");
    })
}

fn main() {
    let arguments = bench::parse(&["N", "LEAF"]);
    let (n, leaf) = (arguments.sizes[0] as usize, arguments.sizes[1] as usize);
    let answer = bench::run(arguments.workers, async move {
        let product = Arc::new(Product::new(n));
        let whole = Tile {
            row: 0,
            rows: n,
            column: 0,
            columns: n,
        };
        multiply(product.clone(), whole, leaf).await; // warm-up
        let start = Instant::now();
        multiply(product.clone(), whole, leaf).await;
        bench::metric("total", bench::ns_since(start) * 1e-6, "ms");
        product.weighted_sum()
    });
    bench::answer(answer);
}
