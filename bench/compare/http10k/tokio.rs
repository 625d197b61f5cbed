// SPDX-License-Identifier: BSL-1.0
//! http10k: http/tokio.rs, and each request waits 10 ms: a sleep of its task.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_compare as bench;

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n";

/// Counts the heads that end in `data`; `matched` carries how much of "\r\n\r\n" was seen before.
fn scan(data: &[u8], matched: &mut usize) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    let mut complete = 0;
    for &c in data {
        *matched = if c == END[*matched] {
            *matched + 1
        } else if c == b'\r' {
            1
        } else {
            0
        };
        if *matched == END.len() {
            *matched = 0;
            complete += 1;
        }
    }
    complete
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut matched = 0;
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        for _ in 0..scan(&buffer[..n], &mut matched) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            stream.write_all(RESPONSE).await?;
        }
    }
}

fn main() {
    let arguments = bench::parse(&[]);
    bench::run(arguments.workers, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("port={}", listener.local_addr().expect("an address").port());
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream));
        }
    });
}
