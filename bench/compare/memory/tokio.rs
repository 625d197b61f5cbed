// SPDX-License-Identifier: BSL-1.0
//! memory: TASKS tasks parked on one Notify; what each keeps resident and what spawning it took.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;
use weft_compare as bench;

static PARKED: AtomicI64 = AtomicI64::new(0);
static GATE: Notify = Notify::const_new();

fn main() {
    let arguments = bench::parse(&["TASKS"]);
    let tasks = arguments.sizes[0];
    let released = bench::run(arguments.workers, async move {
        let before = bench::resident_bytes();
        let start = Instant::now();
        let mut handles = Vec::with_capacity(tasks as usize);
        for _ in 0..tasks {
            handles.push(tokio::spawn(async {
                let opened = GATE.notified(); // from here on a notify_waiters() is not missed
                PARKED.fetch_add(1, Ordering::Relaxed);
                opened.await;
                1
            }));
        }
        while PARKED.load(Ordering::Relaxed) < tasks {
            tokio::task::yield_now().await;
        }
        bench::metric("spawn", bench::ns_since(start) / tasks as f64, "ns");
        bench::metric(
            "resident",
            (bench::resident_bytes() - before) / tasks as f64,
            "B/task",
        );
        bench::metric("mappings", bench::mappings(), "maps");
        GATE.notify_waiters();
        let mut released = 0;
        for handle in handles {
            released += handle.await.expect("a task");
        }
        released
    });
    bench::answer(released);
}
