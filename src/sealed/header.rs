//! The header of a segment.

use super::signing::{Checking, Digest, Purpose, SIGNATURE_BYTES, Signing, Verifier, digest};
use crate::error::Error;

/// What every sealed file begins with.
pub(crate) const MAGIC: [u8; 16] = *b"spanline-sealed\n";

/// The version that this code writes, and the highest one that it reads.
const VERSION: u16 = 1;

/// Before the recipients: magic, version, two lengths.
const START_BYTES: usize = 24;

/// A longer body has no age file for any sensible number of recipients.
const MOST_BODY_BYTES: u32 = 1 << 20;

/// Where the certificates are in the body: by the key of the segment before, and by a signer, whose key is between them.
const BY_PREVIOUS_AT: usize = 16 + 8 + 8 + 8 + 8 + 32 + (16 + 8 + 32);
const BY_SIGNER_AT: usize = BY_PREVIOUS_AT + SIGNATURE_BYTES + 32;

/// What a certificate is before it is made, and where there is none.
const NO_CERTIFICATE: [u8; SIGNATURE_BYTES] = [0; SIGNATURE_BYTES];

/// Names one chain.
pub(super) type ChainId = [u8; 16];

/// The state of a segment: which, and its last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) chain: ChainId,
    pub(super) number: u64,
    /// That of the segment's last block, or of its header if it has no block.
    pub(super) digest: Digest,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) recipients: String,
    pub(super) chain: ChainId,
    pub(super) number: u64,
    /// In nanoseconds since 1970.
    pub(super) begun: i64,
    pub(super) first_line: u64,
    /// Files with numbers up to this one have been removed by their writer.
    pub(super) removed: u64,
    pub(super) key: [u8; 32],
    pub(super) previous: Option<Position>,
    /// The public key of the log's signer.
    pub(super) signer: Option<[u8; 32]>,
    /// The active file's name.
    pub(super) name: String,
    /// The file of the segment before, if it has a name.
    pub(super) previous_name: String,
    /// The age file with the segment's secret.
    pub(super) wrapped: Vec<u8>,
}

/// A header as it was read.
#[derive(Clone, Debug)]
pub(super) struct ReadHeader {
    pub(super) header: Header,
    pub(super) digest: Digest,
    /// Its signature is that of its key.
    pub(super) is_signed: bool,
    by_previous: [u8; SIGNATURE_BYTES],
    by_signer: [u8; SIGNATURE_BYTES],
    /// What the certificates are about.
    body_digest: Digest,
    /// How many bytes it has.
    pub(super) bytes: usize,
}

/// Why bytes are no header.
#[derive(Debug)]
pub(super) enum NoHeader {
    /// This many bytes are needed.
    Incomplete(usize),
    /// It names the recipients, if it got that far.
    Invalid(String),
}

impl Header {
    /// Returns the header's bytes, and their digest.
    ///
    /// `key`: this segment's. `previous` and `signer`: the keys that vouch for it.
    pub(super) fn encode(
        &self,
        key: &Signing,
        previous_key: Option<&Signing>,
        signer: Option<&Signing>,
    ) -> Result<(Vec<u8>, Digest), Error> {
        let too_long = |what: &str| Error::invalid(format!("seal: {what} is longer than a header can hold"));
        let length = |text: &str, what: &str| u16::try_from(text.len()).map_err(|_| too_long(what));
        let mut body = Vec::with_capacity(1024);
        body.extend_from_slice(&self.chain);
        body.extend_from_slice(&self.number.to_be_bytes());
        body.extend_from_slice(&self.begun.to_be_bytes());
        body.extend_from_slice(&self.first_line.to_be_bytes());
        body.extend_from_slice(&self.removed.to_be_bytes());
        body.extend_from_slice(&key.public());
        let previous = self.previous.unwrap_or(Position { chain: [0; 16], number: 0, digest: [0; 32] });
        body.extend_from_slice(&previous.chain);
        body.extend_from_slice(&previous.number.to_be_bytes());
        body.extend_from_slice(&previous.digest);
        body.extend_from_slice(&NO_CERTIFICATE);
        body.extend_from_slice(&self.signer.unwrap_or_default());
        body.extend_from_slice(&NO_CERTIFICATE);
        for (text, what) in [(&self.name, "the file's name"), (&self.previous_name, "the file's name")] {
            body.extend_from_slice(&length(text, what)?.to_be_bytes());
            body.extend_from_slice(text.as_bytes());
        }
        let wrapped = u32::try_from(self.wrapped.len()).map_err(|_| too_long("the wrapped secret"))?;
        body.extend_from_slice(&wrapped.to_be_bytes());
        body.extend_from_slice(&self.wrapped);
        let certified = digest(&[&body]);
        for (certifier, at) in [(previous_key, BY_PREVIOUS_AT), (signer, BY_SIGNER_AT)] {
            let certificate = certifier.map(|certifier| certifier.sign(Purpose::Certificate, &certified));
            put_certificate(&mut body, at, &certificate.unwrap_or(NO_CERTIFICATE));
        }
        let body_bytes = u32::try_from(body.len()).ok().filter(|bytes| *bytes <= MOST_BODY_BYTES);
        let body_bytes = body_bytes.ok_or_else(|| too_long("the list of recipients"))?;
        let recipients = length(&self.recipients, "the list of recipients")?;
        let mut bytes = Vec::with_capacity(START_BYTES + self.recipients.len() + body.len() + SIGNATURE_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&recipients.to_be_bytes());
        bytes.extend_from_slice(&body_bytes.to_be_bytes());
        bytes.extend_from_slice(self.recipients.as_bytes());
        bytes.extend_from_slice(&body);
        let signature = key.sign(Purpose::Header, &digest(&[&bytes]));
        bytes.extend_from_slice(&signature);
        let digest = digest(&[&bytes]);
        Ok((bytes, digest))
    }
}

impl ReadHeader {
    /// Reads a header at the start of `bytes`, which may have more.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoHeader> {
        if !MAGIC.starts_with(bytes.get(..MAGIC.len()).unwrap_or(bytes)) {
            return Err(NoHeader::Invalid("expected a sealed file, found other bytes at its start".to_owned()));
        }
        let mut start = Fields(bytes);
        let (Some(_magic), Some(version), Some(recipients_bytes), Some(body_bytes)) =
            (start.array::<16>(), start.u16(), start.u16(), start.u32())
        else {
            return Err(NoHeader::Incomplete(START_BYTES));
        };
        if version > VERSION {
            let why = format!("it has version {version} of the format; this program reads up to {VERSION}");
            let named = start.text(recipients_bytes.into()).map(|names| sealed_for(&names)).unwrap_or_default();
            return Err(NoHeader::Invalid(format!("{why}{named}")));
        }
        if body_bytes > MOST_BODY_BYTES || version == 0 {
            return Err(NoHeader::Invalid("its header is damaged".to_owned()));
        }
        let recipients_at = START_BYTES;
        let body_at = recipients_at + usize::from(recipients_bytes);
        let signature_at = body_at + body_bytes as usize;
        let end = signature_at + SIGNATURE_BYTES;
        let (Some(recipients), Some(body), Some(signature)) =
            (bytes.get(recipients_at..body_at), bytes.get(body_at..signature_at), bytes.get(signature_at..end))
        else {
            return Err(NoHeader::Incomplete(end));
        };
        let recipients = String::from_utf8_lossy(recipients).into_owned();
        let damaged = || NoHeader::Invalid(format!("its header is damaged{}", sealed_for(&recipients)));
        let (header, by_previous, by_signer) = Self::parse_body(&recipients, body).ok_or_else(damaged)?;
        let signature = Fields(signature).array().ok_or_else(damaged)?;
        let mut uncertified = body.to_vec();
        for at in [BY_PREVIOUS_AT, BY_SIGNER_AT] {
            put_certificate(&mut uncertified, at, &NO_CERTIFICATE);
        }
        let signed = digest(&[bytes.get(..signature_at).unwrap_or_default()]);
        let key = Checking::new(&header.key);
        Ok(Self {
            is_signed: key.is_some_and(|key| key.accepts(Purpose::Header, &signed, &signature)),
            digest: digest(&[bytes.get(..end).unwrap_or_default()]),
            body_digest: digest(&[&uncertified]),
            by_previous,
            by_signer,
            bytes: end,
            header,
        })
    }

    fn parse_body(recipients: &str, body: &[u8]) -> Option<(Header, [u8; SIGNATURE_BYTES], [u8; SIGNATURE_BYTES])> {
        let mut body = Fields(body);
        let chain = body.array()?;
        let (number, begun, first_line, removed) = (body.u64()?, body.i64()?, body.u64()?, body.u64()?);
        let key = body.array()?;
        let previous = Position { chain: body.array()?, number: body.u64()?, digest: body.array()? };
        let (by_previous, signer, by_signer) = (body.array()?, body.array()?, body.array()?);
        let signer = (signer != [0; 32]).then_some(signer);
        let name_bytes = body.u16()?;
        let name = body.text(name_bytes.into())?;
        let previous_bytes = body.u16()?;
        let previous_name = body.text(previous_bytes.into())?;
        let wrapped_bytes = body.u32()?;
        let wrapped = body.bytes(wrapped_bytes as usize)?.to_vec();
        let previous = (previous.chain != [0; 16]).then_some(previous);
        let recipients = recipients.to_owned();
        let header = Header {
            recipients,
            chain,
            number,
            begun,
            first_line,
            removed,
            key,
            previous,
            signer,
            name,
            previous_name,
            wrapped,
        };
        body.0.is_empty().then_some((header, by_previous, by_signer))
    }

    /// Returns whether the key of the segment before it should vouch for it.
    pub(super) fn names_previous_key(&self) -> bool {
        self.by_previous != NO_CERTIFICATE
    }

    /// Returns whether that key of the segment before it vouches for it.
    pub(super) fn is_certified_by(&self, key: &[u8; 32]) -> bool {
        self.accepts(key, &self.by_previous)
    }

    /// Returns whether that signer vouches for it.
    pub(super) fn is_certified_by_signer(&self, verifier: &Verifier) -> bool {
        self.accepts(verifier.bytes(), &self.by_signer)
    }

    fn accepts(&self, key: &[u8; 32], certificate: &[u8; SIGNATURE_BYTES]) -> bool {
        Checking::new(key).is_some_and(|key| key.accepts(Purpose::Certificate, &self.body_digest, certificate))
    }
}

fn put_certificate(body: &mut [u8], at: usize, certificate: &[u8; SIGNATURE_BYTES]) {
    if let Some(place) = body.get_mut(at..at + SIGNATURE_BYTES) {
        place.copy_from_slice(certificate);
    }
}

/// Returns for whom a file is sealed, as the end of a message.
pub(super) fn sealed_for(recipients: &str) -> String {
    let names: Vec<_> = recipients.lines().map(|name| name.escape_default().to_string()).collect();
    if names.is_empty() { String::new() } else { format!("; it is sealed for {}", names.join(", ")) }
}

/// Takes fields from the start of bytes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(field)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn text(&mut self, count: usize) -> Option<String> {
        String::from_utf8(self.bytes(count)?.to_vec()).ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}
