//! What is known of a call site: which outputs want it, and a bit for each way in which it is not like all others.
//!
//! It is looked up for each event, in a cache of the thread; a change of a filter makes it be worked out anew.

use std::cell::Cell;
use std::thread::LocalKey;

use tracing::Metadata;

use super::Core;
use crate::context::is_hidden;

/// What is known of a call site under one generation of the filters.
#[derive(Clone, Copy)]
pub(super) struct CallSite {
    generation: u64,
    address: usize,
    known: Known,
}

/// Two words: it is copied for each event, and a struct with `bool`s is copied in pieces that overlap, for which the
/// processor has to wait.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Which outputs want it.
    pub(super) mask: u64,
    pub(super) kind: u64,
}

/// One of those that all records of the `log` crate share.
pub(super) const KIND_LOG: u64 = 1;
/// A span with a field that may name the trace.
pub(super) const KIND_NAMES_TRACE: u64 = 2;
/// An event whose repeats are limited.
pub(super) const KIND_LIMITED: u64 = 4;
/// An event that carries a backtrace.
pub(super) const KIND_BACKTRACE: u64 = 8;
/// An event that is held back from some output.
pub(super) const KIND_HOLDS: u64 = 16;
/// An event that releases what its request has held back.
pub(super) const KIND_RELEASES: u64 = 32;
/// Events that take the way of `special`.
pub(super) const KIND_SPECIAL: u64 = KIND_LIMITED | KIND_BACKTRACE | KIND_HOLDS | KIND_RELEASES;
/// A span with a line when it closes.
pub(super) const KIND_CLOSES: u64 = 64;
/// A span with a field that names a request.
pub(super) const KIND_NAMES_REQUEST: u64 = 128;
/// The hidden spans'.
pub(super) const KIND_HIDDEN: u64 = 256;
/// From this bit on, a bit for each field that is secret: see [`secrets`].
pub(super) const SECRET_FIELDS: u32 = 9;

pub(super) const PLACES: usize = 128;
pub(super) const NO_CALL_SITE: CallSite = CallSite { generation: 0, address: 0, known: Known { mask: 0, kind: 0 } };

thread_local! {
    /// A direct-mapped cache; no destructor, so it works in those of others too.
    static CALL_SITES: [Cell<CallSite>; PLACES] = const {
        [const { Cell::new(NO_CALL_SITE) }; PLACES]
    };
}

impl Core {
    /// What is known of a call site: which outputs want it, and what its fields say.
    #[inline]
    pub(super) fn call_site(&self, meta: &'static Metadata<'static>) -> Known {
        self.cached(&CALL_SITES, meta, || self.look_at(meta))
    }

    #[inline(always)]
    pub(super) fn cached(
        &self,
        places: &'static LocalKey<[Cell<CallSite>; PLACES]>,
        meta: &'static Metadata<'static>,
        look: impl Fn() -> Known,
    ) -> Known {
        let generation = self.filters.generation();
        let address = std::ptr::from_ref(meta) as usize;
        let place = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - PLACES.ilog2());
        places
            .try_with(|places| {
                let cached = places[place].get();
                if cached.generation == generation && cached.address == address {
                    return cached.known;
                }
                let known = look();
                places[place].set(CallSite { generation, address, known });
                known
            })
            .unwrap_or_else(|_| look())
    }

    #[cold]
    fn look_at(&self, meta: &'static Metadata<'static>) -> Known {
        let names = |name: &str| meta.fields().iter().any(|field| field.name() == name);
        let is_log = meta.is_event() && meta.target() == "log" && names("log.target");
        let is_hidden = is_hidden(meta);
        let names_trace = is_hidden || meta.is_span() && (names("trace_id") || names("traceparent"));
        let is_limited = meta.is_event() && self.limiter.as_ref().is_some_and(|all| all.limit(*meta.level()).is_some());
        let kind = u64::from(is_log) * KIND_LOG
            + u64::from(names_trace) * KIND_NAMES_TRACE
            + u64::from(is_limited) * KIND_LIMITED
            + u64::from(is_hidden) * KIND_HIDDEN
            + self.special_kind(meta, is_log)
            + self.secret_fields(meta, is_log);
        Known { mask: self.filters.mask(meta.target(), *meta.level()), kind }
    }
}
