// SPDX-License-Identifier: BSL-1.0
//! offload: the round trip of one small call through spawn_blocking, one after the other.

use std::time::Instant;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["CALLS"]);
    let calls = arguments.sizes[0];
    let sum = bench::run(arguments.workers, async move {
        let mut sum = 0;
        let start = Instant::now();
        for i in 0..calls {
            sum += tokio::task::spawn_blocking(move || i + 1)
                .await
                .expect("a call");
        }
        bench::metric("round_trip", bench::ns_since(start) / calls as f64, "ns");
        sum
    });
    bench::answer(sum);
}
