// SPDX-License-Identifier: BSL-1.0
//! sleepers: TASKS tasks, each sleeping MS milliseconds once.

use std::time::{Duration, Instant};
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["TASKS", "MS"]);
    let (tasks, ms) = (arguments.sizes[0], arguments.sizes[1] as u64);
    let woken = bench::run(arguments.workers, async move {
        let cpu = bench::cpu_seconds();
        let start = Instant::now();
        let handles: Vec<_> = (0..tasks)
            .map(|_| {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    1
                })
            })
            .collect();
        let mut woken = 0;
        for handle in handles {
            woken += handle.await.expect("a sleeper");
        }
        bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
        bench::metric("cpu", bench::cpu_seconds() - cpu, "s");
        woken
    });
    bench::answer(woken);
}
