// SPDX-License-Identifier: BSL-1.0
//! pipeline: ITEMS through ten stages, a task each, and channels of CAPACITY between them.

use std::time::Instant;
use tokio::sync::mpsc;
use weft_compare as bench;

const STAGES: i64 = 10;

fn main() {
    let arguments = bench::parse(&["ITEMS", "CAPACITY"]);
    let (items, capacity) = (arguments.sizes[0], arguments.sizes[1] as usize);
    let hash = bench::run(arguments.workers, async move {
        let start = Instant::now();
        let (first, mut last) = mpsc::channel::<i64>(capacity);
        for stage in 0..STAGES {
            let (out, next) = mpsc::channel(capacity);
            let mut from = std::mem::replace(&mut last, next);
            tokio::spawn(async move {
                while let Some(item) = from.recv().await {
                    out.send(item * 3 + stage).await.expect("the next stage");
                }
            });
        }
        tokio::spawn(async move {
            for i in 0..items {
                first.send(i).await.expect("the first stage");
            }
        });
        let mut hash = 0;
        while let Some(item) = last.recv().await {
            hash = (hash * 31 + item as u64) % 1_000_000_007;
        }
        bench::metric("item", bench::ns_since(start) / items as f64, "ns");
        hash
    });
    bench::answer(hash as i64);
}
