// SPDX-License-Identifier: BSL-1.0
//! mutex: TASKS tasks (one of them: the uncontended case), each locking one tokio::sync::Mutex OPS
//! times.

use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["TASKS", "OPS"]);
    let (tasks, ops) = (arguments.sizes[0], arguments.sizes[1]);
    let counted = bench::run(arguments.workers, async move {
        let counter = Arc::new(Mutex::new(0));
        let start = Instant::now();
        let mut handles = Vec::new();
        for _ in 0..tasks {
            let counter = counter.clone();
            handles.push(tokio::spawn(async move {
                for _ in 0..ops {
                    *counter.lock().await += 1;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("a task");
        }
        bench::metric("lock", bench::ns_since(start) / (tasks * ops) as f64, "ns");
        let counted = *counter.lock().await;
        counted
    });
    bench::answer(counted);
}
