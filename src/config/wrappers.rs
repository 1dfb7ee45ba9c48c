//! Sections of sinks around other sinks: the spool and the fallback.

use super::sinks;
use crate::settings::{Key, Kind, Section};
use crate::sink::{Fallback, Memory, Sink, Spool};

/// Reads the sink inside; one that is thrown away after a mistake.
fn inner(section: &mut Section<'_>, key: Key) -> Box<dyn Sink> {
    let path = section.path_of(key.name);
    let node = section.value(key, Ok);
    let sink = node.and_then(|node| sinks::read(node, &path, section.walk()));
    sink.unwrap_or_else(|| Box::new(Memory::new()))
}

pub(super) fn spool(section: &mut Section<'_>) -> Box<dyn Sink> {
    let directory = section.path(Key::required("spool", Kind::Path, "The directory of the files.")).unwrap_or_default();
    let sink = inner(section, Key::required("sink", Kind::Section("sink"), "The sink that gets the lines."));
    let replay = "How many bytes in a second are sent from the disk.";
    let newest = "Drops the newest lines when the spool is full, in place of the oldest.";
    let optional = "Starts the log without a spool if the directory cannot be used.";
    let sink = section
        .on(Spool::new(directory, sink))
        .bytes("max_bytes", "256 MiB", "How many bytes the spool may take on disk.", Spool::max_bytes)
        .flag("drop_newest", newest, Spool::drop_newest)
        .duration("patience", "1 s", "How long lines wait in memory before they go to disk.", Spool::patience)
        .duration("sync_interval", "500 ms", "How long lines are on disk before they are synced.", Spool::sync_interval)
        .bytes("replay_bytes_per_second", "16 MiB", replay, Spool::replay_bytes_per_second)
        .flag("optional", optional, Spool::optional)
        .done();
    section.check(|| sink.check());
    Box::new(sink)
}

pub(super) fn fallback(section: &mut Section<'_>) -> Box<dyn Sink> {
    let doc = "The second sink, which gets the lines while the first one fails.";
    let second = inner(section, Key::required("fallback", Kind::Section("sink"), doc));
    let first = inner(section, Key::required("sink", Kind::Section("sink"), "The first sink."));
    let patience = "How long the first sink may take nothing before it counts as failed.";
    let first_level = "The level from which on lines go to the first sink.";
    let second_level = "The level from which on lines go to the second sink.";
    let sink = section
        .on(Fallback::new(first, second))
        .duration("patience", "1 s", patience, Fallback::patience)
        .level("first_level", "trace", first_level, Fallback::first_level)
        .level("second_level", "trace", second_level, Fallback::second_level)
        .done();
    Box::new(sink)
}
