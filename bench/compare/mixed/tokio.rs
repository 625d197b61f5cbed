// SPDX-License-Identifier: BSL-1.0
//! mixed: CLIENTS connections with ROUNDS round trips each, beside JOBS counts of the primes below
//! LIMIT, which are declared by spawn_blocking: undeclared they would hold up the others.

use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_compare as bench;

fn primes_below(limit: i64) -> i64 {
    let mut count = 0;
    for n in 2..limit {
        let mut divisor = 2;
        while divisor * divisor <= n && n % divisor != 0 {
            divisor += 1;
        }
        count += (divisor * divisor > n) as i64;
    }
    count
}

async fn serve(mut stream: TcpStream, rounds: i64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    for _ in 0..rounds {
        let number = stream.read_i64_le().await?;
        stream.write_i64_le(number + 1).await?;
    }
    Ok(())
}

/// The sum of the answers and the round trips in microseconds.
async fn ask(server: SocketAddr, rounds: i64) -> std::io::Result<(i64, Vec<f64>)> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sum, mut round_trips) = (0, Vec::new());
    for i in 0..rounds {
        let start = Instant::now();
        stream.write_i64_le(i).await?;
        sum += stream.read_i64_le().await?;
        round_trips.push(bench::ns_since(start) * 1e-3);
    }
    Ok((sum, round_trips))
}

async fn all(clients: i64, rounds: i64, jobs: i64, limit: i64) -> std::io::Result<i64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let start = Instant::now();
    let asking: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(ask(server, rounds)))
        .collect();
    let counting: Vec<_> = (0..jobs)
        .map(|_| tokio::task::spawn_blocking(move || primes_below(limit)))
        .collect();
    let mut serving = Vec::new();
    for _ in 0..clients {
        let (stream, _) = listener.accept().await?;
        serving.push(tokio::spawn(serve(stream, rounds)));
    }
    let (mut total, mut round_trips) = (0, Vec::new());
    for client in asking {
        let (sum, mut some) = client.await??;
        total += sum;
        round_trips.append(&mut some);
    }
    for job in counting {
        total += job.await?;
    }
    for connection in serving {
        connection.await??;
    }
    bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
    bench::metric(
        "round_trip_p50",
        bench::percentile(&mut round_trips, 0.50),
        "us",
    );
    bench::metric(
        "round_trip_p99",
        bench::percentile(&mut round_trips, 0.99),
        "us",
    );
    Ok(total)
}

fn main() {
    let arguments = bench::parse(&["CLIENTS", "ROUNDS", "JOBS", "LIMIT"]);
    let sizes = arguments.sizes.clone();
    let total = bench::run(arguments.workers, async move {
        all(sizes[0], sizes[1], sizes[2], sizes[3])
            .await
            .expect("loopback")
    });
    bench::answer(total);
}
