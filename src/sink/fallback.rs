//! A second sink for the time in which the first one fails.
//!
//! Both are offered the same [`Lines`], so an answer of one could be taken for one about lines of the other. Therefore lines
//! are in flight at one of them only: those at the first are taken back when it fails, and the first is tried again when
//! none is in flight at the second.

use std::time::{Duration, Instant};

use tracing::Level;

use super::inner::{Calling, Inner};
use super::{Control, Line, Lines, Next, Profile, Sink};
use crate::error::Error;
use crate::sync::after;

/// Writes to a sink, and while it fails, to a second one, such as a local file.
///
/// Lines that the second sink has taken stay there. The page [*Spool*](crate::docs::spool) has the details, and the
/// alternative: a [`Spool`](super::Spool) delivers them later.
///
/// # Errors
/// Building the log fails if one of the sinks has an impossible setting, or if the second one cannot be opened.
///
/// # Examples
/// ```
/// use spanline::sink::{Fallback, Memory};
/// use spanline::{Output, RollingFile};
///
/// // `Memory` stands for a sink that writes to a server.
/// let output = Output::new(Fallback::new(Memory::new(), RollingFile::new("logs/orders.log")));
/// # let _ = output;
/// ```
pub struct Fallback {
    first: Inner,
    second: Box<dyn Sink>,
    first_level: Option<Level>,
    second_level: Option<Level>,
    patience: Duration,
    uses_second: bool,
    /// Lines that the second sink was not meant to have, since the first one failed.
    left_out: usize,
    /// When the first sink got ahead last, or lines came after a time without any.
    moved: Instant,
    /// When the second sink wants to be called, also without lines.
    second_at: Option<Instant>,
    reports: Vec<Error>,
}

impl Fallback {
    /// The default of [`patience`](Self::patience).
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(1);

    /// Writes to `first`, and while it fails, to `second`.
    pub fn new(first: impl Sink, second: impl Sink) -> Self {
        let second_at = second.profile().clock.acts.then(Instant::now);
        Self {
            first: Inner::new(Box::new(first)),
            second: Box::new(second),
            first_level: None,
            second_level: None,
            patience: Self::DEFAULT_PATIENCE,
            uses_second: false,
            left_out: 0,
            moved: Instant::now(),
            second_at,
            reports: Vec::new(),
        }
    }

    /// Sets how long the first sink may take or acknowledge nothing before it counts as failed: [`Self::DEFAULT_PATIENCE`]
    /// by default. An error counts at once.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the level of the lines that the first sink gets: this one and those that are more severe. All by default.
    ///
    /// Others are left out until its failure is noticed: they count as
    /// [`filtered`](crate::metrics::OutputMetrics::filtered).
    pub fn first_level(mut self, level: Level) -> Self {
        self.first_level = Some(level);
        self
    }

    /// Sets the level of the lines that the second sink gets: this one and those that are more severe. All by default.
    ///
    /// Others are left out while the first sink fails: they count as
    /// [`filtered`](crate::metrics::OutputMetrics::filtered), and the complaint at the end of the failure has their number.
    ///
    /// ```
    /// # use spanline::RollingFile;
    /// # use spanline::sink::{Fallback, Memory};
    /// # let server = Memory::new();
    /// let sink = Fallback::new(server, RollingFile::new("logs/orders.log")).second_level(tracing::Level::WARN);
    /// # let _ = spanline::Output::new(sink);
    /// ```
    pub fn second_level(mut self, level: Level) -> Self {
        self.second_level = Some(level);
        self
    }

    /// Calls the first sink. Returns what it asks for and whether it got ahead.
    fn call_first(&mut self, lines: &mut Lines, now: Instant) -> Result<(Next, bool), Error> {
        self.first.open(now)?;
        let (progress, in_flight) = (lines.progress(), lines.in_flight());
        let next = self.first.call(lines, Calling::New, now)?;
        Ok((next, lines.progress() > progress || lines.in_flight() > in_flight))
    }

    fn use_first(&mut self, lines: &mut Lines, now: Instant) -> Result<Option<Next>, Error> {
        leave_out(lines, self.first_level, u64::MAX);
        if lines.is_done() {
            self.moved = now;
        }
        let left = lines.ends_at().map(|at| at.saturating_duration_since(self.moved) / 2);
        let patience = left.map_or(self.patience, |left| left.min(self.patience));
        let asked = match self.call_first(lines, now) {
            Err(error) if error.is_rejected() => return Err(error),
            Err(error) => {
                self.switch(lines, error);
                return Ok(None);
            }
            Ok((next, has_moved)) => {
                if has_moved {
                    self.moved = now;
                }
                next
            }
        };
        if lines.is_done() {
            return Ok(Some(asked));
        }
        if now.saturating_duration_since(self.moved) >= patience {
            self.first.failed(now);
            self.switch(lines, Error::retry("the first sink takes and acknowledges nothing"));
            return Ok(None);
        }
        Ok(Some(self.within_patience(lines, asked, patience)))
    }

    /// Returns what the first sink asks for, and no later than its patience ends for lines that it has.
    fn within_patience(&self, lines: &Lines, asked: Next, patience: Duration) -> Next {
        let is_moving = asked == Next::Done && lines.has_offered();
        if lines.is_done() || is_moving { asked } else { asked.or_at(Some(after(self.moved, patience))) }
    }

    fn switch(&mut self, lines: &mut Lines, error: Error) {
        lines.give_back(..);
        // The second sink gets whole lines.
        lines.rewind_line();
        (self.uses_second, self.left_out) = (true, 0);
        lines.report(error);
        lines.remark(match self.second_level {
            None => "lines go to the second sink until the first one takes them again".to_owned(),
            Some(level) => format!(
                "lines of {level} and above go to the second sink until the first one takes lines again, others are left \
                 out"
            ),
        });
    }

    fn switch_back(&mut self, lines: &mut Lines, now: Instant) {
        (self.uses_second, self.moved) = (false, now);
        lines.remark(match self.left_out {
            0 => "the first sink takes lines again".to_owned(),
            count => format!("the first sink takes lines again; {count} lines were left out meanwhile"),
        });
    }

    fn use_second(&mut self, lines: &mut Lines, now: Instant) -> Result<Next, Error> {
        if let Some(next) = self.try_first(lines, now)? {
            return Ok(next);
        }
        self.write_second(lines, u64::MAX)
    }

    /// Passes lines before the id `end` to the second sink.
    fn write_second(&mut self, lines: &mut Lines, end: u64) -> Result<Next, Error> {
        self.left_out += leave_out(lines, self.second_level, end);
        let next = lines.until(end, |lines| self.second.write(lines))?;
        self.second_at = None;
        Ok(next)
    }

    /// Tries the first sink again, if it is ready for that. Returns what it asks for if it takes lines.
    fn try_first(&mut self, lines: &mut Lines, now: Instant) -> Result<Option<Next>, Error> {
        let may_begin = |lines: &Lines| lines.in_flight() == 0 && lines.has_offered() && lines.at_line_start();
        if !may_begin(lines) || !self.first.is_ready(now) {
            return Ok(None);
        }
        // It gets no line that its level leaves out, and the second sink gets those in their order.
        let level = self.first_level;
        let first = lines.iter().find(|line| line.is_notice || passes(line.level, level)).map(|line| line.id);
        let Some(first) = first else { return Ok(None) };
        if lines.first().is_some_and(|line| line.id < first) {
            self.write_second(lines, first)?;
            if !may_begin(lines) || lines.first().is_none_or(|line| line.id != first) {
                return Ok(None);
            }
        }
        let end = lines.iter().find(|line| !line.is_notice && !passes(line.level, level)).map(|line| line.id);
        match lines.until(end.unwrap_or(u64::MAX), |lines| self.call_first(lines, now)) {
            Ok((next, true)) => {
                self.switch_back(lines, now);
                return Ok(Some(self.within_patience(lines, next, self.patience)));
            }
            Ok((_, false)) => self.first.failed(now),
            // About a line: it takes the others.
            Err(error) if error.is_rejected() => {
                self.switch_back(lines, now);
                return Err(error);
            }
            Err(error) => {
                lines.give_back(..);
                lines.report(error);
            }
        }
        lines.rewind_line();
        Ok(None)
    }
}

/// Whether a line goes to a sink of a level.
fn passes(line: Level, of_sink: Option<Level>) -> bool {
    of_sink.is_none_or(|level| line <= level)
}

/// Leaves out offered lines before the id `end` that a level does not let pass. Returns how many.
///
/// What the log writes about itself passes. So does the rest of a line that was taken in part.
fn leave_out(lines: &mut Lines, level: Option<Level>, end: u64) -> usize {
    if level.is_none() {
        return 0;
    }
    let begun = (!lines.at_line_start()).then(|| lines.first().map(|line| line.id)).flatten();
    let is_out = |line: &Line<'_>| !line.is_notice && !passes(line.level, level) && Some(line.id) != begun;
    let out: Vec<_> = lines.iter().take_while(|line| line.id < end).filter(is_out).map(|line| line.id).collect();
    out.iter().for_each(|id| lines.leave_out(*id..=*id));
    out.len()
}

impl Sink for Fallback {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let now = Instant::now();
        for report in self.reports.drain(..) {
            lines.report(report);
        }
        if self.first.take_panic().is_some() {
            self.first.failed(now);
            if !self.uses_second {
                self.switch(lines, Error::retry("the first sink panicked"));
            }
        }
        if !self.uses_second {
            // The second one may have to remove old files.
            if self.second_at.is_some_and(|at| at <= now) && lines.in_flight() == 0 {
                self.second_at = match lines.until(0, |none| self.second.write(none)) {
                    Ok(Next::Later(at)) => Some(at),
                    Ok(_) => None,
                    Err(error) => {
                        lines.report(error);
                        Some(after(now, Self::DEFAULT_PATIENCE))
                    }
                };
            }
            if let Some(next) = self.use_first(lines, now)? {
                return Ok(if next == Next::Done && lines.has_offered() { next } else { next.or_at(self.second_at) });
            }
        }
        self.use_second(lines, now)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if let Control::Reopen = control {
            self.first.revive();
        }
        let of_second = self.second.control(control);
        if control == Control::Open {
            of_second?;
            return match self.first.open(Instant::now()) {
                Err(error) if error.is_retryable() => {
                    self.reports.push(error);
                    Ok(())
                }
                opened => opened,
            };
        }
        let of_first = self.first.control(control);
        match (of_first, control) {
            // It has no lines.
            (Err(error), Control::Flush | Control::Sync) if self.uses_second => {
                self.reports.push(error);
                of_second
            }
            (of_first, _) => of_first.and(of_second),
        }
    }

    fn profile(&self) -> Profile {
        let (mut profile, second) = (self.first.sink.profile(), self.second.profile());
        profile.path = profile.path.or(second.path);
        profile.own_targets.extend(second.own_targets);
        profile.own_threads = profile.own_threads.or(second.own_threads);
        profile.columns.ids |= second.columns.ids;
        profile.columns.field = profile.columns.field.or(second.columns.field);
        profile.logs_nothing &= second.logs_nothing;
        profile.schema = profile.schema.or(second.schema);
        profile.clock.is_local |= second.clock.is_local;
        profile.clock.acts |= second.clock.acts;
        (profile.is_plain, profile.is_terminal, profile.spools) = (false, false, true);
        profile
    }
}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fallback").field("uses_second", &self.uses_second).finish_non_exhaustive()
    }
}
