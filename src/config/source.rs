//! Where a configuration comes from, and which files are trusted.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::advice::quoted;
use crate::error::Error;
use crate::settings::{Text, is_json};

/// A larger file is no configuration.
const MAX_BYTES: u64 = 1 << 20;

/// The variable with the path of the file.
pub(super) const CONFIG: &str = "SPANLINE_CONFIG";
/// The variable with the name of the environment.
pub(super) const ENVIRONMENT: &str = "SPANLINE_ENV";

/// What stands for the environment in a path.
const PLACE: &str = "{env}";
/// What stands there if no environment is selected.
const DEFAULT: &str = "default";

/// Reads a variable; `None` if it is not set or empty.
///
/// # Errors
/// It is not UTF-8.
pub(super) fn variable(name: &str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not UTF-8"))),
    }
}

/// What is said about a variable that is [foreign](is_foreign).
pub(super) const FOREIGN: &str = "SPANLINE_CONFIG is not used: the program has more rights than its user (it is setuid or \
                                  setgid, or has file capabilities), and that user has set the variable";

/// Returns whether a variable is set, and who started the program has fewer rights than it: the file of their choice would
/// decide which files it writes.
pub(super) fn is_foreign(name: &str) -> bool {
    #[cfg(unix)]
    let is_privileged = crate::process::is_privileged();
    #[cfg(not(unix))]
    let is_privileged = false;
    is_privileged && std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Puts the environment into a path.
///
/// # Errors
/// The environment's name would change the directory.
pub(super) fn path(text: &str, environment: Option<&str>) -> Result<PathBuf, Error> {
    let environment = environment.unwrap_or(DEFAULT);
    if text.contains(PLACE) && (environment.contains(['/', '\\', '\0']) || environment.starts_with('.')) {
        return Err(Error::invalid(format!(
            "the environment {} cannot be part of a path; expected a plain name such as `prod`",
            quoted(environment)
        )));
    }
    Ok(PathBuf::from(text.replace(PLACE, environment)))
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, is too large, is no regular file, or other users can write to it.
pub(super) fn read(path: &Path, allows_writers: bool) -> Result<Text, Error> {
    let name = path.display().to_string();
    let failed = |error| Error::io(format!("read the configuration {name}"), error).into_invalid();
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let refused = |why: String| Err(Error::invalid(format!("the configuration {name} is refused: {why}")));
    if !metadata.is_file() {
        return refused("it is not a regular file".to_owned());
    }
    if let Some(why) = distrust(&metadata).filter(|_| !allows_writers) {
        return refused(why);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return refused("it is larger than 1 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        failed(io::Error::new(ErrorKind::InvalidData, "it is not UTF-8; expected TOML or JSON in UTF-8"))
    })?;
    Ok(Text { name, text, is_json: is_json(path) })
}

/// Opens a file. A FIFO does not make it wait.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Returns why a file is not trusted: users other than root and the process's own can write to it.
#[cfg(unix)]
fn distrust(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    let fix = "or allow it with `Builder::allow_writable_file`";
    if metadata.uid() != own && metadata.uid() != 0 {
        let owner = metadata.uid();
        return Some(format!(
            "it belongs to another user (uid {owner}); expected a file of root or of uid {own}; change its owner, {fix}"
        ));
    }
    let mode = metadata.mode() & 0o777;
    (mode & 0o022 != 0).then(|| format!("other users can write to it (mode {mode:o}); run `chmod go-w` on it, {fix}"))
}

#[cfg(not(unix))]
fn distrust(_: &Metadata) -> Option<String> {
    None
}
