//! Where a secret comes from. It never comes from the command line itself, which other users can see.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::escape::escaped;
use crate::report::Report;

/// No key file is larger. What is larger is something else.
const MOST_BYTES: usize = 1 << 20;

/// One place of a secret.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// `-` stands for stdin.
    File(PathBuf),
    Descriptor(u32),
    Variable(String),
    /// Is run by `sh`. Its stdin and stderr are those of this program, so that it can ask for something.
    Command(String),
}

impl Source {
    /// Returns what is there; otherwise why not, with the place.
    pub(crate) fn read(&self, report: &Report) -> Result<Zeroizing<Vec<u8>>, String> {
        let read = match self {
            Self::File(path) if path == Path::new("-") => read(io::stdin().lock()),
            Self::File(path) => File::open(path).and_then(|file| {
                warn_of_readers(self, &file, report);
                read(file)
            }),
            Self::Descriptor(number) => descriptor(*number).and_then(read),
            Self::Variable(name) => match env::var_os(name) {
                Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
                None => Err(io::Error::other("it is not set")),
            },
            Self::Command(command) => run(command),
        };
        read.map_err(|error| format!("read {self}: {error}"))
    }

    /// Returns the passphrase that is there: its first line.
    pub(crate) fn passphrase(&self, report: &Report) -> Result<Zeroizing<String>, String> {
        let bytes = self.read(report)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("read {self}: expected a passphrase in UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        match text {
            "" => Err(format!("read {self}: expected a passphrase, found nothing")),
            text if text.contains('\n') => Err(format!("read {self}: expected one line, found more")),
            text => Ok(Zeroizing::new(text.to_owned())),
        }
    }
}

/// As it stands in messages.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) if path == Path::new("-") => write!(f, "stdin"),
            Self::File(path) => write!(f, "{}", escaped(path)),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Command(command) => write!(f, "the command `{command}`"),
        }
    }
}

/// Warns if other users can read or change the file of a secret.
#[cfg(unix)]
pub(crate) fn warn_of_readers(name: &dyn fmt::Display, file: &File, report: &Report) {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        report.note(&format!("warning: {name} is open to other users (mode {mode:04o}); change it with `chmod 600`"));
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_of_readers(_: &dyn fmt::Display, _: &File, _: &Report) {}

fn read(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Without growing, which would leave copies in memory that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    source.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_BYTES {
        return Err(io::Error::other("expected a key or a passphrase, found more than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn descriptor(number: u32) -> io::Result<File> {
    File::open(format!("/dev/fd/{number}"))
}

#[cfg(not(unix))]
fn descriptor(_: u32) -> io::Result<File> {
    Err(io::Error::other("descriptors can be passed on Unix only"))
}

fn run(command: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut child = Command::new("sh").arg("-c").arg(command).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().map_or_else(|| Ok(Zeroizing::default()), read);
    // The pipe is closed: it ends, also after too much output.
    let status = child.wait()?;
    let output = output?;
    if !status.success() {
        return Err(io::Error::other(format!("it failed with {status}")));
    }
    Ok(output)
}
