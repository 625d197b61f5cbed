// SPDX-License-Identifier: BSL-1.0
//! common/http.hpp for Rust: where a request ends, the one response to all of them, and a loop that
//! accepts.

use std::future::Future;
use tokio::net::{TcpListener, TcpStream};

pub const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n";

/// Carries how much of the blank line it has seen from one read to the next.
#[derive(Default)]
pub struct HeadScanner {
    matched: usize,
}

impl HeadScanner {
    /// How many request heads end in `data`.
    pub fn complete_in(&mut self, data: &[u8]) -> usize {
        const END: &[u8] = b"\r\n\r\n";
        let mut complete = 0;
        for &c in data {
            self.matched = if c == END[self.matched] {
                self.matched + 1
            } else if c == b'\r' {
                1
            } else {
                0
            };
            if self.matched == END.len() {
                self.matched = 0;
                complete += 1;
            }
        }
        complete
    }
}

/// Listens on a port of the kernel's choice, says which, and spawns `serve` for each connection.
pub async fn run<S, F>(serve: S)
where
    S: Fn(TcpStream) -> F,
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("port={}", listener.local_addr().expect("an address").port());
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(serve(stream));
    }
}
