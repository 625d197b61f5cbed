// SPDX-License-Identifier: BSL-1.0
//! yield: TASKS tasks, each yielding YIELDS times.

use std::time::Instant;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["TASKS", "YIELDS"]);
    let (tasks, yields) = (arguments.sizes[0], arguments.sizes[1]);
    let total = bench::run(arguments.workers, async move {
        let start = Instant::now();
        let handles: Vec<_> = (0..tasks)
            .map(|_| {
                tokio::spawn(async move {
                    let mut done = 0;
                    while done < yields {
                        tokio::task::yield_now().await;
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut total = 0;
        for handle in handles {
            total += handle.await.expect("a task");
        }
        bench::metric(
            "yield",
            bench::ns_since(start) / (tasks * yields) as f64,
            "ns",
        );
        total
    });
    bench::answer(total);
}
