//! The other ends of what the programs of `operators` find as their standard streams.
#![cfg(all(target_os = "linux", feature = "signals"))]
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::process::operators_acts::JOURNAL;
use crate::support::wait::{PATIENCE, until};

/// Makes what the program gets, and what happens at the other end. It gets the log's directory.
pub(crate) type Peer = fn(&Path) -> (OwnedFd, Box<dyn FnOnce() + Send>);

/// What the peers have read.
pub(crate) const OUT: &str = "out";

fn stream(directory: &Path, acts: fn(UnixStream, PathBuf)) -> (OwnedFd, Box<dyn FnOnce() + Send>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let directory = directory.to_owned();
    (theirs.into(), Box::new(move || acts(ours, directory)))
}

fn read_all(mut from: impl Read, directory: &Path) {
    let mut text = Vec::new();
    from.read_to_end(&mut text).unwrap();
    fs::write(directory.join(OUT), text).unwrap();
}

fn read_line(from: UnixStream, directory: &Path) {
    let mut line = String::new();
    BufReader::new(from).read_line(&mut line).unwrap();
    fs::write(directory.join(OUT), line).unwrap();
}

/// Reads all.
pub(crate) const READER: Peer = |directory| stream(directory, |ours, directory| read_all(ours, &directory));

/// Reads a little at a time.
pub(crate) const SLOW: Peer = |directory| {
    stream(directory, |mut ours, directory| {
        let mut out = File::create(directory.join(OUT)).unwrap();
        let mut bytes = [0; 100];
        loop {
            match ours.read(&mut bytes).unwrap() {
                0 => break,
                length => out.write_all(&bytes[..length]).unwrap(),
            }
        }
    })
};

/// Reads one line and goes away.
pub(crate) const LEAVES: Peer = |directory| stream(directory, |ours, directory| read_line(ours, &directory));

/// Reads one line, goes away, and reads what comes from a new connection.
pub(crate) const RESTARTS: Peer = |directory| {
    let listener = UnixListener::bind(directory.join(JOURNAL)).unwrap();
    let (theirs, leaves) = LEAVES(directory);
    let directory = directory.to_owned();
    let acts = move || {
        leaves();
        read_all(listener.accept().unwrap().0, &directory);
    };
    (theirs, Box::new(acts))
};

/// Reads nothing until the program has ended.
pub(crate) const STUCK: Peer = |directory| {
    stream(directory, |ours, _| {
        until("the end of the program", || {
            let mut ends = [PollFd::new(&ours, PollFlags::empty())];
            poll(&mut ends, Some(&Timespec::default())).unwrap();
            ends[0].revents().contains(PollFlags::HUP)
        });
    })
};

/// A client that asks and gets its answer, and nothing else.
pub(crate) const CLIENT: Peer = |directory| {
    stream(directory, |mut ours, _| {
        ours.write_all(b"request\n").unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer\n");
    })
};

/// A client of an unconnected socket.
pub(crate) const DATAGRAM: Peer = |_| {
    let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    ours.send_to(b"request\n", theirs.local_addr().unwrap()).unwrap();
    let acts = move || {
        let mut answer = [0; 64];
        let (length, _) = ours.recv_from(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"answer\n");
    };
    (theirs.into(), Box::new(acts))
};

/// The same, and no answer comes.
pub(crate) const SILENT: Peer = |_| (UdpSocket::bind("127.0.0.1:0").unwrap().into(), Box::new(|| ()));

/// A pipe that does not block, because another process that has it says so, and that is read late.
pub(crate) const LATE: Peer = |directory| {
    let (ours, theirs) = std::io::pipe().unwrap();
    // SAFETY: the call sets a flag of the descriptor.
    unsafe { libc::fcntl(theirs.as_fd().as_raw_fd(), libc::F_SETFL, libc::O_WRONLY | libc::O_NONBLOCK) };
    let directory = directory.to_owned();
    let acts = move || {
        until("the full pipe", || directory.join("full").exists());
        read_all(ours, &directory);
    };
    (theirs.into(), Box::new(acts))
};

/// A terminal that hangs up when the program has logged.
pub(crate) const TERMINAL: Peer = |directory| {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOCTTY);
    let terminal = options.read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let directory = directory.to_owned();
    let acts = move || {
        until("the lines", || directory.join("logged").exists());
        drop(master);
    };
    (terminal.into(), Box::new(acts))
};
