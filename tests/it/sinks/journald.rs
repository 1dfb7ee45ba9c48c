//! Entries of systemd's journal: a journal made here reads the socket by the rules of the protocol, and systemd's programs
//! read what it got.

use std::fs::File;
use std::io::{IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;
use spanline::sink::{Journald, Memory};
use spanline::{Builder, Guard, Output};
use tempfile::TempDir;
use tracing::{Dispatch, error, info, info_span, warn};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
#[cfg(target_os = "linux")]
use crate::support::seccomp::refuse;
use crate::support::stage::{fixed, messages};
use crate::support::wait::{PATIENCE, until};

/// The largest datagram that is read at once.
const MAX_BYTES: usize = 1 << 20;

/// A field of an entry.
type Field = (String, Vec<u8>);

/// Reads the socket as journald does.
struct Journal {
    folder: TempDir,
    socket: UnixDatagram,
    /// The entries as they came.
    raw: Vec<Vec<u8>>,
}

impl Journal {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = Self::bind(&folder.path().join("socket"));
        Self { folder, socket, raw: Vec::new() }
    }

    fn bind(path: &Path) -> UnixDatagram {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn sink(&self) -> Journald {
        Journald::new().socket(self.path())
    }

    /// The next entry: a datagram, or a sealed file that came with an empty one.
    fn next(&mut self) -> Vec<Field> {
        let mut bytes = vec![0; MAX_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty()).unwrap();
        bytes.truncate(received.bytes);
        for message in control.drain() {
            let RecvAncillaryMessage::ScmRights(mut files) = message else { panic!("not a descriptor") };
            let mut file = File::from(files.next().unwrap());
            assert!(bytes.is_empty());
            let seals = fcntl_get_seals(&file).unwrap();
            assert!(seals.contains(SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE), "{seals:?}");
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
        }
        let fields = parse(&bytes);
        self.raw.push(bytes);
        fields
    }

    /// What `journalctl` shows of the entries so far, by systemd's own programs.
    fn journalctl(&self) -> Option<Vec<Value>> {
        let remote = "/lib/systemd/systemd-journal-remote";
        if !Path::new(remote).exists() {
            assert!(std::env::var_os("CI").is_none(), "{remote} is missing, which .ci/run installs");
            eprintln!("not tested: {remote} is missing");
            return None;
        }
        let (export, journal) = (self.folder.path().join("export"), self.folder.path().join("it.journal"));
        let mut file = File::create(&export).unwrap();
        for (number, entry) in self.raw.iter().enumerate() {
            write!(file, "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={number}\n", 1_795_169_738_000_000 + number)
                .unwrap();
            writeln!(file, "_BOOT_ID=0123456789abcdef0123456789abcdef").unwrap();
            file.write_all(entry).unwrap();
            file.write_all(b"\n").unwrap();
        }
        let imported = Command::new(remote).arg("-o").arg(&journal).arg(&export).output().unwrap();
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let shown =
            Command::new("journalctl").arg("--file").arg(&journal).args(["-o", "json", "--all"]).output().unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let text = String::from_utf8(shown.stdout).unwrap();
        Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// Parses an entry strictly: each name as the journal demands, each length exact, a newline after each value.
fn parse(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a newline");
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        let (name, value, rest) = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => (&line[..at], &line[at + 1..], rest),
            None => {
                let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
                assert_eq!(rest[8 + length], b'\n');
                (line, &rest[8..8 + length], &rest[9 + length..])
            }
        };
        let name = String::from_utf8(name.to_vec()).unwrap();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(is_plain && name.as_bytes()[0].is_ascii_uppercase() && name.len() <= 64, "{name:?}");
        fields.push((name, value.to_vec()));
        bytes = rest;
    }
    fields
}

/// The only value of a field.
#[track_caller]
fn value<'f>(fields: &'f [Field], name: &str) -> &'f str {
    let values: Vec<_> = fields.iter().filter(|field| field.0 == name).map(|field| &field.1).collect();
    let [value] = values[..] else { panic!("{name}: {} values in {fields:?}", values.len()) };
    std::str::from_utf8(value).unwrap()
}

fn start(builder: Builder) -> (Dispatch, Guard) {
    let (layer, guard) = builder.build().unwrap();
    (Dispatch::new(tracing_subscriber::registry().with(layer)), guard)
}

#[test]
fn an_entry_has_the_fields_that_the_journal_and_its_readers_know() {
    let mut journal = Journal::start();
    let (dispatch, guard) = start(fixed().service("orders").output(Output::new(journal.sink())));
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("request", request_id = "r-1", tenant = "acme");
        span.in_scope(|| {
            warn!(count = 3, ratio = 0.5, "http.status" = 503, "over the limit");
            let failed = std::io::Error::other("database is away");
            error!(error = &failed as &dyn std::error::Error, "first line\nsecond \x1b[31mline\x1b[0m\tend");
            info!(message = "forged", priority = 0, MESSAGE = "x\nPRIORITY=0", _pid = 1, "7up" = true, "plain");
        });
    });
    guard.close().unwrap();
    let entry = journal.next();
    for (name, expected) in [
        ("MESSAGE", "over the limit"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "orders"),
        ("SERVICE", "orders"),
        ("REQUEST_ID", "r-1"),
        ("TENANT", "acme"),
        ("COUNT", "3"),
        ("RATIO", "0.5"),
        ("HTTP_STATUS", "503"),
        ("SPANS", "request"),
        ("TARGET", module_path!()),
        ("CODE_FILE", file!()),
        ("TIMESTAMP", "2026-11-20T10:15:38.123456Z"),
    ] {
        assert_eq!(value(&entry, name), expected, "{name}");
    }
    assert_eq!((value(&entry, "TRACE_ID").len(), value(&entry, "SPAN_ID").len()), (32, 16));
    let entry = journal.next();
    assert_eq!(value(&entry, "MESSAGE"), "first line\nsecond \\u{1b}[31mline\\u{1b}[0m\tend");
    assert_eq!((value(&entry, "PRIORITY"), value(&entry, "ERROR")), ("3", "database is away"));
    let entry = journal.next();
    assert_eq!((value(&entry, "MESSAGE"), value(&entry, "PRIORITY")), ("plain", "6"));
    assert_eq!((value(&entry, "F_PRIORITY"), value(&entry, "F_7UP")), ("0", "true"));
    assert_eq!(value(&entry, "F__PID"), "1");

    let Some(shown) = journal.journalctl() else { return };
    assert_eq!(shown.len(), 3);
    assert_eq!((&shown[0]["TENANT"], &shown[0]["PRIORITY"]), (&"acme".into(), &"4".into()));
    assert_eq!(shown[1]["MESSAGE"], "first line\nsecond \\u{1b}[31mline\\u{1b}[0m\tend");
    assert_eq!((&shown[2]["MESSAGE"], &shown[2]["PRIORITY"]), (&"plain".into(), &"6".into()));
}

#[test]
fn a_line_that_is_too_large_for_a_datagram_comes_in_a_sealed_file() {
    let mut journal = Journal::start();
    let (dispatch, guard) = start(fixed().max_line_bytes(2 << 20).output(Output::new(journal.sink())));
    let text = "an entry \n".repeat(60_000);
    tracing::dispatcher::with_default(&dispatch, || {
        info!("{text}");
        info!("small");
    });
    assert_eq!(value(&journal.next(), "MESSAGE"), text);
    assert_eq!(value(&journal.next(), "MESSAGE"), "small");
    guard.close().unwrap();
}

/// As in a sandbox that forbids files in memory: a line that needs one is lost, which is counted, and holds up no other.
#[cfg(target_os = "linux")]
#[test]
fn promise_41_a_line_that_the_system_cannot_pass_on_does_not_hold_up_the_others() {
    child(this_test!(), &[], || {
        refuse(libc::SYS_memfd_create, None, libc::EPERM);
        let mut journal = Journal::start();
        let (subscriber, guard) = start(fixed().max_line_bytes(8 << 20_u64).output(Output::new(journal.sink())));
        let large = "x".repeat(4 << 20);
        tracing::dispatcher::with_default(&subscriber, || {
            info!("before");
            info!(large, "large");
            info!("after");
        });
        let before = journal.next();
        let after = journal.next();
        assert_eq!((value(&before, "MESSAGE"), value(&after, "MESSAGE")), ("before", "after"));
        guard.handle().flush(PATIENCE).unwrap();
        let books = guard.handle().metrics().outputs.remove(0);
        assert_eq!((books.written.total(), books.dropped.total()), (2, 1), "{books:#?}");
        guard.close().unwrap();
    });
}

#[test]
fn promise_41_a_journal_that_is_away_or_stuck_delays_nobody_and_gets_all_lines_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let memory = Memory::new();
    let output = Output::new(Journald::new().socket(&path)).name("journal");
    // It is away when the log starts.
    let (dispatch, guard) = start(fixed().output(output).output(Output::new(memory.clone())));
    let log = |text: &str| tracing::dispatcher::with_default(&dispatch, || info!("{text}"));
    let failures = || guard.handle().metrics().output("journal").unwrap().retries;
    log("0");
    until("an attempt to fail", || failures() > 0);
    let socket = Journal::bind(&path);
    let mut journal = Journal { folder, socket, raw: Vec::new() };
    assert_eq!(value(&journal.next(), "MESSAGE"), "0");
    // It restarts with another socket.
    std::fs::remove_file(&path).unwrap();
    journal.socket = Journal::bind(&path);
    log("1");
    assert_eq!(value(&journal.next(), "MESSAGE"), "1");
    // It reads nothing until the other output has all lines. Its queue takes fewer.
    let many = 2_000;
    (2..many).for_each(|number| log(&number.to_string()));
    until("the other output to have all", || messages(&memory).len() >= many);
    for number in 2..many {
        assert_eq!(value(&journal.next(), "MESSAGE"), number.to_string());
    }
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics();
    assert_eq!(metrics.output("journal").unwrap().written.total(), many as u64);
    assert_eq!(metrics.dropped(), 0);
}

#[test]
fn promise_41_the_end_keeps_its_deadline_with_a_journal_that_reads_nothing() {
    let journal = Journal::start();
    let wait = Duration::from_millis(300);
    let (dispatch, guard) = start(fixed().shutdown_timeout(wait, wait).output(Output::new(journal.sink())));
    tracing::dispatcher::with_default(&dispatch, || (0..2_000).for_each(|number| info!(number, "x")));
    let (handle, begun) = (guard.handle(), std::time::Instant::now());
    let lost = guard.close().unwrap_err().unwritten_lines().unwrap();
    assert!(begun.elapsed() < PATIENCE);
    let metrics = handle.metrics();
    let written = metrics.outputs[0].written.total();
    assert!(lost > 0 && metrics.dropped() == lost && written + lost == 2_000, "{lost} of {metrics:?}");
}

#[test]
fn an_output_with_another_schema_is_an_error() {
    let output = Output::new(Journald::new()).schema(spanline::schema::Flat::new());
    let error = fixed().output(output).build::<tracing_subscriber::Registry>().err().unwrap().to_string();
    assert!(error.contains("remove `Output::schema`"), "{error}");
}
