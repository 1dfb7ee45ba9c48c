//! A receiver that runs as a process, and senders that speak its protocols.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A fact that takes longer fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `fact` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "this did not happen in time: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Returns where a program is. Without it the test is left out, except in the gate, which installs it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|place| Path::new(place).join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing");
        println!("not tested: {name} is missing");
    }
    found
}

/// Runs a receiver that refuses its settings. Returns its exit status and what it said.
#[track_caller]
pub(crate) fn refused(folder: &Path, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanline"));
    let command = command.arg("collect").args(args).current_dir(folder).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it took {args:?}");
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A running receiver. It is killed when it is dropped.
pub(crate) struct Collector {
    child: Child,
    /// Where it listens, in the order of its arguments.
    pub(crate) addresses: Vec<String>,
    /// What it has said on stderr.
    said: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    /// Starts it in a directory, and waits until it listens.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spanline"));
        command.args(["collect", "--report", "json"]).args(args).current_dir(folder);
        Self::spawn(&mut command)
    }

    /// Starts a command, which runs it, and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (lines, to) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&said));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| to.lock().unwrap().push(line)));
        let mut collector = Self { child, addresses: Vec::new(), said };
        until("the receiver listens", || {
            let ended = collector.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {:?}", collector.said());
            let listening = collector.reports().find_map(|report| report.get("listening").cloned());
            collector.addresses = listening.map(|all| serde_json::from_value(all).unwrap()).unwrap_or_default();
            !collector.addresses.is_empty()
        });
        collector
    }

    /// Returns what follows the scheme of an address: `127.0.0.1:5170`.
    pub(crate) fn at(&self, index: usize) -> SocketAddr {
        self.addresses[index].split_once("://").unwrap().1.parse().unwrap()
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Returns the objects that it has printed.
    pub(crate) fn reports(&self) -> impl Iterator<Item = Value> + use<> {
        self.said().into_iter().filter_map(|line| serde_json::from_str(&line).ok())
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in good order, and returns its last report.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Value {
        let status = self.terminate();
        assert!(status.success(), "{status}: {:?}", self.said());
        until("the last report is there", || self.reports().any(|report| report.get("received").is_some()));
        self.reports().filter(|report| report.get("received").is_some()).last().unwrap()
    }

    /// Sends SIGTERM and waits.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the receiver ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the receiver said: {:#?}", self.said());
        }
    }
}

/// Returns the records in the files of a service, oldest first. A line that was torn by a kill is left out and counted.
pub(crate) fn records(folder: &Path, service: &str) -> (Vec<Value>, usize) {
    let text = std::fs::read(folder.join(format!("{service}.log"))).unwrap_or_default();
    let mut torn = 0;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.filter_map(|line| {
        let record: Option<Value> = serde_json::from_slice(line).ok();
        torn += usize::from(record.is_none());
        // The log's own lines have no message of a sender.
        record
    });
    let records = records.collect();
    (records, torn)
}

/// Returns the messages of a service.
pub(crate) fn messages(folder: &Path, service: &str) -> Vec<String> {
    let (records, torn) = records(folder, service);
    assert_eq!(torn, 0);
    records.iter().map(|record| record["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Returns a frame: its length in four bytes, and its text.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

/// Connects, as soon as the receiver listens.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = None;
    until("a connection", || {
        stream = TcpStream::connect(address).ok();
        stream.is_some()
    });
    let stream = stream.unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads the acknowledgements that are there until the count reaches `frames`, or the receiver hangs up. Returns the count.
pub(crate) fn acknowledged(stream: &mut TcpStream, frames: u32) -> u32 {
    let mut count = 0;
    let mut number = [0; 4];
    while count < frames && stream.read_exact(&mut number).is_ok() {
        let next = u32::from_be_bytes(number);
        assert!(next > count && next <= frames, "acknowledged {next} after {count}, of {frames}");
        count = next;
    }
    count
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends a POST request over a new connection.
pub(crate) fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = connect(address);
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // It may answer before it has read everything.
    let _ = stream.write_all(body);
    answer(&mut stream)
}

/// Reads an answer up to the end of the connection.
pub(crate) fn answer(stream: &mut impl Read) -> Answer {
    let mut text = Vec::new();
    // A reset after the answer takes nothing away.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into()));
    Answer { status, headers: headers.collect(), body: body.into() }
}
