// SPDX-License-Identifier: BSL-1.0
//! fib: one task per call, the sibling computed in place.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use weft_compare as bench;

fn fib(n: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let a = tokio::spawn(fib(n - 1));
        let b = fib(n - 2).await;
        a.await.expect("the child") + b
    })
}

/// fib(n + 1) - 1
fn spawns(n: i64) -> i64 {
    let (mut a, mut b) = (0, 1);
    for _ in 0..n {
        (a, b) = (b, a + b);
    }
    b - 1
}

fn main() {
    let arguments = bench::parse(&["N"]);
    let n = arguments.sizes[0];
    let answer = bench::run(arguments.workers, async move {
        fib(n - 4).await; // warm-up
        let start = Instant::now();
        let answer = fib(n).await;
        let ns = bench::ns_since(start);
        bench::metric("spawn", ns / spawns(n) as f64, "ns");
        bench::metric("total", ns * 1e-6, "ms");
        answer
    });
    bench::answer(answer);
}
