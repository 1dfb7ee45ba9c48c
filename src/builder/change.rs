//! Adds, replaces and removes outputs while the log runs.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::assemble::MAX_OUTPUTS;
use super::output::Output;
use super::start::{MAX_QUEUE_BYTES, different_paths};
use crate::control::{self, Handle, LayerParts};
use crate::error::Error;
use crate::filter::{self, Directives, FilterSetting};
use crate::limit::Share;
use crate::outputs::{Change, Places};
use crate::sink::resolved;
use crate::time_zone;
use crate::worker::Lane;

/// Why an appender's log cannot change its output: completes "an appender".
const NO_CHANGE: &str = "has exactly one output; make another appender";

/// What changes at once.
#[derive(Debug, Default)]
pub(crate) struct OutputChanges {
    /// Each replaces the output of the same name, if there is one and `replaces` is set.
    pub(crate) new: Vec<Output>,
    pub(crate) replaces: bool,
    /// The names of outputs to remove.
    pub(crate) removed: Vec<String>,
    /// New filters of outputs that stay as they are.
    pub(crate) filters: Vec<(String, Option<Directives>)>,
}

#[cfg(feature = "config")]
impl OutputChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.removed.is_empty() && self.filters.is_empty()
    }
}

/// The filters of one output.
#[derive(Clone, Debug)]
pub(super) struct OutputFilters {
    pub(super) own: Option<Directives>,
    pub(super) below: Option<Level>,
    pub(super) own_targets: Vec<String>,
}

/// An output that runs, and does not get lines yet.
struct Started {
    place: usize,
    lane: Arc<Lane>,
    filters: OutputFilters,
}

impl Handle {
    /// Adds an output to the running log. At most 64 at a time.
    ///
    /// It gets the lines of events that begin after this call returns, and possibly of some that began before. From the
    /// first change of the outputs on, each event costs the calling thread somewhat more, in all outputs.
    ///
    /// # Errors
    /// Nothing has changed if an output has that name or writes to that file, if a setting is wrong, or if the sink cannot
    /// be opened. An appender's log has one output.
    ///
    /// # Blocking
    /// As long as the sink takes to open. Waits for other changes of the outputs.
    ///
    /// # Examples
    /// ```
    /// use spanline::sink::Memory;
    /// use spanline::Output;
    ///
    /// # let (_layer, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// let handle = guard.handle();
    /// handle.add_output(Output::new(Memory::new()).name("debug").output_filter("debug"))?;
    /// handle.remove_output("debug")?;
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn add_output(&self, output: Output) -> Result<(), Error> {
        self.layer(NO_CHANGE)?;
        let changes = OutputChanges { new: vec![output], ..OutputChanges::default() };
        self.change_outputs(&self.outputs().change()?, changes).map(drop)
    }

    /// Removes an output, and ends it: what was logged before is written.
    ///
    /// Its counters leave [`metrics`](Self::metrics) with it.
    ///
    /// # Errors
    /// No output has that name. Or lines were not written within the
    /// [deadline](crate::Builder::shutdown_timeout): the output is removed, and [`Error::unwritten_lines`] returns their
    /// number. An appender's log keeps its output.
    ///
    /// # Blocking
    /// Until the output has ended, as dropping the guard does.
    pub fn remove_output(&self, name: &str) -> Result<(), Error> {
        self.layer(NO_CHANGE)?;
        let changes = OutputChanges { removed: vec![name.to_owned()], ..OutputChanges::default() };
        let leaving = self.change_outputs(&self.outputs().change()?, changes)?;
        match control::await_end(self.outputs(), &leaving) {
            0 => Ok(()),
            lines => Err(Error::unwritten(lines)),
        }
    }

    /// Changes outputs and their filters, all or nothing. Returns the outputs that leave, and whose end has begun.
    /// The caller has to see to their release.
    pub(crate) fn change_outputs(&self, change: &Change<'_>, changes: OutputChanges) -> Result<Vec<Arc<Lane>>, Error> {
        let layer = self.layer(NO_CHANGE)?;
        let OutputChanges { new, replaces, removed: removed_names, filters: own_filters } = changes;
        let mut places = change.places();
        let place_of = |name: &String| self.outputs().place_of(name);
        let removed = removed_names.iter().map(place_of).collect::<Result<Vec<_>, _>>()?;
        own_filters.iter().try_for_each(|(name, _)| place_of(name).map(drop))?;
        let smallest_queue = new.iter().map(Output::queue_size).min().unwrap_or(MAX_QUEUE_BYTES);
        let wants_thread = new.iter().any(Output::wants_thread);
        if new.iter().any(Output::uses_local_time)
            && let Some(wrong) = time_zone::mistake()
        {
            self.complain_once("time zone", &wrong);
        }
        let names = new.iter().filter(|_| replaces).filter_map(|output| output.name.as_deref());
        let replaced = names.filter_map(|name| places.place_of(name));
        let going: Vec<_> = removed.iter().copied().chain(replaced).collect();
        let mut starting = Starting { started: Vec::new(), layer };
        let leaving = self.outputs().leaving();
        different_paths(&new)?;
        for output in new {
            starting.start(output, Around { places: &places, going: &going, leaving: &leaving, replaces })?;
        }
        let mut leaving: Vec<_> = removed.iter().filter_map(|place| places.at(*place)).cloned().collect();
        let mut added = Vec::new();
        for Started { place, lane, .. } in &starting.started {
            match places.at(*place) {
                Some(replaced) => leaving.push(Arc::clone(replaced)),
                None => added.push(*place),
            }
            places.set(*place, Some(Arc::clone(lane)));
        }
        added.iter().for_each(|place| forget_place(layer, *place));
        change.allow(usize::try_from(smallest_queue).unwrap_or(usize::MAX), wants_thread);
        change.store(&places)?;
        // Nothing fails from here on.
        let started = starting.keep();
        let of_started = started.iter().map(|started| (started.lane.name.as_str(), &started.filters.own));
        let configured = of_started.chain(own_filters.iter().map(|(name, own)| (name.as_str(), own)));
        self.filter_control()?.change_outputs(&removed_names, configured, |filters| {
            removed.iter().for_each(|place| filters.put(*place, Some(Directives::from(LevelFilter::OFF)), None, &[]));
            for Started { place, filters: OutputFilters { own, below, own_targets }, .. } in &started {
                filters.put(*place, own.clone(), *below, own_targets);
            }
        });
        removed.iter().for_each(|place| places.set(*place, None));
        // At the end of the log, those that go end with all others.
        let _ = change.store(&places);
        leaving.iter().for_each(|lane| lane.queue.close(layer.deadlines.timeout, layer.deadlines.cap));
        Ok(leaving)
    }
}

/// Outputs that were started for a change. If it fails, they end.
struct Starting<'a> {
    started: Vec<Started>,
    layer: &'a LayerParts,
}

/// What is there when an output starts.
#[derive(Clone, Copy)]
struct Around<'a> {
    places: &'a Places,
    /// The places whose outputs this change removes or replaces.
    going: &'a [usize],
    /// Outputs that earlier changes have removed, and that may still write.
    leaving: &'a [Arc<Lane>],
    replaces: bool,
}

impl Starting<'_> {
    fn start(&mut self, mut output: Output, around: Around<'_>) -> Result<(), Error> {
        let Around { places, going, leaving, replaces } = around;
        let wanted = output.name.clone();
        let replaced = wanted.filter(|_| replaces).and_then(|name| places.place_of(&name));
        let stays = |place: &usize| !going.contains(place);
        let others = (0..places.end()).filter(stays).filter_map(|place| places.at(place));
        let others = others.chain(self.started.iter().map(|started| &started.lane));
        let name = output.name_among(&others)?;
        let path = output.profile.path.as_deref().map(resolved);
        let has_path = |lane: &Arc<Lane>| path.is_some() && lane.path == path;
        if let (Some(other), Some(path)) = (others.clone().find(|other| has_path(other)), &path) {
            let path = path.display();
            let text = format!("the output {} writes to {path}; use one output, or another file", other.name);
            return Err(Error::invalid(text).of_output(&name));
        }
        output.avoid(&others.filter_map(|other| other.path.clone()).collect::<Vec<_>>());
        let is_free =
            |place: &usize| places.at(*place).is_none() && !self.started.iter().any(|started| started.place == *place);
        // What an output that has gone leaves unsaid, its successor at that place could say.
        let is_quiet = |place: &usize| is_free(place) && leaving.iter().all(|lane| lane.place() != Some(*place));
        let place = replaced.or_else(|| (0..MAX_OUTPUTS).find(is_quiet)).or_else(|| (0..MAX_OUTPUTS).find(is_free));
        let place =
            place.ok_or_else(|| Error::invalid(format!("the log has {MAX_OUTPUTS} outputs; remove one first")))?;
        // What has had the name or the file before writes first.
        let of_file = going.iter().filter_map(|place| places.at(*place)).chain(leaving).filter(|lane| has_path(lane));
        let mut predecessors: Vec<_> =
            replaced.and_then(|place| places.at(place)).into_iter().chain(of_file).cloned().collect();
        predecessors.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let filters = output.take_filters(&name)?;
        let limit = self.layer.core.limiter.clone().map(|limiter| Share { limiter, place });
        let lane = output.start(name, limit, predecessors, &self.layer.common)?;
        self.started.push(Started { place, lane, filters });
        Ok(())
    }

    /// Takes them out: the change has succeeded.
    fn keep(mut self) -> Vec<Started> {
        std::mem::take(&mut self.started)
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let deadlines = self.layer.deadlines;
        self.started.iter().for_each(|started| started.lane.queue.close(deadlines.timeout, deadlines.cap));
    }
}

/// Drops what waits for the output that had this place before.
fn forget_place(layer: &LayerParts, place: usize) {
    layer.core.limiter.iter().for_each(|limiter| limiter.forget(place));
    layer.common.held.iter().for_each(|held| held.forget(1 << place));
}

impl Output {
    /// Takes out the filters.
    ///
    /// # Errors
    /// One has a mistake, or no event passes.
    pub(super) fn take_filters(&mut self, name: &str) -> Result<OutputFilters, Error> {
        let own = self.filter.take().map(FilterSetting::parse).transpose();
        let own = own.map_err(|error| error.of_output(name))?;
        filter::check_bound(own.as_ref(), self.below).map_err(|error| error.of_output(name))?;
        Ok(OutputFilters { own, below: self.below, own_targets: std::mem::take(&mut self.profile.own_targets) })
    }
}
