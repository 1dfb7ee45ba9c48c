//! A panic as an ERROR line: called from the panic hook, on the thread that panics.
//!
//! A panic in here would abort the process, and a lock that the panicking thread holds would hang it. So no user code
//! runs here: the payload is only looked at, what has to be delivered by the caller is delivered by a thread of its own,
//! and the span's extensions, which another layer may have locked when it panicked, are looked at by one as well,
//! for a short time. The line goes straight to the outputs, past the dispatcher, which does not let a thread in that is
//! inside it already.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

use super::{Core, KIND_RELEASES, THREAD, recent, with_scratch};
use crate::context::Node;
use crate::queue::{Head, Push};
use crate::record::{Capture, Value, backtrace, is_formatting};
use crate::worker;

/// What filters go by.
const TARGET: &str = "panic";

/// So long is waited for the span's fields, which whoever panics may have locked himself.
const LOOK: Duration = Duration::from_millis(100);

/// … and so long for a line that this thread would have to write itself.
const DELIVERY: Duration = Duration::from_secs(5);

/// The logs that tell of panics. No lock: somebody may panic at any point, a fork included.
static LISTENING: ArcSwapOption<Vec<Weak<Core>>> = ArcSwapOption::const_empty();

thread_local! {
    /// Whether this thread was started here, to look after a panic on another.
    static IS_LOOKING: Cell<bool> = const { Cell::new(false) };
}

struct Site;

static SITE: Site = Site;

static METADATA: Metadata<'static> =
    Metadata::new("panic", TARGET, Level::ERROR, None, None, None, FieldSet::new(&[], Identifier(&SITE)), Kind::EVENT);

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

/// Has a log tell of panics, for as long as it is there.
pub(crate) fn listen(core: &Arc<Core>) {
    LISTENING.rcu(|all| {
        let others = all.iter().flat_map(|all| all.iter()).filter(|core| core.strong_count() > 0).cloned();
        Some(Arc::new(others.chain([Arc::downgrade(core)]).collect::<Vec<_>>()))
    });
}

/// Whether this thread does nothing but look after a panic on another: its own is nobody's business.
pub(crate) fn is_looking() -> bool {
    IS_LOOKING.try_with(Cell::get).unwrap_or(false)
}

/// Logs a panic, from the panic hook. `aborts`: the process ends with it.
///
/// Not one that is caught where it happens: in a value that is being captured, and on the log's own threads.
pub(crate) fn log_panic(panic: &PanicHookInfo<'_>, aborts: bool) {
    if worker::own_lane().is_some() || (is_formatting() && !aborts) {
        return;
    }
    let listening = LISTENING.load();
    for core in listening.iter().flat_map(|all| all.iter()).filter_map(Weak::upgrade) {
        core.log_panic(panic);
    }
}

impl Core {
    fn log_panic(self: &Arc<Self>, panic: &PanicHookInfo<'_>) {
        let mask = self.filters.mask(TARGET, Level::ERROR);
        if mask == 0 {
            return;
        }
        let context = self.panicking_in();
        let to_deliver = with_scratch(|scratch| {
            let mut capture = Capture::new(scratch, self.max_record_bytes);
            self.capture_panic(&mut capture, panic);
            let push = Push {
                head: Head::Event { meta: &METADATA, is_log: true },
                time: self.clock.now(),
                bytes: scratch.bytes(),
                context: context.as_ref(),
                may_wait: true,
            };
            self.push_special(KIND_RELEASES, mask, push)
        });
        if to_deliver != 0 {
            self.deliver_elsewhere(to_deliver);
        }
    }

    /// As a record of the `log` crate, which carries its place itself.
    fn capture_panic(&self, capture: &mut Capture<'_>, panic: &PanicHookInfo<'_>) {
        self.capture_thread(capture);
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        capture.named("message", &Value::Str(text.unwrap_or("Box<dyn Any>")));
        capture.named("log.target", &Value::Str(TARGET));
        if let Some(at) = panic.location() {
            capture.named("location", &Value::Str(&at.to_string()));
            capture.named("log.file", &Value::Str(at.file()));
            capture.named("log.line", &Value::U64(u64::from(at.line())));
        }
        let _ = THREAD.try_with(|(_, name)| {
            let name = if name.is_empty() { "<unnamed>" } else { name };
            capture.named("thread", &Value::Str(name));
        });
        let asked = std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0" && !asked.is_empty());
        if asked || self.extras.backtrace >= Level::ERROR {
            capture.backtrace(&backtrace(true));
        }
    }

    /// The node of the span this thread is in.
    fn panicking_in(&self) -> Option<Arc<Node>> {
        let dispatch = self.place.subscriber.get()?.upgrade()?;
        let find = *self.place.find.get()?;
        let id = dispatch.current_span().id()?.clone();
        let core = self.serial;
        if let Some(node) = recent::with(core, &id, Arc::clone) {
            return Some(node);
        }
        let mut found = None;
        elsewhere(LOOK, move || {
            find(&dispatch, &id, &mut |nodes| {
                found = nodes.and_then(|nodes| nodes.of(core)).cloned();
                found.is_some()
            });
            found
        })
        .flatten()
    }

    /// Has the outputs in `mask` written, which only the user's code can do here: by another thread.
    fn deliver_elsewhere(self: &Arc<Self>, mask: u64) {
        let core = Arc::clone(self);
        elsewhere(DELIVERY, move || core.lanes_in(mask).for_each(|lane| lane.deliver_here()));
    }
}

/// What `look` finds on a thread of its own, if it does so in time.
#[expect(clippy::disallowed_methods, reason = "a thread that may hang or panic in place of this one")]
fn elsewhere<T: Send + 'static>(time: Duration, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("spanline-panic".to_owned());
    let started = thread.spawn(move || {
        let _ = IS_LOOKING.try_with(|looking| looking.set(true));
        // Should nobody wait for it any more, it goes no further.
        let _ = sender.send(look());
    });
    started.ok()?;
    receiver.recv_timeout(time).ok()
}
