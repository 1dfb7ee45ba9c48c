//! What a local attacker, or a mistake, may leave in a log's directory. Each row is one attack and its outcome;
//! `hostile_directory` plays them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::log_directory::set_mode;

/// Who plants something.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum By {
    Attacker,
    /// The service's own user, by mistake or through another program.
    Service,
    /// The administrator.
    Root,
}

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// The start fails with an error that says this.
    Refused(&'static str),
    /// All lines are written, rotated and compressed. A complaint says this; none if it is empty.
    Works(&'static str),
}
use By::{Attacker, Root, Service};
use Outcome::{Refused, Works};

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    /// Gets the log's directory.
    pub(crate) plant: fn(&Path),
    /// The path that the service logs to, below that directory.
    pub(crate) log: &'static str,
    pub(crate) outcome: Outcome,
}

const fn attack(name: &'static str, by: By, plant: fn(&Path), outcome: Outcome) -> Attack {
    Attack { name, by, plant, log: "orders.log", outcome }
}

const fn through(log: &'static str, name: &'static str, by: By, plant: fn(&Path), outcome: Outcome) -> Attack {
    Attack { name, by, plant, log, outcome }
}

/// The segment that the service has from an earlier run, and the one that it closes next.
pub(crate) const OLD: &str = "orders.2026-01-01T000000-000001.log";
const NEXT: &str = "orders.2026-11-20T120000-000002.log";

const FOREIGN: &str = "it belongs to another user (uid 40401)";
const LINK: &str = "it is a symbolic link";

/// Every attack, what it is, and what becomes of it.
pub(crate) const ATTACKS: &[Attack] = &[
    // The attacks of the report.
    attack("a setuid segment", Attacker, |d| setuid(&d.join("orders.2020-01-01T000000-000001.log")), Works(FOREIGN)),
    attack("a 0666 file at the active path", Attacker, |d| file(&d.join("orders.log"), 0o666), Refused(FOREIGN)),
    attack("the largest sequence", Attacker, |d| file(&d.join(last_sequence()), 0o644), Works(FOREIGN)),
    attack(
        "a segment dated 9999",
        Attacker,
        |d| file(&d.join("orders.9999-12-31T235959-000001.log"), 0o644),
        Works(FOREIGN),
    ),
    attack(
        "a compressed file of the right length",
        Attacker,
        |d| packed(&d.join(format!("{OLD}.gz")), "bad\n"),
        Works(FOREIGN),
    ),
    attack(
        "a hard link to a file of the same user",
        Root,
        |d| fs::hard_link(victim(d), d.join("orders.log")).unwrap(),
        Refused("it has 2 hard links"),
    ),
    through(
        "link/orders.log",
        "a directory that is a link",
        Attacker,
        |d| symlink(private(d), d.join("link")).unwrap(),
        Refused("symbolic link that another user (uid 40401) made"),
    ),
    attack("a lock file", Attacker, |d| file(&d.join(".orders.log.lock"), 0o666), Refused(FOREIGN)),
    // Links.
    attack("a link at the active path", Attacker, |d| symlink(victim(d), d.join("orders.log")).unwrap(), Refused(LINK)),
    attack(
        "a chain of links at the active path",
        Attacker,
        |d| chain(&d.join("orders.log"), &victim(d)),
        Refused(LINK),
    ),
    attack(
        "a dangling link at the active path",
        Attacker,
        |d| symlink("nowhere", d.join("orders.log")).unwrap(),
        Refused(LINK),
    ),
    attack(
        "a link at the lock file",
        Attacker,
        |d| symlink(victim(d), d.join(".orders.log.lock")).unwrap(),
        Refused(LINK),
    ),
    attack("a link at the next segment", Attacker, |d| symlink(victim(d), d.join(NEXT)).unwrap(), Works(LINK)),
    attack(
        "a link at the next compressed file",
        Attacker,
        |d| symlink(victim(d), d.join(format!("{NEXT}.gz"))).unwrap(),
        Works(LINK),
    ),
    attack(
        "a link at the temporary file",
        Attacker,
        |d| symlink(victim(d), d.join(format!(".{NEXT}.gz.tmp"))).unwrap(),
        Works(LINK),
    ),
    attack(
        "a link that looks like an old segment",
        Attacker,
        |d| symlink(victim(d), d.join("orders.2020-01-01T000000-000003.log")).unwrap(),
        Works(LINK),
    ),
    through(
        "one/orders.log",
        "a chain of directories that begins with an own link",
        Service,
        chain_over_attacker,
        Refused("symbolic link that another user (uid 40401) made"),
    ),
    through(
        "one/orders.log",
        "a circle of directory links",
        Service,
        circle,
        Refused("Too many levels of symbolic links"),
    ),
    through(
        "link/orders.log",
        "an own link to a directory",
        Service,
        |d| symlink(private(d), d.join("link")).unwrap(),
        Works(""),
    ),
    through(
        "link/orders.log",
        "root's link to a directory",
        Root,
        |d| symlink(private(d), d.join("link")).unwrap(),
        Works(""),
    ),
    through(
        "link/../d/orders.log",
        "root's link and the way back",
        Root,
        |d| symlink(private(d), d.join("link")).unwrap(),
        Works(""),
    ),
    // Pipes, sockets, devices: opening one must not block.
    attack("a FIFO at the active path", Attacker, |d| fifo(&d.join("orders.log")), Refused("not a regular file")),
    attack("a FIFO at the lock file", Attacker, |d| fifo(&d.join(".orders.log.lock")), Refused("not a regular file")),
    attack("a FIFO at the next segment", Attacker, |d| fifo(&d.join(NEXT)), Works("not a regular file")),
    attack(
        "a FIFO at an old segment",
        Attacker,
        |d| fifo(&d.join("orders.2020-01-01T000000-000007.log")),
        Works("not a regular file"),
    ),
    attack(
        "a FIFO at a compressed file",
        Attacker,
        |d| fifo(&d.join(format!("{OLD}.gz"))),
        Works("not a regular file"),
    ),
    attack(
        "a FIFO at the temporary file",
        Attacker,
        |d| fifo(&d.join(format!(".{OLD}.gz.tmp"))),
        Works("not a regular file"),
    ),
    attack("a socket at the active path", Attacker, |d| socket(&d.join("orders.log")), Refused("not a regular file")),
    attack("a socket at the next segment", Attacker, |d| socket(&d.join(NEXT)), Works("not a regular file")),
    attack("a device at the active path", Root, |d| device(&d.join("orders.log")), Refused("not a regular file")),
    attack(
        "a device at an old segment",
        Root,
        |d| device(&d.join("orders.2020-01-01T000000-000004.log")),
        Works("not a regular file"),
    ),
    // Directories.
    attack(
        "a directory at the active path",
        Attacker,
        |d| fs::create_dir(d.join("orders.log")).unwrap(),
        Refused("it is a directory"),
    ),
    attack(
        "a directory at the lock file",
        Attacker,
        |d| fs::create_dir(d.join(".orders.log.lock")).unwrap(),
        Refused("it is a directory"),
    ),
    attack(
        "a directory at the next segment",
        Attacker,
        |d| fs::create_dir(d.join(NEXT)).unwrap(),
        Works("it is a directory"),
    ),
    attack(
        "a directory at the temporary file",
        Attacker,
        |d| fs::create_dir(d.join(format!(".{NEXT}.gz.tmp"))).unwrap(),
        Works("it is a directory"),
    ),
    // Names.
    attack(
        "a compressed setuid segment",
        Attacker,
        |d| setuid(&d.join("orders.2020-01-01T000000-000001.log.gz")),
        Works(FOREIGN),
    ),
    attack(
        "the temporary file of the next segment",
        Attacker,
        |d| file(&d.join(format!(".{NEXT}.gz.tmp")), 0o666),
        Works(FOREIGN),
    ),
    attack("the names of the next fifty segments", Attacker, next_fifty, Works(FOREIGN)),
    attack("a thousand segments", Attacker, thousand, Works("; and 999 more")),
    attack("a segment's name with a newline", Attacker, |d| file(&d.join(format!("{NEXT}\n")), 0o644), Works("")),
    attack("neighbours with similar names", Attacker, neighbours, Works("")),
    // The service's own files, in a state that is not as it left them.
    attack("an own setuid segment", Service, |d| setuid(&d.join("orders.2026-01-02T000000-000001.log")), Works("")),
    attack(
        "an own segment with the largest sequence",
        Service,
        |d| file(&d.join(last_sequence()), 0o600),
        Works("leaves no room for a successor"),
    ),
    attack(
        "an own segment dated 9999",
        Service,
        |d| file(&d.join("orders.9999-12-31T235959-000001.log"), 0o600),
        Works("leaves no room for a successor"),
    ),
    #[cfg(feature = "gzip")]
    attack(
        "an own compressed file of the right length",
        Service,
        |d| packed(&d.join(format!("{OLD}.gz")), "bad\n"),
        Works("holds something else"),
    ),
    #[cfg(feature = "gzip")]
    attack(
        "an own segment with a second name",
        Service,
        |d| fs::hard_link(d.join(OLD), d.join("backup")).unwrap(),
        Works("it has 2 hard links"),
    ),
    attack("an own active file that all may write to", Service, |d| file(&d.join("orders.log"), 0o666), Works("")),
    attack(
        "an own directory at a segment's name",
        Service,
        |d| fs::create_dir(d.join("orders.2020-01-01T000000-000001.log")).unwrap(),
        Works(""),
    ),
];

fn file(path: &Path, mode: u32) {
    fs::write(path, "planted\n").unwrap();
    set_mode(path, mode);
}

pub(crate) fn setuid(path: &Path) {
    fs::write(path, "#!/bin/sh\n").unwrap();
    set_mode(path, 0o4777);
}

fn last_sequence() -> String {
    format!("orders.2020-01-01T000000-{}.log", u64::MAX)
}

fn packed(path: &Path, text: &str) {
    let bytes = {
        #[cfg(feature = "gzip")]
        {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        #[cfg(not(feature = "gzip"))]
        text.as_bytes().to_vec()
    };
    fs::write(path, bytes).unwrap();
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

/// `/dev/zero`, which would never end.
fn device(path: &Path) {
    let made = Command::new("mknod").arg(path).args(["c", "1", "5"]).status().unwrap();
    assert!(made.success(), "root makes no device here");
    set_mode(path, 0o666);
}

fn chain(from: &Path, to: &Path) {
    let (first, second) = (from.with_extension("1"), from.with_extension("2"));
    symlink(to, &first).unwrap();
    symlink(&first, &second).unwrap();
    symlink(&second, from).unwrap();
}

/// The service's link leads to one that the attacker has made.
fn chain_over_attacker(directory: &Path) {
    symlink(directory.join("two"), directory.join("one")).unwrap();
}

fn circle(directory: &Path) {
    symlink("three", directory.join("one")).unwrap();
    symlink("one", directory.join("three")).unwrap();
}

fn next_fifty(directory: &Path) {
    (1..=50).for_each(|n| file(&directory.join(format!("orders.2026-11-20T120000-{n:06}.log")), 0o644));
}

fn thousand(directory: &Path) {
    (1..=1000).for_each(|n| file(&directory.join(format!("orders.2020-01-01T000000-{n:06}.log")), 0o4777));
}

fn neighbours(directory: &Path) {
    for name in ["orders.log.1", "orders.log.bak", "orders.2026-11-20T120000-2.log", "orders.secret.log"] {
        file(&directory.join(name), 0o4777);
    }
}

/// A directory of the service beside the log's.
pub(crate) fn private(directory: &Path) -> PathBuf {
    directory.with_file_name("private")
}

/// A file of the service in it.
pub(crate) fn victim(directory: &Path) -> PathBuf {
    private(directory).join("victim")
}
