// SPDX-License-Identifier: BSL-1.0
//! ticker_loop: LOOPS endless loops without an await beside a ticker; how late the ticker is.
//! A plain thread sets the flag that ends them, so that a starving ticker ends too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use weft_compare as bench;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let arguments = bench::parse(&["LOOPS", "MS", "TICK_MS"]);
    let (loops, ms, tick) = (arguments.sizes[0], arguments.sizes[1], arguments.sizes[2]);
    let ended = bench::run(arguments.workers, async move {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(ms as u64));
            STOP.store(true, Ordering::Relaxed);
        });
        let tick_time = Duration::from_millis(tick as u64);
        let first_due = Instant::now() + tick_time; // late even if the ticker never starts
        let ticker = tokio::spawn(async move {
            let mut lateness = bench::Lateness::default();
            let mut due = first_due;
            loop {
                tokio::time::sleep_until(due.into()).await;
                lateness.add(due.elapsed());
                if STOP.load(Ordering::Relaxed) {
                    return lateness;
                }
                due = Instant::now() + tick_time;
            }
        });
        let mut handles = Vec::new();
        for _ in 0..loops {
            handles.push(tokio::spawn(async {
                while !STOP.load(Ordering::Relaxed) {}
                1
            }));
        }
        let mut ended = 0;
        for handle in handles {
            ended += handle.await.expect("a loop");
        }
        ticker.await.expect("the ticker").report((ms / tick) as f64);
        ended
    });
    bench::answer(ended);
}
