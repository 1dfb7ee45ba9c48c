//! Sealed logs: files and fields.

mod files;
mod tamper;
