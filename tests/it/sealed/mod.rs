//! Sealed logs: files and fields.

mod chains;
mod faults;
mod fields;
mod files;
mod kills;
mod moved_fields;
mod python;
mod tamper;
mod vectors;
