//! The log's own complaints: the last resort, when the log itself cannot be written.
//!
//! At most one for each reason in ten seconds, raw to stderr or to the user's hook. The only place that writes to
//! stderr; a stderr that nobody reads is not waited for.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::record::discard;
use crate::sync;

const PERIOD: Duration = Duration::from_secs(10);

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// Says what is wrong with the log, seldom.
#[derive(Default)]
pub(crate) struct Complaints {
    hook: Option<Hook>,
    last: Mutex<HashMap<String, Instant>>,
}

impl Complaints {
    pub(crate) fn to(hook: Hook) -> Self {
        Self { hook: Some(hook), last: Mutex::default() }
    }

    /// Keeps everybody else out, for the moment of a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        sync::lock(&self.last)
    }

    /// Says `text`, unless something of the same `reason` was said within ten seconds.
    pub(crate) fn say(&self, reason: &str, text: &str) {
        let now = Instant::now();
        {
            let mut last = self.hold();
            if last.get(reason).is_some_and(|said| now.duration_since(*said) < PERIOD) {
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

impl fmt::Debug for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Complaints")
    }
}

/// Writes one line to stderr if it takes it at once; errors are ignored.
fn raw_stderr(text: &str) {
    let line = format!("spanline: {}\n", text.escape_debug());
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stderr = rustix::stdio::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        // A pipe that is ready takes 4 KiB without blocking.
        let line = line.as_bytes().get(..4096).unwrap_or(line.as_bytes());
        if poll(&mut ready, Some(&Timespec::default())) == Ok(1) && ready[0].revents() == PollFlags::OUT {
            let _ = rustix::io::write(stderr, line);
        }
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
