//! The keys of batches. Each is used once, and the chain moves on after each block: what was sealed before cannot be opened
//! with what the process still holds.

use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;

/// A segment's secret, and each secret of fields. On the heap: moving it leaves no copy.
pub(crate) type Secret = Box<Zeroizing<[u8; 32]>>;

/// The bytes that make a key different from all others, also where a process was cloned.
pub(super) type Fresh = [u8; 16];

/// How many bytes AES adds.
pub(super) const TAG_BYTES: usize = 16;

/// The chain key of one block.
#[derive(Clone)]
pub(super) struct ChainKey(Secret);

impl ChainKey {
    /// Returns the chain key of a segment's first block.
    pub(super) fn new(secret: &Secret) -> Self {
        Self::extract(b"spanline/1/chain", secret)
    }

    /// Returns the key from which those of fields are derived.
    pub(super) fn of_fields(secret: &Secret) -> Self {
        Self::extract(b"spanline/1/field", secret)
    }

    fn extract(salt: &[u8], secret: &Secret) -> Self {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        let (mut extracted, _) = Hkdf::<Sha256>::extract(Some(salt), secret.as_slice());
        key.copy_from_slice(&extracted);
        extracted.as_mut_slice().zeroize();
        Self(key)
    }

    /// Returns the chain key of the next block.
    pub(super) fn next(&self) -> Self {
        let mut next = Box::new(Zeroizing::new([0; 32]));
        self.expand(&[b"spanline/1/next"], next.as_mut_slice());
        Self(next)
    }

    /// Returns the cipher of a batch.
    pub(super) fn batch(&self, fresh: &Fresh) -> BatchCipher {
        self.cipher(b"spanline/1/batch", fresh)
    }

    /// Returns the cipher of a field's value.
    pub(super) fn field(&self, fresh: &Fresh) -> BatchCipher {
        self.cipher(b"spanline/1/field", fresh)
    }

    fn cipher(&self, label: &[u8], fresh: &Fresh) -> BatchCipher {
        let mut bytes = Zeroizing::new([0; 44]);
        self.expand(&[label, fresh], &mut *bytes);
        let (key, nonce) = bytes.split_at(32);
        BatchCipher { cipher: Aes256GcmSiv::new(key.into()), nonce: *Nonce::from_slice(nonce) }
    }

    fn expand(&self, labels: &[&[u8]], bytes: &mut [u8]) {
        // It fails only for other lengths than those above: for less than 32 bytes of key, or 8 KiB of output.
        let expanded = Hkdf::<Sha256>::from_prk(self.0.as_slice()).map(|key| key.expand_multi_info(labels, bytes));
        debug_assert!(matches!(expanded, Ok(Ok(()))));
    }
}

/// Seals or opens one text.
pub(super) struct BatchCipher {
    cipher: Aes256GcmSiv,
    nonce: Nonce,
}

impl BatchCipher {
    /// Encrypts `text` in place. Returns the tag, which stands behind it.
    pub(super) fn seal(self, associated: &[u8], text: &mut [u8]) -> Result<[u8; TAG_BYTES], Error> {
        let tag = self.cipher.encrypt_in_place_detached(&self.nonce, associated, text);
        tag.map(Into::into).map_err(|_| Error::rejected("seal lines: they are too long"))
    }

    /// Decrypts `sealed` in place, and removes the tag. Returns whether it was sealed with this key and `associated`.
    pub(super) fn open(self, associated: &[u8], sealed: &mut Vec<u8>) -> bool {
        let Some(end) = sealed.len().checked_sub(TAG_BYTES) else { return false };
        let tag = *Tag::from_slice(sealed.get(end..).unwrap_or_default());
        sealed.truncate(end);
        self.cipher.decrypt_in_place_detached(&self.nonce, associated, sealed, &tag).is_ok()
    }
}

/// Fills bytes with random numbers of the kernel.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::retry(format!("seal: the system has no random numbers ({error})")))
}

/// Returns a new secret.
pub(super) fn new_secret() -> Result<Secret, Error> {
    let mut secret = Box::new(Zeroizing::new([0; 32]));
    fill_random(secret.as_mut_slice())?;
    Ok(secret)
}

/// Returns bytes that nothing else has.
pub(super) fn fresh() -> Result<Fresh, Error> {
    let mut fresh = [0; 16];
    fill_random(&mut fresh)?;
    Ok(fresh)
}

/// Runs `work`, and overwrites the stack that it has used: the libraries leave parts of keys there.
///
/// What it returns must hold keys on the heap only.
pub(super) fn without_traces<T>(work: impl FnOnce() -> T) -> T {
    /// Its frames lie where [`wipe`] writes.
    #[inline(never)]
    fn run<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    /// More than signing and wrapping need.
    #[inline(never)]
    fn wipe() {
        // Zeroing byte by byte, as `zeroize` does, would take longer than to seal a small batch.
        std::hint::black_box(&mut [0_u8; 32 << 10]);
    }

    let result = run(work);
    wipe();
    result
}
