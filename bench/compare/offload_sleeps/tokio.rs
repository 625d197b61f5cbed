// SPDX-License-Identifier: BSL-1.0
//! offload_sleeps: TASKS tasks, each with CALLS sleeps of the kernel through spawn_blocking, one after the other.

use std::time::{Duration, Instant};
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["TASKS", "CALLS", "MS"]);
    let sizes = arguments.sizes.clone();
    let calls = bench::run(arguments.workers, async move {
        let pause = Duration::from_millis(sizes[2] as u64);
        let start = Instant::now();
        let mut handles = Vec::new();
        for _ in 0..sizes[0] {
            let count = sizes[1];
            handles.push(tokio::spawn(async move {
                for _ in 0..count {
                    tokio::task::spawn_blocking(move || std::thread::sleep(pause))
                        .await
                        .expect("a call");
                }
                count
            }));
        }
        let mut calls = 0;
        for handle in handles {
            calls += handle.await.expect("a task");
        }
        bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
        calls
    });
    bench::answer(calls);
}
