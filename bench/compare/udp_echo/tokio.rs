// SPDX-License-Identifier: BSL-1.0
//! udp_echo: one task sends each message back to where it came from.

use tokio::net::UdpSocket;
use weft_compare as bench;

fn main() {
    let arguments = bench::parse(&[]);
    bench::run(arguments.workers, async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        println!("port={}", socket.local_addr().expect("an address").port());
        let mut buffer = [0; 2048];
        loop {
            if let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..n], from).await;
            }
        }
    });
}
