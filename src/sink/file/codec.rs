//! The codecs, as far as the crate's features include them.

use std::io::{self, ErrorKind, Read, Write};

use crate::rotation::Compression;

/// Compresses all of `source` into `target` and returns the latter.
pub(super) fn encode<W: Write>(compression: Compression, source: impl Read, target: W) -> io::Result<W> {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::default());
            io::copy(&mut { source }, &mut encoder)?;
            encoder.finish()
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(target, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            encoder.include_checksum(true)?;
            io::copy(&mut { source }, &mut encoder)?;
            encoder.finish()
        }
        _ => {
            drop((source, target));
            Err(ErrorKind::Unsupported.into())
        }
    }
}

/// How a compressed file compares with the plain one that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(feature = "gzip", feature = "zstd")), expect(dead_code, reason = "nothing is decoded"))]
pub(super) enum Comparison {
    /// It is intact and holds everything that the plain one does.
    Complete,
    /// It is damaged, or ends earlier: the plain one holds everything.
    Incomplete,
    /// It is intact and holds something else.
    Different,
}

/// Compares the decoded bytes of `packed` with those of `plain`; `None` when the feature for it is off.
pub(super) fn compare(compression: Compression, packed: impl Read, plain: impl Read) -> Option<io::Result<Comparison>> {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip => Some(compare_decoded(flate2::read::MultiGzDecoder::new(packed), plain)),
        #[cfg(feature = "zstd")]
        Compression::Zstd => Some(match zstd::stream::read::Decoder::new(packed) {
            Ok(decoder) => compare_decoded(decoder, plain),
            Err(_) => Ok(Comparison::Incomplete),
        }),
        _ => {
            drop((packed, plain));
            None
        }
    }
}

/// # Errors
/// `plain` cannot be read. A `decoded` that cannot be read to its end is incomplete, whatever it began with.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn compare_decoded(mut decoded: impl Read, mut plain: impl Read) -> io::Result<Comparison> {
    const BYTES: usize = 64 << 10;
    let (mut ours, mut theirs) = (vec![0; BYTES], vec![0; BYTES]);
    let mut result = Comparison::Complete;
    loop {
        let Ok(unpacked) = fill(&mut decoded, &mut theirs) else { return Ok(Comparison::Incomplete) };
        let expected = fill(&mut plain, &mut ours)?;
        if result == Comparison::Complete {
            let both = expected.min(unpacked);
            if ours.get(..both) != theirs.get(..both) {
                result = Comparison::Different;
            } else if unpacked < expected {
                return Ok(Comparison::Incomplete);
            }
        }
        // The rest of the compressed file tells whether it is intact.
        if unpacked < BYTES {
            return Ok(result);
        }
    }
}

/// Reads until `bytes` is full or the source ends. Returns how much was read.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn fill(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(feature = "gzip")]
#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compared(packed: &[u8], cut: usize, plain: &[u8]) -> Comparison {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(packed).unwrap();
        let bytes = encoder.finish().unwrap();
        compare(Compression::Gzip, &bytes[..bytes.len() - cut], plain).unwrap().unwrap()
    }

    #[test]
    fn a_compressed_file_is_compared_byte_by_byte() {
        let text: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let mut other = text.clone();
        for at in [0, 65_535, 65_536, 299_999] {
            other[at] ^= 1;
            assert_eq!(compared(&other, 0, &text), Comparison::Different, "{at}");
            other[at] ^= 1;
        }
        assert_eq!(compared(&text, 0, &text), Comparison::Complete);
        assert_eq!(compared(&text, 0, &text[..70_000]), Comparison::Complete);
        assert_eq!(compared(&text[..70_000], 0, &text), Comparison::Incomplete);
        assert_eq!(compared(&text[..65_536], 0, &text), Comparison::Incomplete);
        assert_eq!(compared(&text, 3, &text), Comparison::Incomplete);
        assert_eq!(compared(b"", 0, b""), Comparison::Complete);
        assert_eq!(compared(b"", 0, b"a"), Comparison::Incomplete);
    }
}
