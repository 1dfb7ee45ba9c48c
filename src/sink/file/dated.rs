//! The files of all periods of a log with a date in its path.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::failed::failed;
use super::log_files::{LogFiles, SegmentFile};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Found, Label, PathPattern, Retention, Segment, SegmentNames};
use crate::sink::directory::{Directory, Links};

/// The file of each period, oldest first.
type Periods = BTreeMap<Label, Place>;

/// Where the file of a period is.
#[derive(Clone)]
struct Place {
    directory: Arc<Directory>,
    name: String,
    /// The directories above it, from the first one with a date: each with the name that leads on.
    above: Vec<(Arc<Directory>, String)>,
    /// Segments of the period that were closed before its end.
    closed: BTreeMap<Segment, Vec<SegmentFile>>,
}

/// A segment that retention may remove.
struct Removable {
    place: Place,
    /// The names of its files; of none, it is the file of the whole period, which another process may still write.
    names: Vec<String>,
    closed_at: Timestamp,
    bytes: u64,
}

impl LogFiles {
    /// Returns the files of the log at `path`, of the period that `time` belongs to. Opens the directory, or creates it.
    pub(super) fn at(&self, path: &Path, time: Timestamp) -> Result<Self, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(Error::invalid(format!("open {}: the path has no file name in UTF-8", path.display())));
        };
        let directory = Directory::open(parent, self.new_files.directory_mode).map_err(failed("open", path))?;
        Ok(Self {
            directory: Arc::new(directory),
            active_path: path.to_owned(),
            names: SegmentNames::new(name),
            period_of: Some(time),
            link: self.link.as_ref().map(|link| link.to(path)),
            ..self.clone()
        })
    }

    /// Removes the segments of all periods that are beyond a limit, oldest first, and directories that become empty. The
    /// file of the current period, and those of later ones, stay. Returns when the next one will be too old.
    pub(super) fn prune_dated(
        &self,
        pattern: &PathPattern,
        retention: &Retention,
        now: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Error> {
        if self.directory.has_other_root() {
            return Ok(None);
        }
        let removable = self.removable(pattern, now).map_err(failed("list", pattern.base()))?;
        let closed: Vec<_> = removable.iter().map(|segment| (segment.closed_at, segment.bytes)).collect();
        let surplus = retention.surplus(&closed, now);
        let mut result = Ok(retention.expiry(&closed, &surplus));
        for segment in surplus.iter().filter_map(|place| removable.get(*place)) {
            let Place { directory, name, .. } = &segment.place;
            let removed = segment.remove().map_err(failed("remove", &directory.path().join(name)));
            result = result.and_then(|expiry| removed.map(|()| expiry));
        }
        result
    }

    /// Returns all closed segments, oldest first.
    fn removable(&self, pattern: &PathPattern, now: Option<Timestamp>) -> io::Result<Vec<Removable>> {
        let mut removable = Vec::new();
        let current = self.period_of.map(|time| self.calendar.label(time));
        for (label, mut place) in periods(pattern, self.new_files.directory_mode)? {
            let names = SegmentNames::new(&place.name);
            let segments = std::mem::take(&mut place.closed);
            for (segment, stored) in &segments {
                removable.push(Removable {
                    place: place.clone(),
                    names: stored.iter().map(|file| names.segment(*segment, file.compression)).collect(),
                    closed_at: self.closed_at(*segment, stored, now),
                    bytes: stored.iter().map(|file| file.entry.bytes).sum(),
                });
            }
            let whole = place.directory.inspect(&place.name).ok().filter(|entry| entry.distrust(Links::Any).is_none());
            if let Some(entry) = whole.filter(|_| Some(label) < current) {
                let end = || self.calendar.end(label).map_or(entry.modified, |end| end.min(entry.modified));
                let is_past = now.is_none_or(|now| entry.modified <= now);
                let closed_at = if is_past { entry.modified } else { end() };
                removable.push(Removable { place, names: Vec::new(), closed_at, bytes: entry.bytes });
            }
        }
        Ok(removable)
    }
}

impl Removable {
    fn remove(&self) -> io::Result<()> {
        let Place { directory, name, above, .. } = &self.place;
        if !self.names.is_empty() {
            return self.names.iter().try_for_each(|name| directory.remove(name));
        }
        let claimed = match directory.claim(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            claimed => claimed?,
        };
        // A process that is behind still writes it.
        let Some(file) = claimed else { return Ok(()) };
        directory.remove(&SegmentNames::new(name).lock())?;
        directory.remove(name)?;
        drop(file);
        // Those that hold something else stay.
        let _ = above.iter().rev().try_for_each(|(above, name)| above.remove_directory(name));
        Ok(())
    }
}

/// Finds the file of each period, also where only segments of it are left.
fn periods(pattern: &PathPattern, directory_mode: u32) -> io::Result<Periods> {
    let base = Arc::new(Directory::open(pattern.base(), directory_mode)?);
    let mut periods = Periods::new();
    visit(&base, pattern, &[], &Found::default(), &mut periods)?;
    Ok(periods)
}

fn visit(
    directory: &Arc<Directory>,
    pattern: &PathPattern,
    above: &[(Arc<Directory>, String)],
    known: &Found,
    periods: &mut Periods,
) -> io::Result<()> {
    let depth = above.len();
    let mut names = Vec::new();
    directory.each_name(|name| {
        names.push(name.to_owned());
        Ok(())
    })?;
    for name in names {
        if depth + 1 < pattern.depth() {
            // What cannot be entered, or has gone, holds no file of this log.
            if let Some(known) = pattern.enter(depth, &name, known)
                && let Ok(below) = directory.enter(&name)
            {
                let above = [above, &[(Arc::clone(directory), name)]].concat();
                visit(&Arc::new(below), pattern, &above, &known, periods)?;
            }
            continue;
        }
        let of_segment = SegmentNames::of_segment(&name);
        let active = of_segment.as_ref().map_or(name.as_str(), |(names, ..)| names.active()).to_owned();
        let label = pattern.enter(depth, &active, known).and_then(|known| PathPattern::label(&known));
        let Some(label) = label else { continue };
        let new =
            || Place { directory: Arc::clone(directory), name: active, above: above.to_vec(), closed: BTreeMap::new() };
        let place = periods.entry(label).or_insert_with(new);
        if let Some((_, segment, compression)) = of_segment
            && let Ok(entry) = directory.inspect(&name)
            && LogFiles::distrust(segment, &entry).is_none()
        {
            place.closed.entry(segment).or_default().push(SegmentFile { compression, entry });
        }
    }
    Ok(())
}
