//! Signatures: of blocks, of headers, and of the key that comes next.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::chain::{Secret, new_secret};
use crate::error::Error;

/// The bytes of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;

/// The bytes of a digest.
pub(super) const DIGEST_BYTES: usize = 32;

/// SHA-256 of a block or a header.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// What a signature is about. One for another purpose never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Header,
    Block,
    Certificate,
}

impl Purpose {
    fn message(self, digests: &[u8]) -> Vec<u8> {
        let label: &[u8] = match self {
            Self::Header => b"spanline/1/header",
            Self::Block => b"spanline/1/block",
            Self::Certificate => b"spanline/1/certificate",
        };
        [label, digests].concat()
    }
}

/// Returns SHA-256 of the parts, one after the other.
pub(super) fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A key that signs. It is wiped when it is dropped.
pub(super) struct Signing(Box<SigningKey>);

impl Signing {
    pub(super) fn generate() -> Result<Self, Error> {
        Ok(Self::of(&new_secret()?))
    }

    fn of(secret: &Secret) -> Self {
        Self(Box::new(SigningKey::from_bytes(secret)))
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a digest, or several.
    pub(super) fn sign(&self, purpose: Purpose, digests: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&purpose.message(digests)).to_bytes()
    }
}

/// A public key that checks signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Checking(VerifyingKey);

impl Checking {
    /// Returns `None` if the bytes are no key.
    pub(super) fn new(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(Self)
    }

    pub(super) fn accepts(&self, purpose: Purpose, digests: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(&purpose.message(digests), &Signature::from_bytes(signature)).is_ok()
    }
}

const SIGNER_PREFIX: &str = "SPANLINE-SIGNER-1-";
const VERIFIER_PREFIX: &str = "spanline-verifier-1-";

/// Certifies each segment of a log, so that nobody else can begin a chain. Its `Debug` form does not show it.
///
/// It is a secret that the process holds for long. An intruder who takes it can begin chains, but cannot change those that
/// exist.
pub struct Signer {
    secret: Secret,
}

/// The public half of a [`Signer`]: checks that segments were certified by it, and can read nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verifier {
    key: [u8; 32],
}

impl Signer {
    /// Makes a new signer.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self { secret: new_secret()? })
    }

    /// Reads what [`to_text`](Self::to_text) has returned. Empty lines, and those that begin with `#`, do not count.
    ///
    /// # Errors
    /// It is no signer. The error does not show the text.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Error> {
        let is_content = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let mut lines = text.as_ref().lines().map(str::trim).filter(is_content);
        let key = lines.next().and_then(|line| decoded(line.strip_prefix(SIGNER_PREFIX)?));
        match (key, lines.next()) {
            (Some(secret), None) => Ok(Self { secret }),
            _ => Err(Error::invalid(format!(
                "signer: expected one line `{SIGNER_PREFIX}…`, as `spanline keygen --signer` prints it"
            ))),
        }
    }

    /// Returns its text, which is a secret.
    pub fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(self.secret.as_slice()));
        Zeroizing::new(format!("{SIGNER_PREFIX}{}", *key))
    }

    /// Returns what checks it.
    pub fn verifier(&self) -> Verifier {
        Verifier { key: self.signing().public() }
    }

    pub(super) fn signing(&self) -> Signing {
        Signing::of(&self.secret)
    }
}

impl Clone for Signer {
    fn clone(&self) -> Self {
        Self { secret: self.secret.clone() }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier().to_string()).finish()
    }
}

impl Verifier {
    /// Returns its bytes, as a header has them.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let key = text.trim().strip_prefix(VERIFIER_PREFIX).and_then(decoded);
        let key = key.map(|key| **key).filter(|key| Checking::new(key).is_some());
        key.map(|key| Self { key }).ok_or_else(|| {
            Error::invalid(format!(
                "verifier: expected `{VERIFIER_PREFIX}…`, as `spanline keygen --signer` prints it; found `{}`",
                text.chars().take(SIGNER_PREFIX.len()).collect::<String>().escape_default()
            ))
        })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERIFIER_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(self.key))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

fn decoded(text: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?);
    let mut key = Box::new(Zeroizing::new([0; 32]));
    (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
    Some(key)
}
