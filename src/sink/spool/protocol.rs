//! The protocol of sinks, as [`Spool`] follows it.

use std::time::Instant;

use super::spool::{DISK_PAUSE, Phase, Spool};
use super::store::Store;
use crate::error::Error;
use crate::sink::{Control, Lines, Next, Profile, Sink};
use crate::sync::after;

impl Sink for Spool {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let now = Instant::now();
        self.after_panic(lines);
        if self.timing.is_unopened {
            self.has_store(now);
        }
        let look_at = if self.phase == Phase::Direct { self.look_for_others(now) } else { None };
        if self.count_taken_over(lines) {
            self.report(lines);
            return Ok(Next::More);
        }
        let mut result = Ok(Next::Done);
        if self.phase == Phase::Direct {
            match self.direct(lines, now) {
                Ok(None) => self.begin(lines),
                Ok(Some(next)) => result = Ok(next),
                Err(error) => result = Err(error),
            }
        }
        if self.store.as_ref().is_some_and(Store::has_unscanned) {
            result = Ok(Next::More);
        } else if let Phase::Spooling { from, .. } = self.phase {
            result = Ok(self.spool(lines, from, now));
        }
        let result = result.map(|next| {
            next.or_at(self.timing.disk_at.filter(|_| self.timing.is_unopened))
                .or_at(look_at.filter(|_| !lines.has_offered()))
        });
        self.report(lines);
        result
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Open => {
                self.check()?;
                if let Err(error) = self.open_store() {
                    if !self.settings.is_optional {
                        return Err(error.into_invalid());
                    }
                    (self.timing.is_unopened, self.timing.disk_at) = (true, Some(after(Instant::now(), DISK_PAUSE)));
                    self.reports.push(error);
                }
                match self.inner.open(Instant::now()) {
                    Err(error) if error.is_retryable() => self.reports.push(error),
                    opened => opened?,
                }
                Ok(())
            }
            // What is on disk is handed to the system.
            Control::Flush if self.phase != Phase::Direct => Ok(()),
            Control::Sync => {
                self.sync()?;
                if self.phase == Phase::Direct { self.inner.control(control) } else { Ok(()) }
            }
            Control::Reopen => {
                self.inner.revive();
                self.timing.disk_at = None;
                self.inner.control(control)
            }
            Control::Forked => {
                self.forget();
                self.inner.control(control)
            }
            Control::Close => {
                let synced = self.sync();
                let closed = self.inner.control(control);
                if let Some(mut store) = self.store.take() {
                    store.remove_lock();
                }
                // Another log may take over what is left, also one in this process. Later lines begin a new spool.
                self.forget();
                synced.and(closed)
            }
            Control::Tick(time) => {
                self.now = Some(time);
                self.inner.control(control)
            }
            control => self.inner.control(control),
        }
    }

    fn profile(&self) -> Profile {
        let mut profile = self.inner.sink.profile().by_clock(true);
        (profile.is_plain, profile.spools) = (false, true);
        profile
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("path", &self.settings.path).field("phase", &self.phase).finish_non_exhaustive()
    }
}
