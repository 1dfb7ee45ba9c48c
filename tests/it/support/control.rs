//! A client of the control socket, and a service that logs until it is told to stop.
#![cfg(all(unix, feature = "control"))]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use spanline::Output;

use crate::support::process::{FILE, HOW, Running, child_command, file};
use crate::support::wait::{PATIENCE, until};

/// In a child: logs at each level until the file `stop` appears beside its log.
pub(crate) fn serve(builder: spanline::Builder) {
    let stop = PathBuf::from(std::env::var_os(FILE).unwrap()).with_extension("stop");
    let guard = builder.service("orders").filter("info").output(Output::new(file()).name("file")).init().unwrap();
    for number in 0_u64.. {
        tracing::error!(number, "an error");
        tracing::info!(number, "an info");
        tracing::debug!(number, "a debug");
        if stop.exists() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    drop(guard);
}

/// A directory with the sockets and logs of services.
pub(crate) struct Services(pub(crate) tempfile::TempDir);

impl Services {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The directory of the sockets.
    pub(crate) fn control(&self) -> PathBuf {
        self.0.path().join("control")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.log"))
    }

    pub(crate) fn command(&self, test: &str, name: &str) -> Command {
        self.prepared(child_command(test), name)
    }

    /// Prepares a child that serves.
    pub(crate) fn prepared(&self, mut command: Command, name: &str) -> Command {
        command.env(FILE, self.log(name)).env(HOW, "").env("SPANLINE_CONTROL", self.control());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    }

    /// Starts a service, and waits until it logs.
    pub(crate) fn start(&self, test: &str, name: &str) -> Running {
        let child = Running::start(self.command(test, name));
        until("it logs", || self.text(name).lines().count() > 2);
        child
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    pub(crate) fn stop(&self, name: &str) {
        std::fs::write(self.log(name).with_extension("stop"), "").unwrap();
    }

    pub(crate) fn socket(&self, pid: u32) -> PathBuf {
        self.control().join(format!("orders.{pid}.sock"))
    }

    pub(crate) fn sockets(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.control());
        let names = entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Asks a service, and returns its answer.
    #[track_caller]
    pub(crate) fn ask(&self, pid: u32, request: &Value) -> Value {
        ask_at(&self.socket(pid), request)
    }
}

/// A request with its version.
pub(crate) fn request(name: &str, mut rest: Value) -> Value {
    rest["version"] = 1.into();
    rest["request"] = name.into();
    rest
}

pub(crate) fn set_filter(filter: &str) -> Value {
    request("set_filter", json!({ "filter": filter }))
}

#[track_caller]
pub(crate) fn ask_at(socket: &Path, request: &Value) -> Value {
    let stream = connect(socket);
    let line = send(&stream, request.to_string().as_bytes());
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[track_caller]
pub(crate) fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a line, and returns the answer; empty if the connection is closed.
pub(crate) fn send(mut stream: &UnixStream, request: &[u8]) -> String {
    let mut answer = String::new();
    let sent = stream.write_all(&[request, b"\n"].concat());
    if sent.is_ok() {
        let _ = BufReader::new(stream).read_line(&mut answer);
    }
    answer
}
