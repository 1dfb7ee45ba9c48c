//! The process's one global subscriber and one logger: whether their places are free, and what to do if not.

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

use crate::error::Error;
use crate::filter::CallsiteFilter;

/// Checks that `init` can install the log, before it opens any file.
///
/// # Errors
/// A global subscriber is installed, or a logger, where `takes_log` asks for its place.
pub(super) fn check_vacant(takes_log: bool) -> Result<(), Error> {
    match installed() {
        Some(Installed::Spanline) => Err(Error::invalid(
            "spanline is already the global subscriber; call `init` once, in `main`, and keep its guard; \
             `Guard::handle` controls the log from other places, and `Builder::early` takes what `spanline::early` returned",
        )),
        Some(Installed::Other) => Err(other_subscriber()),
        // The logger of a process without one has no size.
        #[cfg(feature = "log")]
        None if takes_log && size_of_val(log::logger()) > 0 => Err(other_logger()),
        None => {
            let _ = takes_log;
            Ok(())
        }
    }
}

/// Makes `subscriber` the global one.
///
/// # Errors
/// Another thread has installed one since.
pub(super) fn set_subscriber(subscriber: Dispatch) -> Result<(), Error> {
    dispatcher::set_global_default(subscriber).map_err(|_| other_subscriber())?;
    // A call site that another thread has reached meanwhile is disabled, because that thread had no subscriber. With a
    // second one, tracing does not ask this thread's, which may be one for a scope.
    drop(Dispatch::new(NoSubscriber::new()));
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

fn other_subscriber() -> Error {
    Error::invalid(
        "another global subscriber is already installed, such as by `tracing_subscriber::fmt().init()`; remove that \
         call, or take the layer from `Builder::build` and install both: \
         `tracing_subscriber::registry().with(layer).with(tracing_subscriber::fmt::layer()).init()`",
    )
}

#[cfg(feature = "log")]
pub(super) fn other_logger() -> Error {
    Error::invalid(
        "the `log` crate already has a logger, such as by `env_logger::init()` or `LogTracer::init()`; remove that \
         call, because `init` takes these records itself, or call `Builder::without_log` to leave them to that logger",
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installed {
    Spanline,
    Other,
}

/// Returns which global subscriber is installed.
#[expect(clippy::disallowed_methods, reason = "a thread without a scoped subscriber, joined at once")]
fn installed() -> Option<Installed> {
    // Also true after a subscriber was set for a scope, which hides the global one from this thread.
    if !dispatcher::has_been_set() {
        return None;
    }
    let look = |global: &Dispatch| match global {
        none if none.is::<NoSubscriber>() => None,
        ours if ours.is::<CallsiteFilter>() => Some(Installed::Spanline),
        _ => Some(Installed::Other),
    };
    std::thread::Builder::new().spawn(move || dispatcher::get_default(look)).ok()?.join().ok()?
}
