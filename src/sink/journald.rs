//! systemd's journal, by its native protocol: one datagram for each line.
//!
//! An entry that does not fit into a datagram is written into a sealed file in memory, whose descriptor is sent instead.
//! Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::net::HeldSocket;
use super::reconnect::Reconnect;
use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;
use crate::schema::JournalEntry;

/// The journal reads at its own pace. When its queue is full, a call waits this long and is then tried again.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Writes to systemd's journal with structured fields, for services under systemd.
///
/// A field is in upper case there: `tenant` is `TENANT`, and `journalctl TENANT=acme` finds its lines. A name that the journal
/// or spanline gives a meaning, or that begins with a digit or `_`, gets the prefix `F_`. The output's schema is the sink's.
/// The journal discards entries with more than 1,024 fields: those beyond 1,000 are lines of the field `MORE_FIELDS`.
///
/// A line counts as written once it is in the queue of the journal's socket. It survives a restart of the journal, because
/// systemd keeps the socket. It does not survive the end of the machine: see `SyncIntervalSec` in `journald.conf(5)`.
///
/// ```no_run
/// use spanline::{Output, sink::Journald};
///
/// let guard = spanline::builder().service("orders").output(Output::new(Journald::new())).init()?;
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// # Source
/// <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>
pub struct Journald {
    path: PathBuf,
    identifier: Option<String>,
    socket: Option<HeldSocket<UnixDatagram>>,
    reconnect: Reconnect,
}

impl Journald {
    /// The socket of the journal.
    pub const DEFAULT_SOCKET: &str = "/run/systemd/journal/socket";

    /// Makes a sink for the machine's journal.
    pub fn new() -> Self {
        Self { path: Self::DEFAULT_SOCKET.into(), identifier: None, socket: None, reconnect: Reconnect::default() }
    }

    /// Sets the socket, such as that of a log namespace: `/run/systemd/journal.NAMESPACE/socket`.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets the program's name in the journal, `SYSLOG_IDENTIFIER`. By default, it is the builder's service, else the journal
    /// shows the name of the executable.
    pub fn identifier(mut self, identifier: impl Into<String>) -> Self {
        self.identifier = Some(identifier.into());
        self
    }

    fn failed(&mut self, what: &str, error: io::Error) -> Error {
        self.socket = None;
        self.reconnect.failed(Instant::now());
        Error::io(format!("{what} {}", self.path.display()), error)
    }

    fn connect(&mut self) -> Result<(), Error> {
        let connected = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(MAX_WAIT))?;
            socket.connect(&self.path)?;
            HeldSocket::new(socket)
        });
        self.socket = Some(connected.map_err(|error| self.failed("connect to the journal at", error))?);
        Ok(())
    }
}

impl Default for Journald {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Journald {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if let Some(at) = self.reconnect.wait(Instant::now(), lines.ends_at()) {
            return Ok(Next::Later(at));
        }
        if self.socket.is_none() {
            self.connect()?;
        }
        while let (Some(socket), Some(line)) = (&self.socket, lines.first()) {
            match socket.get().and_then(|socket| send(socket, line.bytes)) {
                Ok(()) => lines.advance(line.bytes.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(Error::io(format!("the journal at {} takes no lines", self.path.display()), error));
                }
                // The others follow.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    return Err(Error::rejected(format!(
                        "the journal takes no line of {} bytes: {error}",
                        line.bytes.len()
                    )));
                }
                Err(error) => return Err(self.failed("write to the journal at", error)),
            }
            self.reconnect.succeeded();
        }
        Ok(Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open => self.connect(),
            Control::Reopen | Control::Forked => {
                self.socket = None;
                self.reconnect.hurry();
                Ok(())
            }
            Control::Flush | Control::Close => {
                self.reconnect.hurry();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn profile(&self) -> Profile {
        Profile::new("journald").fixed_schema(JournalEntry::new(self.identifier.clone())).logs_nothing()
    }
}

impl fmt::Debug for Journald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journald").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Sends an entry: as a datagram, or in a file in memory if it is too large for one.
fn send(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    match socket.send(entry) {
        Ok(sent) if sent < entry.len() => Err(io::Error::other("the journal took part of an entry")),
        Ok(_) => Ok(()),
        Err(error) if is_too_large(&error) => {
            // Where a sandbox forbids files in memory, that does not change.
            let named = |error: io::Error| match error.kind() {
                ErrorKind::PermissionDenied => io::Error::new(ErrorKind::Unsupported, error),
                _ => error,
            };
            send_file(socket, &sealed(entry).map_err(named)?)
        }
        Err(error) => Err(error),
    }
}

/// Returns whether an entry does not fit into a datagram, or into the socket's buffer.
fn is_too_large(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(code, Some(rustix::io::Errno::MSGSIZE | rustix::io::Errno::NOBUFS))
}

/// Returns a file in memory that nobody can change, which the journal demands.
fn sealed(entry: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("spanline-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(entry)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(file.into())
}

fn send_file(socket: &UnixDatagram, file: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    if !message.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no space for a descriptor"));
    }
    sendmsg(socket, &[IoSlice::new(&[])], &mut message, SendFlags::empty())?;
    Ok(())
}
