// SPDX-License-Identifier: BSL-1.0
//! channel4x4: four producers and four consumers over one channel: async-channel, Tokio's mpsc has
//! one consumer.

use std::time::Instant;
use weft_compare as bench;

const SIDE: i64 = 4;

fn main() {
    let arguments = bench::parse(&["ITEMS", "CAPACITY"]);
    let (items, capacity) = (arguments.sizes[0], arguments.sizes[1] as usize);
    let sum = bench::run(arguments.workers, async move {
        let (sender, receiver) = async_channel::bounded::<i64>(capacity);
        let start = Instant::now();
        let mut consumers = Vec::new();
        for p in 0..SIDE {
            let sender = sender.clone();
            tokio::spawn(async move {
                for i in (p..items).step_by(SIDE as usize) {
                    sender.send(i).await.expect("a consumer");
                }
            });
            let receiver = receiver.clone();
            consumers.push(tokio::spawn(async move {
                let mut own = 0;
                while let Ok(value) = receiver.recv().await {
                    own += value;
                }
                own
            }));
        }
        drop(sender); // the last producer's end closes the channel
        let mut sum = 0;
        for consumer in consumers {
            sum += consumer.await.expect("a consumer");
        }
        bench::metric("item", bench::ns_since(start) / items as f64, "ns");
        sum
    });
    bench::answer(sum);
}
