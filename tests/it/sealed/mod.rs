//! Sealed logs: files and fields.

mod files;
mod kills;
mod tamper;
