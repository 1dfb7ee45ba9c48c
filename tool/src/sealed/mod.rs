//! What the commands for sealed logs share: where keys and other texts come from.

mod heads;
mod keys;
mod source;
mod tokens;

pub(crate) use self::heads::heads;
pub(crate) use self::keys::KeyArgs;
pub(crate) use self::source::{Source, warn_of_readers};
pub(crate) use self::tokens::texts;
