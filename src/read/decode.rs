//! Decompresses segments with the decoders that the crate's features include.

use std::io::{self, Cursor, Read};
use std::path::Path;

use crate::error::Error;
use crate::rotation::Compression;

/// The bytes of a file as they are stored.
pub(super) type Source = Box<dyn Read + Send>;

/// What a sealed file begins with.
const SEALED: [u8; 16] = *b"spanline-sealed\n";

/// What a sealed file whose beginning was cut off begins with. Text never has the first byte.
const SEALED_BLOCK: [u8; 8] = *b"\xfesealed\n";

/// What opens sealed files.
#[cfg(feature = "sealed")]
pub(super) type Key = crate::sealed::Key;

/// What opens sealed files: nothing.
#[cfg(not(feature = "sealed"))]
#[derive(Clone, Debug)]
pub(super) enum Key {}

/// Returns a reader of the lines in `file`: decompressed.
///
/// # Errors
/// Without the feature that it needs, the error names the feature.
pub(super) fn decoder(compression: Compression, file: Source, path: &Path) -> Result<Source, Error> {
    match compression {
        Compression::Plain => Ok(file),
        Compression::Gzip => gzip(file, path),
        Compression::Zstd => zstd(file, path),
    }
}

/// Returns whether a file is sealed, and a reader of it from its beginning.
pub(super) fn is_sealed(mut file: Source) -> io::Result<(bool, Source)> {
    let mut start = Vec::with_capacity(SEALED.len());
    file.by_ref().take(SEALED.len() as u64).read_to_end(&mut start)?;
    let is_sealed = is_sealed_start(&start);
    Ok((is_sealed, Box::new(Cursor::new(start).chain(file))))
}

/// Returns whether these are the first bytes of a sealed file.
pub(super) fn is_sealed_start(start: &[u8]) -> bool {
    start.starts_with(&SEALED) || start.starts_with(&SEALED_BLOCK)
}

#[cfg(feature = "gzip")]
fn gzip(file: Source, _: &Path) -> Result<Source, Error> {
    Ok(Box::new(Decoder { compression: "gzip", source: flate2::read::MultiGzDecoder::new(file) }))
}

#[cfg(not(feature = "gzip"))]
fn gzip(_: Source, path: &Path) -> Result<Source, Error> {
    Err(missing("gzip", path))
}

#[cfg(feature = "zstd")]
fn zstd(file: Source, path: &Path) -> Result<Source, Error> {
    let source = zstd::stream::read::Decoder::new(file).map_err(super::open::failed("open", path))?;
    Ok(Box::new(Decoder { compression: "zstd", source }))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: Source, path: &Path) -> Result<Source, Error> {
    Err(missing("zstd", path))
}

/// Tells damage from a failure to read the file.
#[cfg(any(feature = "gzip", feature = "zstd"))]
struct Decoder<R> {
    compression: &'static str,
    source: R,
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.source.read(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted || error.raw_os_error().is_some() {
                return error;
            }
            let compression = self.compression;
            let why = format!("expected {compression} data, found damage or an early end ({error})");
            io::Error::new(error.kind(), format!("{why}; the lines before it were read"))
        })
    }
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn missing(feature: &str, path: &Path) -> Error {
    let path = path.display();
    Error::invalid(format!("open {path}: it is compressed with {feature}; enable spanline's feature `{feature}`"))
}
