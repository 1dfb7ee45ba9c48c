//! The signals that end it, or that the command gets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

/// How long the end may take, from the signal to the last line that is counted.
pub(crate) const END_PATIENCE: Duration = Duration::from_secs(5);

const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// The signals that have arrived. They no longer end the process by themselves.
pub(super) struct Signals {
    arrivals: SignalsInfo<WithOrigin>,
    /// Those that were seen, but not taken.
    seen: Vec<Arrived>,
}

/// A signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) signal: i32,
    /// Ctrl-C, or the end of a terminal: all processes of the terminal get it.
    pub(super) is_from_terminal: bool,
}

/// Whether one of them has arrived. They no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// `kills`: whether a second signal ends the process at once.
    pub(crate) fn new(kills: bool) -> io::Result<Self> {
        let has_arrived = Arc::new(AtomicBool::new(false));
        if kills {
            for signal in SIGNALS {
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&has_arrived))?;
            }
        }
        for signal in SIGNALS {
            flag::register(signal, Arc::clone(&has_arrived))?;
        }
        Ok(Self(has_arrived))
    }

    /// Returns what is set when one arrives.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Signals {
    /// `ends`: whether a second signal ends the process at once, as stdout may have a reader that does not read.
    pub(super) fn new(ends: bool) -> io::Result<Self> {
        if ends {
            Stop::new(true)?;
        }
        Ok(Self { arrivals: SignalsInfo::new(SIGNALS)?, seen: Vec::new() })
    }

    /// Returns whether signals wait to be taken.
    pub(super) fn has_arrived(&mut self) -> bool {
        self.see();
        !self.seen.is_empty()
    }

    /// Takes the signals that have arrived.
    pub(super) fn take(&mut self) -> Vec<Arrived> {
        self.see();
        std::mem::take(&mut self.seen)
    }

    fn see(&mut self) {
        let arrived = self.arrivals.pending().map(|origin| Arrived {
            signal: origin.signal,
            is_from_terminal: origin.process.is_none() && matches!(origin.cause, Cause::Kernel),
        });
        self.seen.extend(arrived);
    }
}
