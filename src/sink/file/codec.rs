//! The codecs, as far as the crate's features include them.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use crate::rotation::Compression;

/// Compresses all of `source` into `target` and returns the latter.
pub(super) fn encode(compression: Compression, source: impl Read, target: File) -> io::Result<File> {
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

/// Returns how many bytes `source` holds, all of them decoded; `None` when the feature for it is off.
pub(super) fn decoded_bytes(compression: Compression, source: impl Read) -> Option<io::Result<u64>> {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip => Some(io::copy(&mut flate2::read::MultiGzDecoder::new(source), &mut io::sink())),
        #[cfg(feature = "zstd")]
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(source);
            Some(decoder.and_then(|mut decoder| io::copy(&mut decoder, &mut io::sink())))
        }
        _ => {
            drop(source);
            None
        }
    }
}
