// SPDX-License-Identifier: BSL-1.0
//! spawn_join: TASKS empty tasks, their JoinHandles kept and awaited in order.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;
use weft_compare as bench;

static COUNTER: AtomicI64 = AtomicI64::new(0);

async fn round(tasks: i64) -> f64 {
    let start = Instant::now();
    let mut handles = Vec::with_capacity(tasks as usize);
    for _ in 0..tasks {
        handles.push(tokio::spawn(async {
            COUNTER.fetch_add(1, Ordering::Relaxed);
        }));
    }
    for handle in handles {
        handle.await.expect("a task");
    }
    bench::ns_since(start) / tasks as f64
}

fn main() {
    let arguments = bench::parse(&["TASKS", "ROUNDS"]);
    let (tasks, rounds) = (arguments.sizes[0], arguments.sizes[1]);
    bench::run(arguments.workers, async move {
        round(tasks).await; // warm-up
        let mut times = Vec::new();
        for _ in 0..rounds {
            times.push(round(tasks).await);
        }
        bench::metric("spawn_join", bench::percentile(&mut times, 0.5), "ns");
    });
    bench::answer(COUNTER.load(Ordering::Relaxed));
}
