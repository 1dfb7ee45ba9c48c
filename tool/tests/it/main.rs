//! The binary as its users run it: its output, its errors and its exit statuses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod cat;
#[cfg(all(target_os = "linux", feature = "clickhouse"))]
mod clickhouse;
#[cfg(all(target_os = "linux", feature = "clickhouse"))]
mod clickhouse_changes;
#[cfg(all(target_os = "linux", feature = "clickhouse"))]
mod clickhouse_load;
#[cfg(all(target_os = "linux", feature = "clickhouse"))]
mod clickhouse_support;
#[cfg(all(unix, feature = "collect"))]
mod collect_limits;
#[cfg(all(unix, feature = "collect"))]
mod collect_listeners;
#[cfg(all(unix, feature = "collect"))]
mod collect_outages;
#[cfg(all(unix, feature = "collect"))]
mod collect_outputs;
#[cfg(all(unix, feature = "collect"))]
mod collect_security;
#[cfg(all(unix, feature = "collect"))]
mod collect_senders;
#[cfg(all(unix, feature = "collect"))]
mod collect_support;
#[cfg(feature = "config")]
mod config;
#[cfg(all(unix, feature = "control"))]
mod control;
#[cfg(feature = "find")]
mod doctor;
#[cfg(feature = "find")]
mod find;
#[cfg(feature = "find")]
mod find_collected;
#[cfg(feature = "find")]
mod find_hostile;
#[cfg(feature = "find")]
mod find_output;
#[cfg(feature = "find")]
mod find_pretty;
#[cfg(feature = "find")]
mod find_reference;
#[cfg(feature = "find")]
mod find_shapes;
#[cfg(all(unix, feature = "follow"))]
mod follow;
#[cfg(all(unix, feature = "follow"))]
mod follow_command;
#[cfg(all(unix, feature = "follow"))]
mod follow_support;
#[cfg(all(unix, feature = "find"))]
mod index;
#[cfg(all(unix, feature = "find"))]
mod index_hostile;
#[cfg(all(target_os = "linux", feature = "keys"))]
mod keys;
#[cfg(all(target_os = "linux", feature = "keys"))]
mod keys_support;
mod ls;
#[cfg(all(target_os = "linux", feature = "find"))]
mod pager;
mod patterns;
#[cfg(all(target_os = "linux", feature = "keys"))]
mod pictures;
#[cfg(feature = "sealed")]
mod sealed;
#[cfg(all(feature = "find", not(feature = "sealed")))]
mod sealed_absent;
#[cfg(feature = "sealed")]
mod sealed_keys;
#[cfg(all(feature = "find", feature = "sealed"))]
mod sealed_reading;
#[cfg(feature = "sealed")]
mod sealed_support;
#[cfg(all(target_os = "linux", feature = "find"))]
mod settings;
#[cfg(feature = "find")]
mod stats;
#[cfg(all(target_os = "linux", feature = "collect", feature = "follow"))]
mod stats_export;
#[cfg(feature = "find")]
mod stats_page;
#[cfg(all(target_os = "linux", feature = "follow"))]
mod stats_watch;
#[cfg(all(target_os = "linux", feature = "collect", feature = "follow"))]
mod support;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(feature = "find")]
mod trace;
#[cfg(feature = "find")]
mod trace_hostile;
#[cfg(feature = "find")]
mod trace_page;
mod usage;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory in which the binary runs.
struct Dir(TempDir);

/// What a run printed, and its exit status.
#[derive(Debug, PartialEq)]
struct Done {
    stdout: String,
    stderr: String,
    status: i32,
}

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spanline"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        done(self.command(args).output().unwrap())
    }
}

fn done(output: Output) -> Done {
    Done {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

fn printed(stdout: &str) -> Done {
    Done { stdout: stdout.into(), stderr: String::new(), status: 0 }
}

fn failed(stderr: &str) -> Done {
    Done { stdout: String::new(), stderr: stderr.into(), status: 1 }
}
