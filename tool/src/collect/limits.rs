//! What senders may take. Each limit has a default.

use std::time::Duration;

use super::bytes::{duration, size};

/// Bytes of lines that a connection hands over at once, unless a single line is longer.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// Memory of the records of these lines, unless that of a single line is larger.
pub(super) const BATCH_MEMORY: usize = 2 << 20;

/// Lines that a connection hands over at once.
pub(super) const BATCH_LINES: usize = 2048;

/// What senders may take.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Connections of all senders; more wait to be accepted
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = count)]
    pub(super) max_connections: usize,
    /// Connections from one address, or one /64 network of IPv6; more are closed at once
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    pub(super) max_connections_per_address: usize,
    /// Bytes of a line; a longer one is cut and marked with `truncated`
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = size::<1024>)]
    pub(super) max_line_bytes: usize,
    /// Bytes of an HTTP request's body, also after it was decompressed
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = size::<1024>)]
    pub(super) max_body_bytes: usize,
    /// Bytes of received lines in memory, of all senders
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = size::<65536>)]
    pub(super) max_memory: usize,
    /// Services that get a file; lines of more go to the service `other`
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = count)]
    pub(super) max_services: usize,
    /// How long a handshake, a line or a request may take to arrive
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) line_timeout: Duration,
    /// How long a connection may send nothing
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(super) idle_timeout: Duration,
    /// How long the outputs may write nothing while a sender waits for them
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = duration)]
    pub(super) write_timeout: Duration,
    /// How long the end may take, after SIGTERM or Ctrl-C
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) shutdown_timeout: Duration,
}

impl Limits {
    /// Returns how long connections and the writer may take at the end.
    pub(super) fn receiving_at_end(&self) -> Duration {
        self.shutdown_timeout.saturating_sub(self.writing_at_end())
    }

    /// Returns how long the outputs may take behind that. They have nothing left to do unless one is stuck.
    pub(super) fn writing_at_end(&self) -> Duration {
        self.shutdown_timeout / 4
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        _ => Err("expected a number from 1 to 100000".into()),
    }
}
