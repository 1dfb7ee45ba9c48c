//! Keeps tracing's cache of interests right for subscribers that are set for a scope.
//!
//! tracing decides once for each call site whether a subscriber wants it. While only one subscriber is registered, it asks
//! the default one of the thread that reaches the call site first. A thread without a subscriber then disables the call
//! site for all threads. Once two subscribers are registered, tracing asks all of them instead. So the first layer that is
//! built registers two [`StandIn`]s, which stay. They answer like a subscriber with a layer of ours, and so change no
//! interest.

use std::sync::OnceLock;

use arc_swap::ArcSwapOption;
use tracing::dispatcher::WeakDispatch;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

/// The subscribers with a layer of ours. Not behind a lock, which a fork could copy while it is held.
static SUBSCRIBERS: ArcSwapOption<Vec<WeakDispatch>> = ArcSwapOption::const_empty();

/// Makes tracing ask all subscribers about a call site, from now on.
pub(crate) fn ask_all_subscribers() {
    static STAND_INS: OnceLock<[Dispatch; 2]> = OnceLock::new();
    // With two, there are enough of them before a subscriber is registered.
    STAND_INS.get_or_init(|| [Dispatch::new(StandIn), Dispatch::new(StandIn)]);
}

/// Makes the stand-ins answer like `subscriber` while it exists.
pub(crate) fn answer_like(subscriber: &Dispatch) {
    let own = subscriber.downgrade();
    SUBSCRIBERS.rcu(|known| {
        let known = known.iter().flat_map(|known| known.iter()).filter(|known| known.upgrade().is_some());
        Some(known.chain([&own]).cloned().collect::<Vec<_>>().into())
    });
}

/// A subscriber that is never the default one of a thread.
struct StandIn;

impl Subscriber for StandIn {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        let known = SUBSCRIBERS.load();
        match known.iter().flat_map(|known| known.iter()).find_map(WeakDispatch::upgrade) {
            Some(subscriber) => subscriber.register_callsite(meta),
            // Like tracing for a single subscriber.
            None => dispatcher::get_default(|current| current.register_callsite(meta)),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
