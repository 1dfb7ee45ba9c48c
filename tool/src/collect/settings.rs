//! The command line of `spanline collect`.

use std::time::Duration;

use spanline::Error;

use super::address::Address;
use super::bytes::duration;
use super::limits::Limits;
use super::outputs::Writing;
use super::reporter::Form;
use super::security::Security;

/// The command line of `spanline collect`.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// Where to listen: a scheme and an address
    ///
    /// tcp, tls, udp, unix and unixgram take JSON lines; length32, length32+tls and length32+unix take frames and
    /// acknowledge them; syslog+tcp, syslog+tls, syslog+udp, syslog+unix and syslog+unixgram take syslog; http and https take
    /// NDJSON and OTLP. Examples: length32://127.0.0.1:5171, syslog+udp://127.0.0.1:514, unix:/run/collect.sock.
    #[arg(long = "listen", short, value_name = "ADDRESS", required = true)]
    pub(super) listen: Vec<Address>,
    #[command(flatten)]
    pub(super) writing: Writing,
    #[command(flatten)]
    pub(super) security: Security,
    #[command(flatten)]
    pub(super) limits: Limits,
    /// How reports on stderr look
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub(super) report: Form,
    /// How often to report what was received
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(super) report_every: Duration,
}

impl Settings {
    /// Checks what the parser of the command line does not see.
    ///
    /// # Errors
    /// Says what to write.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for address in &self.listen {
            self.security.check(address)?;
        }
        self.security.check_use(&self.listen)?;
        self.writing.check()
    }
}
