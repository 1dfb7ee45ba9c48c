//! Who can open what is sealed.

use std::fmt;
use std::sync::Arc;

use age::secrecy::{ExposeSecret, SecretString};
use age_core::format::{FileKey, Stanza};
use age_core::primitives::hkdf;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::chain::{Secret, fill_random, fresh};
use crate::error::Error;

/// The work of a guess: 32 MiB of memory and about a tenth of a second. A segment that begins costs the worker the same.
const PASSPHRASE_WORK: u8 = 15;

/// Those who can open what is sealed: holders of the keys for these `age1…` texts, or of a passphrase.
///
/// The texts are those of `age-keygen`, `spanline keygen` and of hardware keys (`age1tag1…`). They are no secrets. Each
/// recipient can open everything alone.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), spanline::Error> {
/// use spanline::sealed::Recipients;
///
/// let recipients = Recipients::parse("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")?;
/// # let _ = recipients;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recipients {
    all: Arc<[Recipient]>,
}

#[derive(Clone)]
struct Recipient {
    /// For messages.
    name: String,
    recipient: Arc<dyn age::Recipient + Send + Sync>,
}

impl Recipients {
    /// Reads one or more recipients: one per line, or with spaces or commas between them. A line that begins with `#` is a
    /// comment, as in age's files.
    ///
    /// # Errors
    /// A text is no recipient, there is none, or a hybrid recipient stands beside others.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Error> {
        let lines = text.as_ref().lines().filter(|line| !line.trim_start().starts_with('#'));
        let words = lines.flat_map(|line| line.split([' ', ',', '\t'])).filter(|word| !word.is_empty());
        let all = words.map(Recipient::parse).collect::<Result<Arc<[_]>, _>>()?;
        if all.is_empty() {
            return Err(Error::invalid("recipients: expected at least one `age1…` text, found none"));
        }
        let recipients = Self { all };
        recipients.check()?;
        Ok(recipients)
    }

    /// Makes everyone who knows the passphrase a recipient, and nobody else.
    ///
    /// The process holds the passphrase, so an intruder in the process can read everything. A key whose file has a
    /// passphrase does not have this disadvantage. Each segment that begins takes about a tenth of a second and 32 MiB.
    ///
    /// # Errors
    /// It is empty.
    pub fn passphrase(passphrase: impl Into<String>) -> Result<Self, Error> {
        let passphrase = passphrase.into();
        if passphrase.is_empty() {
            return Err(Error::invalid("recipients: expected a passphrase, found an empty text"));
        }
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase));
        recipient.set_work_factor(PASSPHRASE_WORK);
        let all = [Recipient { name: "passphrase".to_owned(), recipient: Arc::new(recipient) }];
        Ok(Self { all: Arc::new(all) })
    }

    /// Returns the recipients' texts, one per line.
    pub(crate) fn names(&self) -> String {
        self.all.iter().map(|recipient| recipient.name.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Returns an age file of `secret`.
    ///
    /// Each recipient wraps the file's key by itself. The rest is what age's `Encryptor` does. That one leaves what it has
    /// encrypted in memory that it frees, where an intruder could find it later.
    ///
    /// # Errors
    /// The system has no random numbers, or a recipient cannot wrap.
    pub(crate) fn wrap(&self, secret: &Secret) -> Result<Vec<u8>, Error> {
        let key = FileKey::try_init_with_mut(|key| fill_random(key))?;
        let mut file = String::from("age-encryption.org/v1\n");
        for recipient in self.all.iter() {
            let wrapped = recipient.recipient.wrap_file_key(&key).map_err(failed)?;
            wrapped.0.iter().for_each(|stanza| push_stanza(&mut file, stanza));
        }
        file.push_str("---");
        let expand = |salt: &[u8], label: &[u8]| Zeroizing::new(hkdf(salt, label, key.expose_secret()));
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*expand(b"", b"header")).map_err(failed)?;
        mac.update(file.as_bytes());
        file.push(' ');
        file.push_str(&BASE64_STANDARD_NO_PAD.encode(mac.finalize().into_bytes()));
        file.push('\n');
        let mut file = file.into_bytes();
        let nonce = fresh()?;
        file.extend_from_slice(&nonce);
        // The only chunk of the payload is the last one.
        let chunk_nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let cipher = ChaCha20Poly1305::new((&*expand(&nonce, b"payload")).into());
        let mut payload = secret.clone();
        let tag = cipher.encrypt_in_place_detached(&chunk_nonce.into(), b"", payload.as_mut_slice()).map_err(failed)?;
        file.extend_from_slice(payload.as_slice());
        file.extend_from_slice(&tag);
        Ok(file)
    }

    /// Asks age whether the recipients may stand beside each other.
    fn check(&self) -> Result<(), Error> {
        let all = self.all.iter().map(|recipient| &*recipient.recipient as &dyn age::Recipient);
        age::Encryptor::with_recipients(all).map(drop).map_err(|error| Error::invalid(format!("recipients: {error}")))
    }
}

/// Adds a section of an age header: the file's key, wrapped for one recipient.
fn push_stanza(file: &mut String, stanza: &Stanza) {
    /// A body ends with a shorter line, which may be empty.
    const LINE: usize = 64;
    let words = std::iter::once(&stanza.tag).chain(&stanza.args).map(String::as_str).collect::<Vec<_>>();
    let body = BASE64_STANDARD_NO_PAD.encode(&stanza.body);
    file.push_str(&format!("-> {}\n", words.join(" ")));
    let (lines, rest) = body.as_bytes().split_at(body.len() / LINE * LINE);
    for line in lines.chunks(LINE).chain([rest]) {
        file.push_str(&String::from_utf8_lossy(line));
        file.push('\n');
    }
}

fn failed(error: impl fmt::Display) -> Error {
    Error::retry(format!("wrap a secret for the recipients: {error}"))
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.iter().map(|recipient| &recipient.name)).finish()
    }
}

impl Recipient {
    fn parse(word: &str) -> Result<Self, Error> {
        let recipient: Arc<dyn age::Recipient + Send + Sync> =
            if let Ok(recipient) = word.parse::<age::x25519::Recipient>() {
                Arc::new(recipient)
            } else if let Ok(recipient) = word.parse::<age::tag::Recipient>() {
                Arc::new(recipient)
            } else if let Ok(recipient) = word.parse::<age::tagpq::Recipient>() {
                Arc::new(recipient)
            } else {
                return Err(Error::invalid(mistake(word)));
            };
        Ok(Self { name: word.to_owned(), recipient })
    }
}

/// Returns what is wrong with a text that is no recipient. A secret key is not repeated.
fn mistake(word: &str) -> String {
    let upper = Zeroizing::new(word.to_ascii_uppercase());
    if upper.starts_with("AGE-SECRET-KEY-") {
        return "recipients: found a secret key; expected its public half, `age1…`: `spanline keygen --public FILE` prints it"
            .to_owned();
    }
    if word.starts_with("ssh-") {
        return "recipients: found an SSH key; expected `age1…`: `spanline keygen` makes one".to_owned();
    }
    let start: String = word.chars().take(16).collect();
    let rest = if word.chars().count() > 16 { "…" } else { "" };
    format!(
        "recipients: `{}{rest}` is no recipient; expected `age1…`, as `spanline keygen` prints it",
        start.escape_default()
    )
}
