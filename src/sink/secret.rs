//! Passwords, tokens and keys in the settings of sinks. They appear in no text that the log writes.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

/// A password, token or key in the settings of a sink, or where to read it. Its `Debug` form does not show it.
///
/// ```
/// use spanline::sink::Secret;
///
/// let token = Secret::file("/run/secrets/collector-token");
/// assert_eq!(format!("{:?}", Secret::text("hunter2")), "Secret(text)");
/// # let _ = token;
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Place>);

/// A larger file holds something else.
const MAX_BYTES: u64 = 64 << 10;

enum Place {
    Text(String),
    File(PathBuf),
    Variable(String),
}

impl Secret {
    /// Makes one from its text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Arc::new(Place::Text(text.into())))
    }

    /// Names the file that holds it. One newline at the end does not count. The file is read for each connection, so it can
    /// be replaced while the program runs.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Place::File(path.into())))
    }

    /// Names the environment variable that holds it.
    pub fn variable(name: impl Into<String>) -> Self {
        Self(Arc::new(Place::Variable(name.into())))
    }

    /// Reads it. An error names the place, never the content.
    ///
    /// # Errors
    /// A [retryable](Error::is_retryable) error if the file cannot be read, or the variable is not set or not UTF-8.
    pub(crate) fn read(&self) -> Result<String, Error> {
        match &*self.0 {
            Place::Text(text) => Ok(text.clone()),
            Place::File(path) => {
                let text =
                    read(path).map_err(|error| Error::io(format!("read the secret in {}", path.display()), error))?;
                let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                Ok(line.unwrap_or(&text).to_owned())
            }
            Place::Variable(name) => {
                std::env::var(name).map_err(|_| Error::retry(format!("the variable {name} is not set to a text")))
            }
        }
    }
}

/// Reads a file that holds a secret.
fn read(path: &Path) -> io::Result<String> {
    // The thread would wait for the other end of a FIFO, and a device may have no end.
    let metadata = std::fs::metadata(path)?;
    let why = if !metadata.is_file() {
        "it is not a regular file"
    } else if metadata.len() > MAX_BYTES {
        "it has more than 64 KiB"
    } else {
        let mut text = String::new();
        File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
        return Ok(text);
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("{why}; expected a file with nothing but the secret")))
}

/// Shows where the secret comes from.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Place::Text(_) => f.write_str("Secret(text)"),
            Place::File(path) => f.debug_tuple("Secret").field(path).finish(),
            Place::Variable(name) => f.debug_tuple("Secret").field(name).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_44_a_secret_is_read_from_its_place_and_shown_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let secret = Secret::file(&path);
        let missing = format!("{:#}", secret.read().unwrap_err());
        assert!(missing.contains("token"), "{missing}");
        for (content, expected) in
            [("hunter2\n", "hunter2"), ("hunter2", "hunter2"), ("hunter 2 \r\n", "hunter 2 "), ("\n\n", "\n")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(secret.read().unwrap(), expected);
        }
        // It is no text: the error says so without it.
        std::fs::write(&path, b"hunter2\xff").unwrap();
        assert!(!format!("{:#}", secret.read().unwrap_err()).contains("hunter2"));
        std::fs::write(&path, vec![b'a'; 64 << 10]).unwrap();
        assert_eq!(secret.read().unwrap().len(), 64 << 10);
        // No secret, or none that ends.
        std::fs::write(&path, vec![b'a'; 65 << 10]).unwrap();
        assert!(format!("{:#}", secret.read().unwrap_err()).contains("64 KiB"));
        for other in [folder.path(), Path::new("/dev/zero")] {
            assert!(Secret::file(other).read().unwrap_err().is_retryable());
        }
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
            assert!(
                made.success() && format!("{:#}", Secret::file(&pipe).read().unwrap_err()).contains("regular file")
            );
        }
        assert_eq!(Secret::text("hunter2").read().unwrap(), "hunter2");
        assert!(!format!("{:?}", Secret::text("hunter2")).contains("hunter2"));
        let unset = Secret::variable("SPANLINE_TEST_OF_NO_SUCH_VARIABLE");
        assert!(format!("{:#}", unset.read().unwrap_err()).contains("SPANLINE_TEST_OF_NO_SUCH_VARIABLE"));
    }
}
