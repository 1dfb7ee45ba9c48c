//! What opens sealed logs.

use std::fmt;
use std::io::{Cursor, Read};
use std::sync::Arc;

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::error::Error;

/// The work per guess of a log that this crate writes: one that asks for more wants to keep the reader busy.
const MOST_LOG_WORK: u8 = 15;

/// The work per guess of a key file. `age` chooses about 18.
const MOST_KEY_FILE_WORK: u8 = 22;

/// Opens what was sealed for its recipient. Its `Debug` form does not show it.
#[derive(Clone)]
pub struct Key {
    identities: Arc<[Arc<dyn age::Identity + Send + Sync>]>,
}

impl Key {
    /// Reads the keys in the text of a key file of `spanline keygen` or `age-keygen`: `AGE-SECRET-KEY-1…` lines, and
    /// comments.
    ///
    /// A key file that is itself sealed with a passphrase must be opened first, with `age --decrypt` or
    /// [`with_passphrase`](Self::with_passphrase).
    ///
    /// # Errors
    /// A line is no key, or there is none. The error does not show the text.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref();
        if text.starts_with("age-encryption.org/") {
            return Err(Error::invalid("key: its file is sealed with a passphrase; pass the passphrase too"));
        }
        let file = age::IdentityFile::from_buffer(Cursor::new(text)).map_err(|error| {
            Error::invalid(format!(
                "key: expected lines with `AGE-SECRET-KEY-1…`, as `spanline keygen` writes them; {error}"
            ))
        })?;
        let identities =
            file.into_identities().map_err(|error| Error::invalid(format!("key: {error}")).with_source(error))?;
        if identities.is_empty() {
            return Err(Error::invalid("key: expected a line with `AGE-SECRET-KEY-1…`, found none"));
        }
        Ok(Self { identities: identities.into_iter().map(Arc::from).collect() })
    }

    /// Makes a key that opens what any of `keys` opens.
    pub fn any(keys: impl IntoIterator<Item = Self>) -> Self {
        let identities = |key: Self| key.identities.iter().map(Arc::clone).collect::<Vec<_>>();
        Self { identities: keys.into_iter().flat_map(identities).collect() }
    }

    /// Makes a key of a passphrase, for what was sealed with [`Recipients::passphrase`](super::Recipients::passphrase).
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self::of_passphrase(passphrase.into(), MOST_LOG_WORK)
    }

    fn of_passphrase(passphrase: String, most_work: u8) -> Self {
        let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase));
        identity.set_max_work_factor(most_work);
        Self { identities: Arc::new([Arc::new(identity)]) }
    }

    /// Opens a key file that `age --passphrase` has sealed, and reads its keys.
    ///
    /// # Errors
    /// The passphrase is wrong, or the file holds no keys.
    pub fn with_passphrase(file: &[u8], passphrase: impl Into<String>) -> Result<Self, Error> {
        let key = Self::of_passphrase(passphrase.into(), MOST_KEY_FILE_WORK);
        let text = key.unwrap(file).map_err(|why| Error::invalid(format!("key: {why}")))?;
        let text = std::str::from_utf8(&text).map_err(|_| Error::invalid("key: its file holds no text"))?;
        Self::parse(text)
    }

    /// Makes a new key. Returns the text of its file and its recipient, `age1…`.
    pub fn generate() -> (Zeroizing<String>, String) {
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret = identity.to_string();
        let file = format!("# public key: {recipient}\n{}\n", secret.expose_secret());
        (Zeroizing::new(file), recipient)
    }

    /// Returns the recipients of the keys in a key file.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn recipients(text: impl AsRef<str>) -> Result<Vec<String>, Error> {
        Self::parse(&text)?;
        let keys = text.as_ref().lines().filter_map(|line| line.trim().parse::<age::x25519::Identity>().ok());
        Ok(keys.map(|key| key.to_public().to_string()).collect())
    }

    /// Returns what an age file holds; otherwise why it cannot be opened.
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        /// More than a key file has. A secret has 32 bytes.
        const MOST_BYTES: u64 = 1 << 20;
        // One by one: a wrong passphrase is an error, behind which age tries no other.
        let open = |identity: &Arc<dyn age::Identity + Send + Sync>| {
            let decryptor = age::Decryptor::new_buffered(wrapped)?;
            decryptor.decrypt(std::iter::once(&**identity as &dyn age::Identity))
        };
        let mut why = age::DecryptError::NoMatchingKeys;
        let opened = self.identities.iter().find_map(|identity| match open(identity) {
            Ok(reader) => Some(reader),
            Err(age::DecryptError::NoMatchingKeys) => None,
            Err(error) => {
                why = error;
                None
            }
        });
        let reader = opened.ok_or_else(|| match why {
            age::DecryptError::NoMatchingKeys => "this key is not one of its recipients".to_owned(),
            error => error.to_string(),
        })?;
        let mut secret = Zeroizing::new(Vec::new());
        reader.take(MOST_BYTES).read_to_end(&mut secret).map_err(|error| error.to_string())?;
        Ok(secret)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("keys", &self.identities.len()).finish()
    }
}
