// SPDX-License-Identifier: BSL-1.0
//! nqueens: all ways to put N queens on a board, a task per queen that can stand.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use weft_compare as bench;

/// Where the next row's queen would be attacked: columns and both diagonals.
#[derive(Clone, Copy, Default)]
struct Board {
    columns: u32,
    left: u32,
    right: u32,
}

fn place(board: Board, all: u32) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if board.columns == all {
            return 1;
        }
        let mut children = Vec::new();
        let mut free = all & !(board.columns | board.left | board.right);
        while free != 0 {
            let queen = free & free.wrapping_neg();
            free &= free - 1;
            let next = Board {
                columns: board.columns | queen,
                left: (board.left | queen) << 1,
                right: (board.right | queen) >> 1,
            };
            children.push(tokio::spawn(place(next, all)));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("a child");
        }
        sum
    })
}

fn main() {
    let arguments = bench::parse(&["N", "TASKS"]);
    let (n, tasks) = (arguments.sizes[0], arguments.sizes[1]);
    let answer = bench::run(arguments.workers, async move {
        let start = Instant::now();
        let answer = place(Board::default(), (1 << n) - 1).await;
        let ns = bench::ns_since(start);
        bench::metric("task", ns / tasks as f64, "ns");
        bench::metric("total", ns * 1e-6, "ms");
        answer
    });
    bench::answer(answer);
}
