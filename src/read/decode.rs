//! Decompresses segments with the decoders that the crate's features include. The first bytes of a file decide how.

use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use super::open::failed;
use crate::error::Error;
use crate::rotation::Compression;

/// The bytes of a file as they are stored.
pub(super) type Source = Box<dyn Read + Send>;

/// What a sealed file begins with.
const SEALED: [u8; 16] = *b"spanline-sealed\n";

/// What gzip data begins with: its mark, and the only method that there is.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// What zstd data begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What zstd data of some programs begins with: a frame that decoders skip. The first byte's last four bits vary.
const ZSTD_SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// What a sealed file whose beginning was cut off begins with. Text never has the first byte.
const SEALED_BLOCK: [u8; 8] = *b"\xfesealed\n";

/// What opens sealed files.
#[cfg(feature = "sealed")]
pub(super) type Key = crate::sealed::Key;

/// What opens sealed files: nothing.
#[cfg(not(feature = "sealed"))]
#[derive(Clone, Debug)]
pub(super) enum Key {}

/// Returns a reader of the lines in `file`: decompressed, as its first bytes say. `named`: what its name says, which counts
/// where the bytes say nothing: the file may be empty, or damaged.
///
/// # Errors
/// It is sealed, or cannot be read. Without the feature that it needs, the error names the feature.
pub(super) fn decoded(file: Source, named: Compression, path: &Path) -> Result<Source, Error> {
    match bare(file, named, path)? {
        Bare::Sealed(file) => Err(no_key(file, path)),
        Bare::Lines(lines) => Ok(lines),
    }
}

/// A file without its compression.
pub(super) enum Bare {
    /// The writer does not compress it, but others may have done so.
    Sealed(Source),
    Lines(Source),
}

/// Returns what is in `file`. The arguments and errors are those of [`decoded`], which also fails if it is sealed.
pub(super) fn bare(file: Source, named: Compression, path: &Path) -> Result<Bare, Error> {
    let (found, file) = content(file).map_err(failed("read", path))?;
    let compression = match found {
        Content::Sealed => return Ok(Bare::Sealed(file)),
        Content::Compressed(compression) => compression,
        Content::Unknown => named,
    };
    let inside = decoder(compression, file, path)?;
    if compression == Compression::Plain {
        return Ok(Bare::Lines(inside));
    }
    match content(inside) {
        Ok((Content::Sealed, inside)) => Ok(Bare::Sealed(inside)),
        Ok((_, inside)) => Ok(Bare::Lines(inside)),
        Err(error) => Ok(Bare::Lines(Box::new(Failed(Some(error))))),
    }
}

/// Returns an error that has come too early.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn decoder(compression: Compression, file: Source, path: &Path) -> Result<Source, Error> {
    match compression {
        Compression::Plain => Ok(file),
        Compression::Gzip => gzip(file, path),
        Compression::Zstd => zstd(file, path),
    }
}

/// What the first bytes of a file say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Sealed,
    Compressed(Compression),
    /// Anything else, or nothing.
    Unknown,
}

/// Returns what a file has, and a reader of it from its beginning. Reads no more than that needs: the rest of a pipe may take
/// any time to come.
pub(super) fn content(mut file: Source) -> io::Result<(Content, Source)> {
    let mut start = [0; SEALED.len()];
    let mut length = 0;
    while is_open(start.get(..length).unwrap_or_default()) {
        match file.read(start.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let start = start.get(..length).unwrap_or_default();
    Ok((content_of(start), Box::new(Cursor::new(start.to_vec()).chain(file))))
}

/// Returns whether more bytes may tell what a file has that begins with these.
fn is_open(start: &[u8]) -> bool {
    let is_beginning = |whole: &[u8]| start.len() < whole.len() && whole.starts_with(start);
    [&SEALED[..], &SEALED_BLOCK, &GZIP, &ZSTD].into_iter().any(is_beginning)
        || start.len() < ZSTD_SKIPPABLE.len() && ZSTD_SKIPPABLE.starts_with(&without_variant(start))
}

fn content_of(start: &[u8]) -> Content {
    if is_sealed_start(start) {
        Content::Sealed
    } else if start.starts_with(&GZIP) {
        Content::Compressed(Compression::Gzip)
    } else if start.starts_with(&ZSTD) || without_variant(start).starts_with(&ZSTD_SKIPPABLE) {
        Content::Compressed(Compression::Zstd)
    } else {
        Content::Unknown
    }
}

/// Returns the bytes without what varies in those of [`ZSTD_SKIPPABLE`].
fn without_variant(start: &[u8]) -> Vec<u8> {
    start.iter().enumerate().map(|(at, byte)| if at == 0 { byte & 0xf0 } else { *byte }).collect()
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
    let source = zstd::stream::read::Decoder::new(file).map_err(failed("open", path))?;
    Ok(Box::new(Decoder { compression: "zstd", source }))
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: Source, path: &Path) -> Result<Source, Error> {
    Err(missing("zstd", path))
}

/// Returns why a sealed file cannot be opened.
#[cfg(feature = "sealed")]
fn no_key(file: Source, path: &Path) -> Error {
    super::sealed::no_key(file, path)
}

/// Returns why a sealed file cannot be opened.
#[cfg(not(feature = "sealed"))]
fn no_key(_: Source, path: &Path) -> Error {
    let path = path.display();
    Error::invalid(format!("open {path}: it is sealed; enable spanline's feature `sealed`, and pass its key"))
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
            if error.kind() == ErrorKind::Interrupted || error.raw_os_error().is_some() {
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
