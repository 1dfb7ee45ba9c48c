//! Adds, replaces and removes outputs while the log runs.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::assemble::MAX_OUTPUTS;
use super::output::Output;
use super::start::{MAX_QUEUE_BYTES, different_paths};
use crate::control::{self, Handle, LayerParts, wait_ended};
use crate::error::Error;
use crate::filter::{self, Directives, FilterSetting};
use crate::limit::Share;
use crate::outputs::{Change, Places};
use crate::sink::resolved;
use crate::time_zone;
use crate::worker::{Lane, own_lane};

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
        self.change_outputs(&self.outputs().change(), OutputChanges { new: vec![output], ..OutputChanges::default() })
            .map(drop)
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
        let removed = vec![name.to_owned()];
        let changes = OutputChanges { removed, ..OutputChanges::default() };
        let leaving = self.change_outputs(&self.outputs().change(), changes)?;
        match control::await_end(self.outputs(), &leaving) {
            0 => Ok(()),
            lines => Err(Error::unwritten(lines)),
        }
    }

    /// Changes outputs and their filters, all or nothing. Returns the outputs that leave, and whose end has begun.
    /// The caller has to see to their release.
    pub(crate) fn change_outputs(&self, change: &Change<'_>, changes: OutputChanges) -> Result<Vec<Arc<Lane>>, Error> {
        let layer = self.layer("has exactly one output; make another appender")?;
        if own_lane().is_some() {
            return Err(Error::own_thread("a thread of the log cannot change the log's outputs"));
        }
        let OutputChanges { new, replaces, removed, filters: own_filters } = changes;
        let mut places = change.places();
        let place_of = |name: &str| self.outputs().bit_of(name);
        let removed_names = removed;
        let removed = removed_names.iter().map(|name| place_of(name)).collect::<Result<Vec<_>, _>>()?;
        own_filters.iter().try_for_each(|(name, _)| place_of(name).map(drop))?;
        let smallest_queue = new.iter().map(Output::queue_size).min().unwrap_or(MAX_QUEUE_BYTES);
        let wants_thread = new.iter().any(Output::wants_thread);
        if new.iter().any(Output::uses_local_time)
            && let Some(wrong) = time_zone::mistake()
        {
            self.complain_once("time zone", &wrong);
        }
        let started = start_all(new, &places, &removed, replaces, layer)?;
        // Nothing fails from here on.
        change.allow(usize::try_from(smallest_queue).unwrap_or(usize::MAX), wants_thread);
        let mut leaving: Vec<_> = removed.iter().filter_map(|place| places.at(*place)).cloned().collect();
        for Started { place, lane, .. } in &started {
            match places.at(*place) {
                Some(replaced) => leaving.push(Arc::clone(replaced)),
                None => forget_place(layer, *place),
            }
            places.set(*place, Some(Arc::clone(lane)));
        }
        change.store(&places);
        let of_started = started.iter().map(|started| (started.lane.name.as_str(), &started.filters.own));
        let configured = of_started.chain(own_filters.iter().map(|(name, own)| (name.as_str(), own)));
        self.filter_control()?.change_outputs(&removed_names, configured, |filters| {
            removed.iter().for_each(|place| filters.put(*place, Some(Directives::from(LevelFilter::OFF)), None, &[]));
            for Started { place, filters: OutputFilters { own, below, own_targets }, .. } in &started {
                filters.put(*place, own.clone(), *below, own_targets);
            }
        });
        removed.iter().for_each(|place| places.set(*place, None));
        change.store(&places);
        leaving.iter().for_each(|lane| lane.queue.close(layer.deadlines.timeout, layer.deadlines.cap));
        Ok(leaving)
    }
}

/// Starts outputs. If one cannot start, those before it end.
fn start_all(
    new: Vec<Output>,
    places: &Places,
    removed: &[usize],
    replaces: bool,
    layer: &LayerParts,
) -> Result<Vec<Started>, Error> {
    different_paths(&new)?;
    let mut started: Vec<Started> = Vec::new();
    for output in new {
        match start_one(output, places, removed, replaces, &started, layer) {
            Ok(one) => started.push(one),
            Err(error) => {
                // They have no lines.
                let lanes: Vec<_> = started.into_iter().map(|Started { lane, .. }| lane).collect();
                lanes.iter().for_each(|lane| lane.queue.close(layer.deadlines.timeout, layer.deadlines.cap));
                wait_ended(lanes);
                return Err(error);
            }
        }
    }
    Ok(started)
}

fn start_one(
    mut output: Output,
    places: &Places,
    removed: &[usize],
    replaces: bool,
    started: &[Started],
    layer: &LayerParts,
) -> Result<Started, Error> {
    let wanted = output.name.clone();
    let replaced = wanted.filter(|_| replaces).and_then(|name| places.place_of(&name));
    let leaves = |place: usize| removed.contains(&place) || replaced == Some(place);
    let stays = |place: &usize| !leaves(*place);
    let others = (0..places.end()).filter(stays).filter_map(|place| places.at(place));
    let others = others.chain(started.iter().map(|started| &started.lane));
    let name = output.name_among(&others)?;
    let path = output.profile.path.as_deref().map(resolved);
    if let Some(path) = &path
        && let Some(other) = others.clone().find(|other| other.path.as_ref() == Some(path))
    {
        let text = format!("the output {} writes to {}; use one output, or another file", other.name, path.display());
        return Err(Error::invalid(text).of_output(&name));
    }
    output.avoid(&others.filter_map(|other| other.path.clone()).collect::<Vec<_>>());
    let is_free = |place: &usize| places.at(*place).is_none() && !started.iter().any(|started| started.place == *place);
    let place = replaced.or_else(|| (0..MAX_OUTPUTS).find(is_free));
    let place = place.ok_or_else(|| Error::invalid(format!("the log has {MAX_OUTPUTS} outputs; remove one first")))?;
    // What has gone before writes first, to the same name or the same file.
    let before = replaced.or_else(|| {
        let path = path.as_ref()?;
        removed.iter().copied().find(|place| places.at(*place).is_some_and(|lane| lane.path.as_ref() == Some(path)))
    });
    let filters = output.take_filters(&name)?;
    let limit = layer.core.limiter.clone().map(|limiter| Share { limiter, place });
    let before = before.and_then(|place| places.at(place)).cloned();
    let lane = output.start(name, limit, before, &layer.common)?;
    Ok(Started { place, lane, filters })
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
