//! Complaints: the last resort when the log itself cannot be written.
//!
//! A complaint goes to the user's hook, or directly to stderr. Each reason is reported at most once in ten seconds. No
//! other code writes to stderr. A stderr that nothing reads does not block: the complaint is then lost.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::fork::{AtFork, Paused, Rank};
#[cfg(unix)]
use crate::process;
use crate::record::discard;
use crate::sync;

const PERIOD: Duration = Duration::from_secs(10);

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// Reports what is wrong with the log, at a limited rate.
#[derive(Default)]
pub(crate) struct Complaints {
    hook: Option<Hook>,
    /// When each reason was last reported.
    last: Mutex<HashMap<String, Instant>>,
}

impl Complaints {
    pub(crate) fn to(hook: Hook) -> Self {
        Self { hook: Some(hook), last: Mutex::default() }
    }

    /// Reports `text`, unless the same `reason` was reported within the last ten seconds.
    pub(crate) fn say(&self, reason: &str, text: &str) {
        self.say_after(PERIOD, reason, text);
    }

    /// Reports `text`, unless the same `reason` was reported before.
    pub(crate) fn say_once(&self, reason: &str, text: &str) {
        self.say_after(Duration::MAX, reason, text);
    }

    fn say_after(&self, period: Duration, reason: &str, text: &str) {
        let now = Instant::now();
        {
            let mut last = sync::lock(&self.last);
            if last.get(reason).is_some_and(|said| now.duration_since(*said) < period) {
                return;
            }
            last.insert(reason.to_owned(), now);
        }
        match &self.hook {
            Some(hook) => {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(text))) {
                    discard(payload);
                }
            }
            None => raw_stderr(text),
        }
    }
}

impl AtFork for Complaints {
    fn rank(&self) -> Rank {
        Rank::Complaints
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut last = sync::lock(&self.last);
        Box::new(move || last.clear())
    }
}

impl fmt::Debug for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Complaints")
    }
}

/// Writes one line to stderr if that does not block. Errors are ignored.
fn raw_stderr(text: &str) {
    let line = format!("spanline: {}\n", text.escape_debug());
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stderr = rustix::stdio::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        // A pipe that is ready accepts 4 KiB without blocking.
        let line = line.as_bytes().get(..4096).unwrap_or(line.as_bytes());
        if poll(&mut ready, Some(&Timespec::default())) == Ok(1) && ready[0].revents() == PollFlags::OUT {
            let _ = process::without_write_signals(|| rustix::io::write(stderr, line));
        }
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        #[expect(clippy::disallowed_methods, reason = "the one place for complaints")]
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
