//! The byte tags of the encoding: what a field's key is, and what type its value has.

/// The key is a name.
pub(super) const NAMED: u8 = 250;
/// Not a field: the thread that logged.
pub(crate) const THREAD: u8 = 251;
/// Not a field: the bytes of the preceding field that did not fit.
pub(crate) const TRUNCATED: u8 = 252;
/// Not a field: the calls that led to the event.
pub(crate) const BACKTRACE: u8 = 253;
/// Not a field: the event was held back.
pub(super) const HELD_BACK: u8 = 254;

/// Follows the fields of a record that was held back.
pub(crate) const HELD_BACK_MARK: [u8; 2] = [HELD_BACK, value_tag::TRUE];

/// The largest field index that fits a key. Fields beyond it are stored by name.
pub(crate) const MAX_INDEX: usize = 249;

/// The types of values.
pub(crate) mod value_tag {
    pub(crate) const FALSE: u8 = 0;
    pub(crate) const TRUE: u8 = 1;
    pub(crate) const I64: u8 = 2;
    pub(crate) const U64: u8 = 3;
    pub(crate) const I128: u8 = 4;
    pub(crate) const U128: u8 = 5;
    pub(crate) const F64: u8 = 6;
    pub(crate) const STR: u8 = 7;
    pub(crate) const BYTES: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const JSON: u8 = 10;
    /// A text that is shown only sealed: JSON, unless it was cut.
    pub(crate) const SEALED: u8 = 11;
}
