// SPDX-License-Identifier: BSL-1.0
//! pingpong: two tasks, ROUNDS round trips.  Tokio has no rendezvous channel; capacity 1 is its
//! nearest.

use std::time::Instant;
use tokio::sync::mpsc;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["ROUNDS"]);
    let rounds = arguments.sizes[0];
    let sum = bench::run(arguments.workers, async move {
        let (ping, mut pinged) = mpsc::channel::<i64>(1);
        let (pong, mut ponged) = mpsc::channel::<i64>(1);
        let echo = tokio::spawn(async move {
            while let Some(value) = pinged.recv().await {
                pong.send(value + 1).await.expect("the other side");
            }
        });
        let mut sum = 0;
        let start = Instant::now();
        for i in 0..rounds {
            ping.send(i).await.expect("the other side");
            sum += ponged.recv().await.expect("an answer");
        }
        bench::metric("round_trip", bench::ns_since(start) / rounds as f64, "ns");
        drop(ping);
        echo.await.expect("the echo");
        sum
    });
    bench::answer(sum);
}
