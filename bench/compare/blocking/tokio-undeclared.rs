// SPDX-License-Identifier: BSL-1.0
//! blocking: TASKS tasks, each in CALLS blocking sleeps of the kernel that nobody declared, beside
//! a ticker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use weft_compare as bench;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let arguments = bench::parse(&["TASKS", "CALLS", "MS", "TICK_MS"]);
    let sizes = arguments.sizes.clone();
    let calls = bench::run(arguments.workers, async move {
        let tick = Duration::from_millis(sizes[3] as u64);
        let pause = Duration::from_millis(sizes[2] as u64);
        let first_due = Instant::now() + tick; // late even if the ticker never starts
        let ticker = tokio::spawn(async move {
            let mut lateness = bench::Lateness::default();
            let mut due = first_due;
            loop {
                tokio::time::sleep_until(due.into()).await;
                lateness.add(due.elapsed());
                if STOP.load(Ordering::Relaxed) {
                    return lateness;
                }
                due = Instant::now() + tick;
            }
        });
        let start = Instant::now();
        let mut handles = Vec::new();
        for _ in 0..sizes[0] {
            let count = sizes[1];
            handles.push(tokio::spawn(async move {
                for _ in 0..count {
                    std::thread::sleep(pause);
                }
                count
            }));
        }
        let mut calls = 0;
        for handle in handles {
            calls += handle.await.expect("a blocker");
        }
        let wall = bench::ns_since(start) * 1e-6;
        STOP.store(true, Ordering::Relaxed);
        bench::metric("wall", wall, "ms");
        ticker
            .await
            .expect("the ticker")
            .report(wall / sizes[3] as f64);
        calls
    });
    bench::answer(calls);
}
