//! Sealed logs: encrypted for recipients, and signed, so that a change shows. No I/O and no threads: the writer, the reader
//! and fields use it.
//!
//! [*Sealed logs*](crate::docs::sealed) is the threat model, and [*The format of sealed files*](crate::docs::sealed_format)
//! the format, byte by byte. This module implements no cryptography. It combines that of age, RustCrypto and dalek:
//!
//! - [`Recipients`] wraps a segment's secret with age, and [`Key`] unwraps it.
//! - `chain` derives the keys of batches, and wipes what it no longer needs.
//! - `signing` signs blocks, and certifies the next key.
//! - `field` seals and opens values of fields, and `line` opens all of a line.
//! - `header` and `block` lay out bytes; `sealer` and `group` write a segment, and `opener` reads one.
//! - `audit` compares the segments of a log.

mod audit;
mod block;
mod buffered;
mod chain;
mod field;
mod finding;
mod found;
mod group;
mod header;
mod key;
mod line;
mod line_time;
mod opener;
mod progress;
mod recipients;
mod sealer;
mod signing;
mod token;

pub(crate) use self::audit::Checked;
pub use self::audit::{Checks, Report, Row, State};
pub(crate) use self::field::{FAILED, FieldSealer, PREFIX, check as check_recipients};
pub use self::field::{OpenedField, open_field};
pub(crate) use self::finding::is_of_a_crash;
pub(crate) use self::found::inspect;
pub use self::key::Key;
pub use self::line::{LineOpener, OpenedLine};
pub(crate) use self::line_time::time_between;
pub(crate) use self::opener::{Item, OpenedBlock, Opener, Place, SegmentId};
pub use self::recipients::Recipients;
pub(crate) use self::sealer::{Batch, Head, Sealer};
pub use self::signing::{Signer, Verifier};
