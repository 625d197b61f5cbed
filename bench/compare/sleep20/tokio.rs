// SPDX-License-Identifier: BSL-1.0
//! sleep20: TASKS tasks, each sleeping SLEEPS times for 1 to 50 ms; CPU time, and how late they
//! woke.

use std::time::{Duration, Instant};
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["TASKS", "SLEEPS"]);
    let (tasks, count) = (arguments.sizes[0], arguments.sizes[1]);
    let total = bench::run(arguments.workers, async move {
        let cpu = bench::cpu_seconds();
        let start = Instant::now();
        let handles: Vec<_> = (0..tasks)
            .map(|t| {
                tokio::spawn(async move {
                    let mut sleeps = bench::Sleeps(t as u64);
                    let mut late = Vec::with_capacity(count as usize);
                    let mut asked = 0;
                    for _ in 0..count {
                        let ms = sleeps.next_ms();
                        asked += ms as i64;
                        let until = Instant::now() + Duration::from_millis(ms);
                        tokio::time::sleep_until(until.into()).await;
                        late.push(until.elapsed().as_secs_f64() * 1e3);
                    }
                    (asked, late)
                })
            })
            .collect();
        let mut total = 0;
        let mut late = Vec::new();
        for handle in handles {
            let (asked, own) = handle.await.expect("a sleeper");
            total += asked;
            late.extend(own);
        }
        bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
        bench::metric("cpu", bench::cpu_seconds() - cpu, "s");
        bench::metric("late_p50", bench::percentile(&mut late, 0.50), "ms");
        bench::metric("late_p99", bench::percentile(&mut late, 0.99), "ms");
        total
    });
    bench::answer(total);
}
