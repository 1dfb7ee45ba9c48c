//! The token that senders over HTTP show.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use spanline::Error;

/// A shorter token could be guessed.
const MIN_BYTES: usize = 16;

/// A larger file holds something else, and a device may have no end.
const MAX_BYTES: u64 = 4 << 10;

/// A secret. It appears in no text.
#[derive(Clone)]
pub(super) struct Token(Vec<u8>);

impl Token {
    /// Reads the token in a file, without the line end behind it.
    ///
    /// # Errors
    /// The file cannot be read, or is no token.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::invalid(format!("--token-file {}: {what}", path.display()));
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
        read.map_err(|error| wrong(error.to_string()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let is_open_to_all = |file: std::fs::Metadata| file.permissions().mode() & 0o002 != 0;
            if std::fs::metadata(path).is_ok_and(is_open_to_all) {
                return Err(wrong("anybody may write to it, and so choose the token; expected mode 0600".to_owned()));
            }
        }
        let token = text.trim_ascii();
        if text.len() as u64 == MAX_BYTES || token.len() < MIN_BYTES || !token.iter().all(u8::is_ascii_graphic) {
            let expected = format!("expected a token of at least {MIN_BYTES} printable characters without spaces");
            return Err(wrong(format!("{expected}, such as `openssl rand -hex 32` makes")));
        }
        Ok(Self(token.to_vec()))
    }

    /// Returns whether a header is `Bearer` and this token. Its time does not depend on where they differ.
    pub(super) fn is_in(&self, header: Option<&[u8]>) -> bool {
        let Some((scheme, given)) = header.and_then(|header| header.split_at_checked("Bearer ".len())) else {
            return false;
        };
        let differing = self.0.iter().zip(given).fold(0, |all, (one, other)| all | (one ^ other));
        scheme.eq_ignore_ascii_case(b"Bearer ") && given.len() == self.0.len() && std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_counts() {
        let token = Token(b"0123456789abcdef".to_vec());
        assert!(token.is_in(Some(b"Bearer 0123456789abcdef")) && token.is_in(Some(b"bearer 0123456789abcdef")));
        for wrong in ["", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Basic 0123456789abcdef"] {
            assert!(!token.is_in(Some(wrong.as_bytes())), "{wrong}");
        }
        assert!(!token.is_in(None) && !token.is_in(Some(b"Bearer 0123456789abcdef0")));
    }

    #[test]
    fn a_short_token_is_refused_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        assert!(Token::read(&path).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let chmod = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            chmod(0o666);
            let error = Token::read(&path).unwrap_err().to_string();
            assert!(error.contains("anybody may write to it") && !error.contains("0123456789"), "{error}");
            chmod(0o600);
        }
        for wrong in ["", "hunter2\n", "0123456789 abcdef"] {
            std::fs::write(&path, wrong).unwrap();
            let error = Token::read(&path).unwrap_err().to_string();
            assert!(error.contains("at least 16") && !error.contains("hunter"), "{error}");
        }
    }
}
