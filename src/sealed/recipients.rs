//! Who can open what is sealed.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use age::secrecy::SecretString;
use zeroize::Zeroizing;

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
        // Some kinds may not stand beside others. This is known only when something is wrapped.
        recipients.wrap(b"").map_err(Error::into_invalid)?;
        Ok(recipients)
    }

    /// Makes everyone who knows the passphrase a recipient, and nobody else.
    ///
    /// The process holds the passphrase, so who takes over the process can read everything. A key whose file has a
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
    /// # Errors
    /// The kinds of recipients do not fit together, or the system has no random numbers.
    pub(crate) fn wrap(&self, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let all = self.all.iter().map(|recipient| &*recipient.recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(all)
            .map_err(|error| Error::retry(format!("recipients: {error}")).with_source(error))?;
        let wrap = || {
            let mut writer = encryptor.wrap_output(Vec::new())?;
            writer.write_all(secret)?;
            writer.finish()
        };
        wrap().map_err(|error| Error::io("wrap a secret for the recipients", error))
    }
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
