// SPDX-License-Identifier: BSL-1.0
//! http: a task per connection that reads and writes the TcpStream itself.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weft_compare as bench;
use weft_compare::server::{HeadScanner, RESPONSE};

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut scanner = HeadScanner::default();
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        for _ in 0..scanner.complete_in(&buffer[..n]) {
            stream.write_all(RESPONSE).await?;
        }
    }
}

fn main() {
    let arguments = bench::parse(&[]);
    bench::run(arguments.workers, bench::server::run(serve));
}
