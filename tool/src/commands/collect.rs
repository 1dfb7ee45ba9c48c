//! `spanline collect`: receives lines from other programs.

use std::io;

use crate::collect::{self, Settings};
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  spanline collect --listen tcp://127.0.0.1:5170 --to console
  spanline collect --listen syslog+udp://127.0.0.1:514 --listen http://127.0.0.1:4318 --to files:logs --to sqlite:log.db

Exit status:
  0  ended by SIGTERM or Ctrl-C; everything that was acknowledged is written
  1  something could not be opened or written; stderr says what
  2  the command line is wrong";

/// Receive lines from other programs, and write them to files or databases
///
/// Takes JSON lines, length-prefixed frames, syslog, and OTLP over HTTP. A sender that waits for an answer gets it when its
/// lines are written. Beyond this machine, senders need TLS and a token or a certificate. SIGTERM and Ctrl-C write what has
/// arrived; a second one ends at once.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Box<Settings>,
}

pub(super) fn run(args: &Args, report: &mut Report) -> io::Result<()> {
    match args.settings.check() {
        Ok(()) => drop(report.check(collect::run(&args.settings))),
        Err(error) => report.misuse(&error),
    }
    Ok(())
}
