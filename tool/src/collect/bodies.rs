//! Bodies of requests: read in bounded memory and time, and decompressed into bounded memory.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A window beyond this is refused: the decoder would allocate it. RFC 9659 asks for it.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is too large, also after it was decompressed.
    TooLarge,
    /// It took too long.
    TimedOut,
    /// The connection ended within it.
    Ended,
    /// The bodies of all requests take too much memory.
    NoMemory,
    /// It is not compressed as its header says.
    Broken,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    /// In the format of zlib, as RFC 9110 has it.
    Deflate,
    Zstd,
}

impl Coding {
    /// Returns the coding that a header names; `None` for any other.
    pub(super) fn of(header: Option<&[u8]>) -> Option<Self> {
        match header.unwrap_or_default().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Some(Self::Identity),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            b"zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A body, and the memory that it takes.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// Puts what the body was decompressed to in its place. Its memory counts from then on.
    ///
    /// # Errors
    /// The bodies of all requests take too much memory.
    pub(super) fn replace(&mut self, bytes: Vec<u8>, memory: &Arc<Semaphore>) -> Result<(), Unread> {
        self.memory = None;
        self.bytes = bytes;
        self.memory = Some(room(memory, self.bytes.len())?);
        Ok(())
    }
}

/// Takes memory, if there is enough. A slow body keeps its memory, so nobody waits for it.
fn room(memory: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Unread> {
    let permits = u32::try_from(bytes).map_err(|_| Unread::TooLarge)?;
    Arc::clone(memory).try_acquire_many_owned(permits).map_err(|_| Unread::NoMemory)
}

/// Reads a body as it was sent.
pub(super) async fn read(
    body: Incoming,
    max_bytes: usize,
    longest: Duration,
    memory: &Arc<Semaphore>,
) -> Result<Body, Unread> {
    timeout(longest, read_all(body, max_bytes, memory)).await.unwrap_or(Err(Unread::TimedOut))
}

async fn read_all(mut body: Incoming, max_bytes: usize, memory: &Arc<Semaphore>) -> Result<Body, Unread> {
    let (mut bytes, mut taken): (_, Option<OwnedSemaphorePermit>) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|_| Unread::Ended)?.into_data() else { continue };
        if bytes.len() + part.len() > max_bytes {
            return Err(Unread::TooLarge);
        }
        let more = room(memory, part.len())?;
        match &mut taken {
            // A sender may send each byte as a chunk.
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Body { bytes, memory: taken })
}

/// Decompresses bytes, up to `max_bytes`.
pub(super) fn decompress(bytes: Vec<u8>, coding: Coding, max_bytes: usize) -> Result<Vec<u8>, Unread> {
    match coding {
        Coding::Identity => Ok(bytes),
        Coding::Gzip => read_up_to(MultiGzDecoder::new(bytes.as_slice()), max_bytes),
        Coding::Deflate => read_up_to(ZlibDecoder::new(bytes.as_slice()), max_bytes),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(|_| Unread::Broken)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(|_| Unread::Broken)?;
            read_up_to(decoder, max_bytes)
        }
    }
}

/// Returns what a compressed datagram holds, up to `max_bytes`. Senders of GELF compress without saying so. `None` if it is
/// not compressed, or cannot be read.
pub(super) fn inflated(datagram: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    match datagram {
        [0x1f, 0x8b, ..] => read_up_to(MultiGzDecoder::new(datagram), max_bytes).ok(),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => read_up_to(ZlibDecoder::new(datagram), max_bytes).ok(),
        _ => None,
    }
}

fn read_up_to(reader: impl Read, max_bytes: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    reader.take(max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(|_| Unread::Broken)?;
    if bytes.len() > max_bytes { Err(Unread::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_datagram_is_inflated_within_its_limit() {
        let text = b"{\"short_message\":\"hi\"}".repeat(10);
        for compressed in [gzip(&text), zlib(&text)] {
            assert_eq!(inflated(&compressed, text.len()).as_ref(), Some(&text));
            assert_eq!(inflated(&compressed, text.len() - 1), None);
            assert_eq!(inflated(&compressed[..compressed.len() - 1], text.len()), None);
        }
        assert_eq!(inflated(b"{}", 100), None);
    }

    #[test]
    fn a_body_is_decompressed_as_its_header_says() {
        let text = b"{}\n".repeat(1000);
        for (coding, bytes) in [
            (Coding::Identity, text.clone()),
            (Coding::Gzip, gzip(&text)),
            (Coding::Deflate, zlib(&text)),
            (Coding::Zstd, zstd::encode_all(text.as_slice(), 3).unwrap()),
        ] {
            assert_eq!(decompress(bytes, coding, text.len()), Ok(text.clone()), "{coding:?}");
        }
        assert_eq!(Coding::of(Some(b" GZIP ")), Some(Coding::Gzip));
        assert_eq!((Coding::of(None), Coding::of(Some(b"br"))), (Some(Coding::Identity), None));
        assert_eq!(decompress(b"{}".to_vec(), Coding::Gzip, 100), Err(Unread::Broken));
        assert_eq!(decompress(b"{}".to_vec(), Coding::Zstd, 100), Err(Unread::Broken));
        assert_eq!(decompress(gzip(&text)[..20].to_vec(), Coding::Gzip, 10_000), Err(Unread::Broken));
    }

    #[test]
    fn a_decompression_bomb_stops_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        assert_eq!(decompress(gzip(&zeros), Coding::Gzip, 1 << 20), Err(Unread::TooLarge));
        let bomb = zstd::encode_all(zeros.as_slice(), 3).unwrap();
        assert_eq!(decompress(bomb, Coding::Zstd, 1 << 20), Err(Unread::TooLarge));
        // Two members: the second one is a bomb, too.
        let both = [gzip(b"{}"), gzip(&zeros)].concat();
        assert_eq!(decompress(both, Coding::Gzip, 1 << 20), Err(Unread::TooLarge));
        // A frame that asks for a window of 128 MiB.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"{}").unwrap();
        assert_eq!(decompress(encoder.finish().unwrap(), Coding::Zstd, 1 << 20), Err(Unread::Broken));
    }
}
