// SPDX-License-Identifier: BSL-1.0
//! echo: a task per connection that writes back what it reads.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weft_compare as bench;

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 512];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

fn main() {
    let arguments = bench::parse(&[]);
    bench::run(arguments.workers, bench::server::run(serve));
}
