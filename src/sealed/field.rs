//! Sealed values of fields: texts that a line carries in place of values.
//!
//! Each token has its own key, and binds the field's name, the time, the writer and the event's number. A secret serves all
//! tokens of a second, so that the public-key work is done once. It is wiped afterwards: [`FieldSealer::expire`].

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::chain::{ChainKey, Fresh, Secret, TAG_BYTES, fill_random, fresh, new_secret, without_traces};
use super::key::Key;
use super::recipients::Recipients;
use crate::error::Error;
use crate::record::Timestamp;

/// How each token begins.
pub(crate) const PREFIX: &str = "sealed:v1:";

/// What stands for a value that could not be sealed.
pub(crate) const FAILED: &str = "sealed:failed";

/// How each token begins, of whichever version.
const ANY_PREFIX: &str = "sealed:v";

/// How long a secret is used.
const SECRET_TIME: Duration = Duration::from_secs(1);

/// A name has one byte for its length.
const MAX_NAME_BYTES: usize = u8::MAX as usize;

/// Secrets that a reader remembers. To unwrap one takes public-key work, and a line may have several of one secret.
const MAX_OPENED_SECRETS: usize = 64;

/// Seals values, for one output.
pub(crate) struct FieldSealer {
    recipients: Recipients,
    /// Absent until the first value, so that a failure is that of a value.
    writer: Option<Writer>,
    current: Option<Current>,
}

type Writer = [u8; 16];

/// The secret of this second.
struct Current {
    key: ChainKey,
    /// How tokens begin: the length of the age file, the age file, the writer.
    head: Vec<u8>,
    begun: Instant,
}

impl FieldSealer {
    pub(crate) fn new(recipients: Recipients) -> Self {
        Self { recipients, writer: None, current: None }
    }

    /// Returns the token of a value. `sequence`: the number of the event; `json`: the value.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn seal(&mut self, name: &str, time: Timestamp, sequence: u64, json: &[u8]) -> Result<String, Error> {
        without_traces(|| self.make_token(name, time, sequence, json))
    }

    fn make_token(&mut self, name: &str, time: Timestamp, sequence: u64, json: &[u8]) -> Result<String, Error> {
        self.expire();
        let writer = self.writer()?;
        let current = match self.current.take() {
            Some(current) => current,
            None => Current::new(&self.recipients, writer)?,
        };
        let current = self.current.insert(current);
        let name = end_of(name);
        let fresh = fresh()?;
        let mut sealed = Vec::with_capacity(current.head.len() + name.len() + json.len() + 33 + TAG_BYTES);
        sealed.extend_from_slice(&current.head);
        sealed.extend_from_slice(&sequence.to_be_bytes());
        sealed.extend_from_slice(&time.as_nanos().to_be_bytes());
        sealed.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        sealed.extend_from_slice(name.as_bytes());
        sealed.extend_from_slice(&fresh);
        // Encrypted in place.
        let mut text = json.to_vec();
        let tag = current.key.field(&fresh).seal(&sealed, &mut text)?;
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(&tag);
        let mut token = String::with_capacity(PREFIX.len() + sealed.len().div_ceil(3) * 4);
        token.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&sealed, &mut token);
        Ok(token)
    }

    /// Wipes the secret if its second is over.
    pub(crate) fn expire(&mut self) {
        self.current.take_if(|current| current.begun.elapsed() >= SECRET_TIME);
    }

    /// Returns when there is a secret to wipe.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.begun + SECRET_TIME)
    }

    /// Becomes another writer, with its own secret: in a forked child, the writer is the parent's.
    pub(crate) fn forked(&mut self) {
        (self.writer, self.current) = (None, None);
    }

    fn writer(&mut self) -> Result<Writer, Error> {
        if let Some(writer) = self.writer {
            return Ok(writer);
        }
        let mut writer = [0; 16];
        fill_random(&mut writer)?;
        Ok(*self.writer.insert(writer))
    }
}

impl Current {
    fn new(recipients: &Recipients, writer: Writer) -> Result<Self, Error> {
        let begun = Instant::now();
        let secret = new_secret()?;
        let wrapped = recipients.wrap(&secret)?;
        let length = length_of(&wrapped)?;
        let head = [&length.to_be_bytes()[..], &wrapped, &writer].concat();
        Ok(Self { key: ChainKey::of_fields(&secret), head, begun })
    }
}

impl fmt::Debug for FieldSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldSealer").field("recipients", &self.recipients).finish_non_exhaustive()
    }
}

/// Checks that fields can be sealed for recipients.
///
/// # Errors
/// They are too many.
pub(crate) fn check(recipients: &Recipients) -> Result<(), Error> {
    recipients.wrap(&Secret::default()).and_then(|wrapped| length_of(&wrapped)).map(drop).map_err(Error::into_invalid)
}

fn length_of(wrapped: &[u8]) -> Result<u16, Error> {
    u16::try_from(wrapped.len()).map_err(|_| {
        let bytes = wrapped.len();
        Error::invalid(format!(
            "recipients: too many to seal fields: their secret takes {bytes} bytes, of at most 65535"
        ))
    })
}

/// Returns the last bytes of a name: the last part of a path tells most.
fn end_of(name: &str) -> &str {
    let mut start = name.len().saturating_sub(MAX_NAME_BYTES);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    name.get(start..).unwrap_or_default()
}

/// A sealed value that was opened. Its `Debug` form does not show the value.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedField {
    name: String,
    time: Timestamp,
    writer: Writer,
    sequence: u64,
    fresh: Fresh,
    value: Zeroizing<String>,
}

impl OpenedField {
    /// Returns the field's name, or its dotted path into nested data: `user.ssn`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the time of the event.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns who sealed the value: a random text for each output of each process.
    pub fn writer(&self) -> String {
        self.writer.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the number of the event among those of the writer with sealed values, from 0. All values of one line have
    /// the same.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the value as JSON text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns whether both were sealed for the same event.
    pub(super) fn is_of_line_of(&self, other: &Self) -> bool {
        (self.writer, self.sequence) == (other.writer, other.sequence)
    }

    /// Returns the bytes that no other token has.
    pub(super) fn fresh(&self) -> Fresh {
        self.fresh
    }
}

impl fmt::Debug for OpenedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedField")
            .field("name", &self.name)
            .field("time", &self.time)
            .field("writer", &self.writer())
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// Opens a sealed value: the text `sealed:v1:…` of a field.
///
/// The value tells which field it was, when it was logged and by whom. Compare these with the line that it stands in: the text
/// may have been moved there. Anyone who knows the recipients can make such a text, so it does not prove who has.
///
/// # Errors
/// The text is no sealed value, or one of a later version; it was changed; or it was sealed for another key. The error says
/// which.
pub fn open_field(key: &Key, token: &str) -> Result<OpenedField, Error> {
    open_with(token, |wrapped| key_of(key, wrapped))
}

/// Opens tokens with one key, and remembers the secrets of some.
pub(super) struct TokenOpener {
    key: Key,
    secrets: VecDeque<(Box<[u8]>, ChainKey)>,
}

impl TokenOpener {
    pub(super) fn new(key: Key) -> Self {
        Self { key, secrets: VecDeque::new() }
    }

    /// The same as [`open_field`].
    pub(super) fn open(&mut self, token: &str) -> Result<OpenedField, Error> {
        open_with(token, |wrapped| {
            if let Some((_, key)) = self.secrets.iter().find(|(known, _)| **known == *wrapped) {
                return Ok(key.clone());
            }
            let key = key_of(&self.key, wrapped)?;
            if self.secrets.len() == MAX_OPENED_SECRETS {
                self.secrets.pop_front();
            }
            self.secrets.push_back((wrapped.into(), key.clone()));
            Ok(key)
        })
    }
}

fn key_of(key: &Key, wrapped: &[u8]) -> Result<ChainKey, Error> {
    let cannot = |why: String| Error::invalid(format!("sealed value: it cannot be opened: {why}"));
    let opened = key.unwrap(wrapped).map_err(cannot)?;
    let mut secret = Secret::default();
    if opened.len() != secret.len() {
        return Err(damaged("its secret has not 32 bytes"));
    }
    secret.copy_from_slice(&opened);
    Ok(ChainKey::of_fields(&secret))
}

fn open_with(token: &str, key: impl FnOnce(&[u8]) -> Result<ChainKey, Error>) -> Result<OpenedField, Error> {
    let text = body_of(token)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged("it is no base64 for URLs"))?;
    let mut rest = &bytes[..];
    let mut take = |count: usize| {
        let (taken, behind) = rest.split_at_checked(count).ok_or_else(|| damaged("it is cut"))?;
        rest = behind;
        Ok::<_, Error>(taken)
    };
    let length = take(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let wrapped = take(length)?;
    let writer = array(take(16)?);
    let sequence = u64::from_be_bytes(array(take(8)?));
    let time = i64::from_be_bytes(array(take(8)?));
    let length = take(1)?.iter().fold(0, |_, byte| usize::from(*byte));
    let name = std::str::from_utf8(take(length)?).map_err(|_| damaged("its name is not UTF-8"))?;
    let fresh: Fresh = array(take(16)?);
    let mut text = Zeroizing::new(rest.to_vec());
    let head = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
    if text.len() < TAG_BYTES {
        return Err(damaged("it is cut"));
    }
    if !key(wrapped)?.field(&fresh).open(head, &mut text) {
        return Err(damaged("its bytes are not those that were sealed"));
    }
    let value = std::str::from_utf8(&text).map_err(|_| damaged("its value is not UTF-8"))?;
    Ok(OpenedField {
        name: name.to_owned(),
        time: Timestamp::from_nanos(time),
        writer,
        sequence,
        fresh,
        value: Zeroizing::new(value.to_owned()),
    })
}

/// Returns what follows the prefix.
fn body_of(token: &str) -> Result<&str, Error> {
    if let Some(body) = token.strip_prefix(PREFIX) {
        return Ok(body);
    }
    if token == FAILED {
        return Err(Error::invalid(
            "sealed value: there is none: the program could not seal it; its complaints say why",
        ));
    }
    let version = token.strip_prefix(ANY_PREFIX).and_then(|rest| rest.split_once(':')).map(|(version, _)| version);
    match version.filter(|version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(version) => Err(Error::invalid(format!(
            "sealed value: it has version {version:.8}; this release opens version 1; use a later one"
        ))),
        None => Err(Error::invalid(format!("sealed value: found another text; expected `{PREFIX}…`"))),
    }
}

fn array<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    let mut array = [0; BYTES];
    // The caller has taken this many.
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

fn damaged(why: &str) -> Error {
    Error::invalid(format!("sealed value: it is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> (Key, FieldSealer) {
        let (file, recipient) = Key::generate();
        let recipients = Recipients::parse(recipient).expect("recipients");
        (Key::parse(&*file).expect("a key"), FieldSealer::new(recipients))
    }

    fn seal(sealer: &mut FieldSealer, name: &str) -> String {
        sealer.seal(name, Timestamp::from_nanos(5), 7, b"\"value\"").expect("a token")
    }

    /// Returns the age file in a token.
    fn wrapped(token: &str) -> Vec<u8> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).expect("a token")).expect("base64");
        bytes[2..2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))].to_vec()
    }

    #[test]
    fn a_secret_serves_a_second_and_is_wiped() {
        let (key, mut sealer) = sealer();
        assert!(sealer.due().is_none());
        let (first, second) = (seal(&mut sealer, "a"), seal(&mut sealer, "a"));
        assert!(wrapped(&first) == wrapped(&second) && first != second);
        let begun = sealer.current.as_ref().expect("a secret").begun;
        sealer.current.as_mut().expect("a secret").begun = begun.checked_sub(SECRET_TIME).expect("an earlier time");
        sealer.expire();
        assert!(sealer.current.is_none() && sealer.due().is_none());
        let third = seal(&mut sealer, "a");
        assert_ne!(wrapped(&first), wrapped(&third));
        let [first, third] = [first, third].map(|token| open_field(&key, &token).expect("a field"));
        assert_eq!((first.writer(), first.value()), (third.writer(), "\"value\""));
    }

    #[test]
    fn a_forked_child_is_another_writer() {
        let (key, mut sealer) = sealer();
        let parent = seal(&mut sealer, "a");
        sealer.forked();
        let child = seal(&mut sealer, "a");
        assert_ne!(wrapped(&parent), wrapped(&child));
        let [parent, child] = [parent, child].map(|token| open_field(&key, &token).expect("a field").writer());
        assert_ne!(parent, child);
    }

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let (key, mut sealer) = sealer();
        let token = seal(&mut sealer, &format!("{}.ssn", "ä".repeat(200)));
        let field = open_field(&key, &token).expect("a field");
        assert!(field.name().ends_with(".ssn") && field.name().len() == 254);
    }
}
