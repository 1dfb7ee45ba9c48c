//! The part that all lines share: process, service and static fields.

use super::members::{put_member, put_named};
use super::options::Options;
use super::slots::Slots;
use crate::names::last_of_each;
use crate::record::{Record, Value};
use crate::schema::host::hostname;

/// The part of a line that is the same in all lines.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) bytes: Vec<u8>,
    pid: u32,
    hostname: String,
}

impl Fixed {
    pub(super) fn new(record: &Record<'_>, options: &Options) -> Self {
        let (pid, hostname) = (std::process::id(), if options.hostname { hostname() } else { String::new() });
        let mut fixed = Self { bytes: Vec::new(), pid, hostname };
        let mut bytes = Vec::new();
        fixed.put_process(options, &mut bytes);
        if let Some(service) = record.service() {
            put_member(&mut bytes, b",\"service\":", &Value::Str(service));
        }
        let slots = Slots::new(options);
        for (name, value) in last_of_each(record.static_fields()) {
            if slots.find(name).is_none() {
                put_named(&mut bytes, name, &value);
            }
        }
        fixed.bytes = bytes;
        fixed
    }

    pub(super) fn put_process(&self, options: &Options, out: &mut Vec<u8>) {
        if options.pid {
            put_member(out, b",\"pid\":", &Value::U64(u64::from(self.pid)));
        }
        if options.hostname {
            put_member(out, b",\"hostname\":", &Value::Str(&self.hostname));
        }
    }
}
