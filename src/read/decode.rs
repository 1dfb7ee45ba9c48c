//! Decompresses segments with the decoders that the crate's features include.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::Error;
use crate::rotation::Compression;

/// Returns a reader of what `file` held before it was compressed.
///
/// # Errors
/// Without the feature that it needs, the error names the feature.
pub(super) fn decoder(compression: Compression, file: File, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    match compression {
        Compression::Plain => Ok(Box::new(file)),
        Compression::Gzip => gzip(file, path),
        Compression::Zstd => zstd(file, path),
    }
}

#[cfg(feature = "gzip")]
fn gzip(file: File, _: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Ok(Box::new(flate2::read::MultiGzDecoder::new(file)))
}

#[cfg(not(feature = "gzip"))]
fn gzip(_: File, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Err(missing("gzip", path))
}

#[cfg(feature = "zstd")]
fn zstd(file: File, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Ok(Box::new(zstd::stream::read::Decoder::new(file).map_err(super::open::failed("open", path))?))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: File, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
    Err(missing("zstd", path))
}

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
fn missing(feature: &str, path: &Path) -> Error {
    let path = path.display();
    Error::invalid(format!("open {path}: it is compressed with {feature}; enable spanline's feature `{feature}`"))
}
