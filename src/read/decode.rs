//! Decompresses segments with the decoders that the crate's features include.

use std::io::Read;
use std::path::Path;

use crate::error::Error;
use crate::rotation::Compression;

/// The bytes of a file as they are stored.
type Source = Box<dyn Read + Send>;

/// Returns a reader of what `file` held before it was compressed.
///
/// # Errors
/// Without the feature that it needs, the error names the feature.
pub(super) fn decoder(compression: Compression, file: Source, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    match compression {
        Compression::Plain => Ok(file),
        Compression::Gzip => gzip(file, path),
        Compression::Zstd => zstd(file, path),
    }
}

#[cfg(feature = "gzip")]
fn gzip(file: Source, _: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Ok(Box::new(Decoder { compression: "gzip", source: flate2::read::MultiGzDecoder::new(file) }))
}

#[cfg(not(feature = "gzip"))]
fn gzip(_: Source, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Err(missing("gzip", path))
}

#[cfg(feature = "zstd")]
fn zstd(file: Source, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    let source = zstd::stream::read::Decoder::new(file).map_err(super::open::failed("open", path))?;
    Ok(Box::new(Decoder { compression: "zstd", source }))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: Source, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
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
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.source.read(bytes).map_err(|error| {
            if error.kind() == std::io::ErrorKind::Interrupted || error.raw_os_error().is_some() {
                return error;
            }
            let compression = self.compression;
            let why = format!("expected {compression} data, found damage or an early end ({error})");
            std::io::Error::new(error.kind(), format!("{why}; the lines before it were read"))
        })
    }
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn missing(feature: &str, path: &Path) -> Error {
    let path = path.display();
    Error::invalid(format!("open {path}: it is compressed with {feature}; enable spanline's feature `{feature}`"))
}
