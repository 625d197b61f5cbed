// SPDX-License-Identifier: BSL-1.0
//! common/bench.hpp for Rust: arguments, clock, the Tokio runtime, and the lines tools/compare
//! reads. The allocator is Rust's default (the system malloc), as `cargo new` gives it.

pub mod server;

use std::future::Future;
use std::time::{Duration, Instant};

/// What a subject is called with: WORKERS and the sizes of workloads.py.
pub struct Arguments {
    pub workers: usize,
    pub sizes: Vec<i64>,
}

fn number(text: &str, what: &str) -> i64 {
    match text.parse::<i64>() {
        Ok(value) if value >= 0 => value,
        _ => {
            eprintln!("{what} must be a non-negative integer, not {text:?}");
            std::process::exit(2);
        }
    }
}

pub fn parse(names: &[&str]) -> Arguments {
    let given: Vec<String> = std::env::args().collect();
    if given.len() != names.len() + 2 {
        eprintln!("usage: {} WORKERS {}", given[0], names.join(" "));
        std::process::exit(2);
    }
    println!("version={}", env!("TOKIO_VERSION"));
    Arguments {
        workers: number(&given[1], "WORKERS") as usize,
        sizes: names
            .iter()
            .zip(&given[2..])
            .map(|(name, text)| number(text, name))
            .collect(),
    }
}

/// Runs `body` as a task on a worker: spawning from `block_on` would go through the inject queue.
pub fn run<F>(workers: usize, body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a Tokio runtime");
    let output = runtime.block_on(async { tokio::spawn(body).await.expect("the body") });
    runtime.shutdown_timeout(Duration::from_millis(100));
    output
}

pub fn metric(name: &str, value: f64, unit: &str) {
    println!("{name}={value:.3} {unit}");
}

pub fn answer(value: i64) {
    println!("answer={value}");
}

pub fn ns_since(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

pub fn cpu_seconds() -> f64 {
    // SAFETY: an all-zero rusage is valid, and getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: f64 = text
        .split(' ')
        .nth(1)
        .and_then(|p| p.parse().ok())
        .expect("resident pages");
    // SAFETY: sysconf has no preconditions.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

pub fn mappings() -> f64 {
    std::fs::read_to_string("/proc/self/maps")
        .expect("maps")
        .lines()
        .count() as f64
}

/// The value a share `p` of the samples does not exceed; 0 when there are none.
pub fn percentile(samples: &mut [f64], p: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    samples.sort_by(f64::total_cmp);
    samples[(p * samples.len() as f64).ceil() as usize - 1]
}

/// By how many ms a ticker was late.
#[derive(Default)]
pub struct Lateness {
    late: Vec<f64>,
}

impl Lateness {
    pub fn add(&mut self, late: Duration) {
        self.late.push(late.as_secs_f64() * 1e3);
    }

    /// Fewer than one expected tick in a hundred is starving.
    pub fn report(&mut self, expected: f64) {
        metric("late_p50", percentile(&mut self.late, 0.50), "ms");
        metric("late_p99", percentile(&mut self.late, 0.99), "ms");
        metric("late_max", percentile(&mut self.late, 1.0), "ms");
        metric("ticks", self.late.len() as f64, "ticks");
        if (self.late.len() as f64) < expected / 100.0 {
            println!("starves={} of {expected:.0} ticks", self.late.len());
        }
    }
}

/// The pseudo-random sleeps of sleep20.
pub struct Sleeps(pub u64);

impl Sleeps {
    pub fn next_ms(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        1 + (self.0 >> 33) % 50
    }
}
