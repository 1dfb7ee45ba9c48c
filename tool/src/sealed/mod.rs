//! What commands that read sealed logs share: where keys and other texts come from, and the lines of sealed segments.

#[cfg(not(feature = "sealed"))]
mod absent;
mod beside;
#[cfg(feature = "sealed")]
mod heads;
#[cfg(feature = "sealed")]
mod keys;
#[cfg(feature = "sealed")]
mod lines;
#[cfg(feature = "sealed")]
mod source;
#[cfg(feature = "sealed")]
mod tokens;

#[cfg(all(feature = "find", not(feature = "sealed")))]
pub(crate) use self::absent::is_sealed;
#[cfg(not(feature = "sealed"))]
pub(crate) use self::absent::{Key, KeyArgs, warn_of_plain, with_key};
pub(crate) use self::beside::MOST_LINE_BYTES;
#[cfg(feature = "sealed")]
pub(crate) use self::heads::heads;
#[cfg(feature = "sealed")]
pub(crate) use self::keys::KeyArgs;
#[cfg(all(feature = "find", feature = "sealed"))]
pub(crate) use self::lines::is_sealed;
#[cfg(feature = "sealed")]
pub(crate) use self::lines::{warn_of_plain, with_key};
#[cfg(feature = "sealed")]
pub(crate) use self::source::Source;
#[cfg(all(unix, feature = "sealed"))]
pub(crate) use self::source::warn_of_readers;
#[cfg(feature = "sealed")]
pub(crate) use self::tokens::texts;
#[cfg(feature = "sealed")]
pub(crate) use spanline::sealed::Key;
