// SPDX-License-Identifier: BSL-1.0
//! select8: one task selecting over eight channels, each fed by its producer.

use std::time::Instant;
use tokio::sync::mpsc;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&["ITEMS", "CAPACITY"]);
    let (each, capacity) = (arguments.sizes[0] / 8, arguments.sizes[1] as usize);
    let sum = bench::run(arguments.workers, async move {
        let start = Instant::now();
        let mut receivers = Vec::new();
        for p in 0..8 {
            let (sender, receiver) = mpsc::channel::<i64>(capacity);
            receivers.push(receiver);
            tokio::spawn(async move {
                for i in p * each..(p + 1) * each {
                    sender.send(i).await.expect("the selector");
                }
            });
        }
        let Ok([mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h]) =
            <[_; 8]>::try_from(receivers)
        else {
            unreachable!("eight receivers were made")
        };
        let mut sum = 0;
        loop {
            tokio::select! { // a closed channel's pattern fails, which disables its branch
                Some(value) = a.recv() => sum += value,
                Some(value) = b.recv() => sum += value,
                Some(value) = c.recv() => sum += value,
                Some(value) = d.recv() => sum += value,
                Some(value) = e.recv() => sum += value,
                Some(value) = f.recv() => sum += value,
                Some(value) = g.recv() => sum += value,
                Some(value) = h.recv() => sum += value,
                else => break,
            }
        }
        bench::metric("item", bench::ns_since(start) / (8 * each) as f64, "ns");
        sum
    });
    bench::answer(sum);
}
