//! What was granted to requests so far in this process: the most verbose level.
//!
//! Until a request is granted detail, no call site asks for grants. The first grant of a level makes all logs ask, from
//! then on, in call sites up to that level.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use tracing::level_filters::LevelFilter;

use super::filters::Filters;

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// The place of the level in [`LEVELS`].
static MOST: AtomicU8 = AtomicU8::new(0);

/// The filters of all logs. Not behind a lock, which a fork could copy while it is held.
static LOGS: ArcSwapOption<Vec<Weak<Filters>>> = ArcSwapOption::const_empty();

/// Returns the most verbose level that was granted to a request so far.
pub(super) fn most_granted() -> LevelFilter {
    LEVELS.get(usize::from(MOST.load(Ordering::SeqCst))).copied().unwrap_or(LevelFilter::OFF)
}

/// Makes all logs ask for grants of this level.
#[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only HTTP requests are granted anything"))]
pub(crate) fn allow_grants(level: LevelFilter) {
    let place = LEVELS.iter().take_while(|known| **known < level).count();
    let place = u8::try_from(place).unwrap_or(0);
    if MOST.load(Ordering::Relaxed) < place && MOST.fetch_max(place, Ordering::SeqCst) < place {
        let logs = LOGS.load_full();
        logs.iter().flat_map(|logs| logs.iter()).filter_map(Weak::upgrade).for_each(|filters| filters.change(|_| {}));
    }
}

/// Makes a log ask for what is granted from now on, and for what was granted before.
pub(super) fn follow_grants(filters: &Arc<Filters>) {
    LOGS.rcu(|known| {
        let known = known.iter().flat_map(|known| known.iter()).filter(|known| known.strong_count() > 0);
        let own = Arc::downgrade(filters);
        Some(Arc::new(known.cloned().chain([own]).collect::<Vec<_>>()))
    });
    if most_granted() != LevelFilter::OFF {
        filters.change(|_| {});
    }
}
