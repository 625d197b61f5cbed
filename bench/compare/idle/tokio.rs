// SPDX-License-Identifier: BSL-1.0
//! idle: the CPU time of MS milliseconds in which TASKS tasks are parked and nothing happens.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use weft_compare as bench;

static PARKED: AtomicI64 = AtomicI64::new(0);
static GATE: Notify = Notify::const_new();

fn main() {
    let arguments = bench::parse(&["TASKS", "MS"]);
    let (tasks, ms) = (arguments.sizes[0], arguments.sizes[1] as u64);
    let released = bench::run(arguments.workers, async move {
        let mut handles = Vec::with_capacity(tasks as usize);
        for _ in 0..tasks {
            handles.push(tokio::spawn(async {
                let opened = GATE.notified();
                PARKED.fetch_add(1, Ordering::Relaxed);
                opened.await;
                1
            }));
        }
        while PARKED.load(Ordering::Relaxed) < tasks {
            tokio::task::yield_now().await;
        }
        // The tail of the spawning is not idleness.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let cpu = bench::cpu_seconds();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        bench::metric("cpu", (bench::cpu_seconds() - cpu) * 1e3, "ms");
        GATE.notify_waiters();
        let mut released = 0;
        for handle in handles {
            released += handle.await.expect("a task");
        }
        released
    });
    bench::answer(released);
}
