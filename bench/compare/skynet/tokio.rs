// SPDX-License-Identifier: BSL-1.0
//! skynet: a tree of tasks with fan-out 10; every leaf is its number, every node the sum of its
//! children.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use weft_compare as bench;

const FANOUT: i64 = 10;

fn skynet(first: i64, leaves: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let each = leaves / FANOUT;
        let mut children = Vec::with_capacity(FANOUT as usize);
        for i in 0..FANOUT {
            children.push(tokio::spawn(skynet(first + i * each, each)));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("a child");
        }
        sum
    })
}

fn main() {
    let arguments = bench::parse(&["LEAVES"]);
    let leaves = arguments.sizes[0];
    let sum = bench::run(arguments.workers, async move {
        skynet(0, leaves / FANOUT).await; // warm-up
        let start = Instant::now();
        let sum = skynet(0, leaves).await;
        let ns = bench::ns_since(start);
        bench::metric("total", ns * 1e-6, "ms");
        bench::metric("leaf", ns / leaves as f64, "ns");
        sum
    });
    bench::answer(sum);
}
