//! What loggers write: under which keys their lines have what, how levels are spelled, and how times are.
//!
//! `collect` reads what other programs send with it, and `find` what they have written to files.

mod dialect;
mod level;
mod month_time;
mod string;
pub(crate) mod time;
#[cfg(feature = "find")]
pub(crate) mod zone;

pub(crate) use dialect::Dialect;
#[cfg(feature = "find")]
pub(crate) use dialect::{Keys, UNKNOWN};
pub(crate) use level::{LineLevel, Numbers};
pub(crate) use month_time::MonthTime;
pub(crate) use string::string;
