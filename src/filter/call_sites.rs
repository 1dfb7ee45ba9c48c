//! What the filter of a layer knows of a call site that tracing asks about each time: a cache of the thread.

use std::cell::Cell;

use tracing::Metadata;

use crate::direct_mapped::DirectMapped;

/// When a call site is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Never,
    Always,
    /// Inside the spans of a directive, or of a request that was granted detail.
    Inside,
}

/// What is known of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) wanted: Wanted,
    /// Where its events or spans belong to. It is the same for all of a macro.
    pub(super) parent: Parent,
}

/// Where the events or spans of a call site belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// None has told.
    Unknown,
    /// In the current span.
    Current,
    /// In a span that each of them names.
    Named,
}

#[derive(Clone, Copy)]
struct Entry {
    generation: u64,
    address: usize,
    known: Known,
}

const PLACES: usize = 128;

thread_local! {
    static CALL_SITES: DirectMapped<Cell<Entry>, PLACES> = const {
        const NOTHING: Known = Known { wanted: Wanted::Never, parent: Parent::Unknown };
        DirectMapped::new([const { Cell::new(Entry { generation: 0, address: 0, known: NOTHING }) }; PLACES])
    };
}

/// Returns what this thread knows of a call site under a generation of the filters.
#[inline(always)]
pub(super) fn known(generation: u64, meta: &Metadata<'_>) -> Option<Known> {
    let address = address_of(meta);
    CALL_SITES.with(|sites| {
        let entry = sites.place(place_of(address)).get();
        (entry.generation == generation && entry.address == address).then_some(entry.known)
    })
}

/// Returns whether the metadata stay where they are. Those of a `log` record are made for it alone.
pub(super) fn is_static(meta: &Metadata<'_>) -> bool {
    std::ptr::addr_eq(meta.callsite().0.metadata(), meta)
}

/// Returns whether a call site is that of `tracing::event_enabled!` or the like, by the name that these macros give.
pub(super) fn is_question(meta: &Metadata<'_>) -> bool {
    meta.name().starts_with("enabled ")
}

/// Remembers what is known of a call site, if its metadata stay where they are.
pub(super) fn remember(generation: u64, meta: &Metadata<'_>, known: Known) {
    if is_static(meta) {
        let address = address_of(meta);
        CALL_SITES.with(|sites| sites.place(place_of(address)).set(Entry { generation, address, known }));
    }
}

/// Remembers where the events or spans of a call site belong to.
pub(super) fn remember_parent(generation: u64, meta: &'static Metadata<'static>, parent: Parent) {
    let address = address_of(meta);
    CALL_SITES.with(|sites| {
        let place = sites.place(place_of(address));
        let entry = place.get();
        if entry.generation == generation && entry.address == address {
            place.set(Entry { known: Known { parent, ..entry.known }, ..entry });
        }
    });
}

#[inline(always)]
fn address_of(meta: &Metadata<'_>) -> usize {
    std::ptr::from_ref(meta) as *const () as usize
}

#[inline(always)]
fn place_of(address: usize) -> u64 {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - PLACES.ilog2())) as u64
}
