//! The machine that a command runs on: threads, memory, clock.

use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::{STACK, SessionOptions};
use tokio::runtime::Runtime;

use crate::args::Global;

/// What this process may use.
pub struct Machine {
    /// Runs the requests to stores.
    pub runtime: Runtime,
    /// Threads for tasks.
    pub threads: usize,
    /// Memory for tasks and queries, in bytes.
    pub memory: u64,
}

impl Machine {
    /// Prepares threads and memory as the command line says. The threads have the stack that planning
    /// needs: whoever opens a snapshot plans the views of its project.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime
            .worker_threads(processors)
            .thread_stack_size(STACK)
            .enable_all();
        let runtime = runtime.build().map_err(|error| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot start threads: {error}"),
            )
        })?;
        let threads = global.threads.unwrap_or(processors).max(1);
        Ok(Self {
            runtime,
            threads,
            memory: parse_bytes(&global.memory)?,
        })
    }

    /// What reading a snapshot may use.
    pub fn reading(&self) -> SessionOptions {
        SessionOptions {
            memory_bytes: usize::try_from(self.memory).unwrap_or(usize::MAX),
            threads: self.threads,
        }
    }
}

/// The current time: RFC 3339 in UTC, and milliseconds since 1970.
pub fn now() -> (String, i64) {
    let now = jiff::Timestamp::now();
    (format!("{now:.3}"), now.as_millisecond())
}

/// Memory that programs may still take, in bytes, where the system tells.
pub fn available_memory() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Reads an amount of memory such as `512MiB`, `4GiB` or a number of bytes.
pub fn parse_bytes(text: &str) -> Result<u64, Failure> {
    let units = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
        ("", 1),
    ];
    let parsed = units.iter().find_map(|(unit, factor)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        (number > 0.0).then_some((number * f64::from(1 << 10) * (*factor as f64)) as u64 >> 10)
    });
    parsed.ok_or_else(|| {
        Failure::config(format!("{text} is no amount of memory"))
            .remedy("write it like 512MiB or 4GiB")
    })
}

/// An amount of bytes for people.
pub fn shown_bytes(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!(parse_bytes("1GiB").unwrap(), 1 << 30);
        assert_eq!(parse_bytes("512 MiB").unwrap(), 512 << 20);
        assert_eq!(parse_bytes("1.5KiB").unwrap(), 1536);
        assert_eq!(parse_bytes("1000").unwrap(), 1000);
        assert!(parse_bytes("lots").is_err());
        assert!(parse_bytes("-1GiB").is_err());
    }

    #[test]
    fn bytes_are_shown_in_the_fitting_unit() {
        assert_eq!(shown_bytes(12), "12 B");
        assert_eq!(shown_bytes(1536), "1.5 KiB");
    }
}
