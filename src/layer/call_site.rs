//! What is known of a call site: which outputs want it, and a flag for each way in which it is special.
//!
//! It is looked up for each event in a cache of the thread. A changed filter starts a new generation, which makes cached
//! entries stale.

use std::cell::Cell;
use std::thread::LocalKey;

use tracing::Metadata;

use crate::direct_mapped::DirectMapped;

/// What is known of a call site.
///
/// It has exactly two words. It is copied for each event, and a struct with `bool`s would be copied in overlapping pieces,
/// which causes store-forwarding stalls.
#[derive(Clone, Copy)]
pub(super) struct CallSite {
    /// The mask of the outputs that want it.
    pub(super) outputs: u64,
    /// The constants below, added up.
    pub(super) flags: u64,
}

impl CallSite {
    /// A call site that all records of the `log` crate share.
    pub(super) const LOG: u64 = 1;
    /// A span with a field that may name the trace.
    pub(super) const NAMES_TRACE: u64 = 2;
    /// An event whose repeats are limited.
    pub(super) const LIMITED: u64 = 4;
    /// An event with a backtrace.
    pub(super) const BACKTRACE: u64 = 8;
    /// An event that is held back from some output.
    pub(super) const HELD_BACK: u64 = 16;
    /// An event that releases what its request has held back.
    pub(super) const RELEASES: u64 = 32;
    /// A span that logs lines of its life.
    pub(super) const LOGS_SPAN: u64 = 64;
    /// A span with a field that names a request.
    pub(super) const NAMES_REQUEST: u64 = 128;
    /// The call site of the hidden spans.
    pub(super) const HIDDEN: u64 = 256;
    /// An event with fields of the same name.
    pub(super) const REPEATS_NAMES: u64 = 512;
    /// An event that some output takes only inside the spans of a directive or a grant, or a span that is seen only there.
    pub(super) const IN_CONTEXT: u64 = 1024;
    /// An event of a log whose outputs were changed: the outputs that it means are looked up with it.
    pub(super) const OUTPUTS_CHANGED: u64 = 2048;
    /// A call site of this crate with a field whose value carries fields that it does not declare. It is the bit below
    /// those of secret fields, so that one comparison finds both.
    pub(super) const CARRIES_FIELDS: u64 = 4096;
    /// From this bit on, one bit for each secret field; see `secrets`.
    pub(super) const SECRET_FIELDS: u32 = 13;

    /// The flags of events that take the slow path.
    pub(super) const SLOW_PATH: u64 = Self::LIMITED
        | Self::BACKTRACE
        | Self::HELD_BACK
        | Self::RELEASES
        | Self::REPEATS_NAMES
        | Self::IN_CONTEXT
        | Self::OUTPUTS_CHANGED;

    /// Returns whether any of these flags is set.
    #[inline(always)]
    pub(super) fn has(self, flags: u64) -> bool {
        self.flags & flags != 0
    }
}

/// A cached call site.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    generation: u64,
    address: usize,
    site: CallSite,
}

const PLACES: usize = 128;

/// A cache of call sites, for a thread-local. It has no destructor, so other thread-locals' destructors can use it.
pub(super) type Cache = DirectMapped<Cell<Entry>, PLACES>;

/// Returns an empty cache.
pub(super) const fn empty_cache() -> Cache {
    const EMPTY: Entry = Entry { generation: 0, address: 0, site: CallSite { outputs: 0, flags: 0 } };
    DirectMapped::new([const { Cell::new(EMPTY) }; PLACES])
}

/// Returns what the cache has of a call site under this generation of the filters, or else what `look_up` finds.
#[inline(always)]
pub(super) fn cached(
    cache: &'static LocalKey<Cache>,
    generation: u64,
    meta: &'static Metadata<'static>,
    look_up: impl Fn() -> CallSite,
) -> CallSite {
    let address = std::ptr::from_ref(meta) as usize;
    let hash = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - PLACES.ilog2());
    cache
        .try_with(|cache| {
            let place = cache.place(hash as u64);
            let entry = place.get();
            if entry.generation == generation && entry.address == address {
                return entry.site;
            }
            let site = look_up();
            place.set(Entry { generation, address, site });
            site
        })
        .unwrap_or_else(|_| look_up())
}
