//! Sections of sinks on this machine: the standard streams, files and routes.

use super::{words, zones};
use crate::rotation::Period;
use crate::settings::{Key, Kind, Place, Section, Table, Value, Walk};
use crate::sink::{RollingFile, Route, Sink, Stderr, Stdout};

pub(super) fn stdout(section: &mut Section<'_>) -> Box<dyn Sink> {
    stream(section, "stdout");
    Box::new(Stdout::new())
}

pub(super) fn stderr(section: &mut Section<'_>) -> Box<dyn Sink> {
    stream(section, "stderr");
    Box::new(Stderr::new())
}

fn stream(section: &mut Section<'_>, name: &'static str) {
    section.bool(Key::new(name, Kind::Bool, "true", "The text alone, such as `sink = \"stdout\"`, does the same."));
}

pub(super) fn file(section: &mut Section<'_>) -> Box<dyn Sink> {
    let doc = "The path of the active file. It may have a date: `logs/%Y/app-%d.log`.";
    let path = section.path(Key::required("file", Kind::Path, doc)).unwrap_or_default();
    let file = rolling(section, RollingFile::new(path));
    section.check(|| file.check());
    Box::new(file)
}

/// What stands for the value's name in the path of a route.
const VALUE: &str = "{value}";

pub(super) fn route(section: &mut Section<'_>) -> Box<dyn Sink> {
    let field = section.text(Key::required("route", Kind::Text, "The field whose values choose the file."));
    let doc = "The path of each file, with `{value}` where the name for the value stands.";
    let path = section.text(Key::required("path", Kind::Form("logs/{value}.log"), doc)).unwrap_or_default();
    if !path.is_empty() && !path.contains(VALUE) {
        section.mistake(
            "path",
            "has no `{value}`, so all values would share one file; expected, for example, `logs/{value}.log`",
        );
    }
    // Checked here, and read again for each file.
    let checked = rolling(section, RollingFile::new(path.replace(VALUE, Route::DEFAULT_NAME)));
    section.check(|| checked.check());
    let table = section.table().clone();
    let file = move |name: &str| reread(&table, RollingFile::new(path.replace(VALUE, name)));
    let route = section
        .on(Route::by_field(field.unwrap_or_default(), file))
        .text("default_name", "default", "The name for lines without the field.", Route::default_name)
        .usize("open_files", "64", "How many files are open at most, besides the default one.", Route::open_files)
        .duration("idle", "5 min", "After how much time an unused file is closed.", Route::idle)
        .done();
    section.check(|| route.check());
    Box::new(route)
}

/// Applies settings that have been checked.
fn reread(table: &Table, file: RollingFile) -> RollingFile {
    let mut walk = Walk::default();
    rolling(&mut Section::new(table, Place::default(), "", &mut walk), file)
}

/// Reads the keys of a file, besides its path.
fn rolling(section: &mut Section<'_>, file: RollingFile) -> RollingFile {
    let rotate = "When to rotate: `minutely`, `every 15 minutes`, `hourly`, `every 6 hours`, `daily`, `daily at 03:00`, \
                  `weekly`, `weekly on monday` or `monthly`. Times are in UTC, with `local` behind them in the \
                  process's zone (`TZ`), and with the name of a zone in that one: `daily at 03:00 Europe/Berlin` \
                  (feature `time-zones`). `03:00 Europe/Berlin` is the same.";
    section
        .on(file)
        .bytes("rotate_bytes", "never", "Rotates before a line would make the file larger.", RollingFile::rotate_bytes)
        .with(|file, section| period(file, section, rotate))
        .flag("local_time", "Counts periods in the local time zone (`TZ`), not in UTC.", RollingFile::local_time)
        .with(time_zone)
        .flag("numbered", "Names segments `app.log.1`, `app.log.2` …, newest first.", RollingFile::numbered)
        .usize("keep_files", "all", "How many segments to keep, besides the active file.", RollingFile::keep_files)
        .duration("keep_for", "no limit", "How long to keep a segment.", RollingFile::keep_for)
        .bytes("keep_bytes", "no limit", "How many bytes the segments may take together.", RollingFile::keep_bytes)
        .with(compress)
        .with(seal)
        .with(sign)
        .flag("lazy", "Creates the file with the first line.", RollingFile::lazy)
        .with(links_and_permissions)
        .flag("strict_directory", "Refuses a directory that other users can write to.", RollingFile::strict_directory)
        .done()
}

/// Reads what only files of Unix have.
fn links_and_permissions(file: RollingFile, section: &mut Section<'_>) -> RollingFile {
    let link = "A symbolic link that always leads to the newest file.";
    let mode = "The permissions of new files, in octal digits.";
    let group = "The number of the group of new files.";
    let directories = "The permissions of new directories, in octal digits.";
    #[cfg(unix)]
    let file = section
        .on(file)
        .path("link", "none", link, RollingFile::link)
        .mode("file_mode", "600", mode, RollingFile::file_mode)
        .u32("file_group", "the system's choice", group, RollingFile::file_group)
        .mode("directory_mode", "750", directories, RollingFile::directory_mode)
        .done();
    #[cfg(not(unix))]
    for key in [
        Key::new("link", Kind::Path, "none", link),
        Key::new("file_mode", Kind::Form("640"), "600", mode),
        Key::new("file_group", Kind::Count, "the system's choice", group),
        Key::new("directory_mode", Kind::Form("640"), "750", directories),
    ] {
        words::refuse_off_unix(section, key);
    }
    file
}

/// Reads when to rotate, with the zone of a time of day behind it.
fn period(file: RollingFile, section: &mut Section<'_>, doc: &'static str) -> RollingFile {
    let Some(text) = section.text(Key::new("rotate", Kind::Form("daily at 03:00"), "never", doc)) else { return file };
    let (text, zone) = with_zone(&text);
    let period = match text.parse::<Period>() {
        Ok(period) => period,
        Err(error) => {
            section.refuse("rotate", &error);
            return file;
        }
    };
    let is_own = zone == "local" || std::env::var("TZ").is_ok_and(|own| own.trim_start_matches(':') == zone);
    match zone {
        "" | "utc" | "UTC" => file.period(period),
        _ if is_own => file.period(period).local_time(),
        _ => {
            if let Err(mistake) = zones::check(zone) {
                let other = format!(", or set the variable TZ to it, and write `{text} local`");
                let other = if cfg!(feature = "time-zones") { "" } else { &other };
                section.mistake("rotate", format!("{mistake}{other}"));
                return file;
            }
            #[cfg(feature = "time-zones")]
            let file = file.time_zone(zone);
            file.period(period)
        }
    }
}

/// Reads for whom the file is sealed.
fn seal(file: RollingFile, section: &mut Section<'_>) -> RollingFile {
    let doc = "Seals the file for these recipients, `age1…`; needs the feature `sealed`.";
    match section.texts(Key::new("seal_to", Kind::Texts, "none", doc)) {
        Some(recipients) => sealed(file, section, &recipients),
        None => file,
    }
}

#[cfg(feature = "sealed")]
fn sealed(file: RollingFile, section: &mut Section<'_>, recipients: &[String]) -> RollingFile {
    match crate::sealed::Recipients::parse(recipients.join("\n")) {
        Ok(recipients) => file.seal_to(recipients),
        Err(error) => {
            section.refuse("seal_to", &error);
            file
        }
    }
}

#[cfg(not(feature = "sealed"))]
fn sealed(file: RollingFile, section: &mut Section<'_>, _: &[String]) -> RollingFile {
    section.mistake("seal_to", words::needs_feature("sealed"));
    file
}

/// Reads the signer of a sealed file.
#[cfg(feature = "sealed")]
fn sign(file: RollingFile, section: &mut Section<'_>) -> RollingFile {
    let doc = "The signer that certifies each segment of a sealed file, as `spanline keygen --signer` makes it.";
    let Some(secret) = section.secret(Key::new("sign_with", Kind::Secret, "none", doc)) else { return file };
    match secret.read().and_then(crate::sealed::Signer::parse) {
        Ok(signer) => file.sign_with(signer),
        Err(error) => {
            section.refuse("sign_with", &error);
            file
        }
    }
}

#[cfg(not(feature = "sealed"))]
fn sign(file: RollingFile, _: &mut Section<'_>) -> RollingFile {
    file
}

/// Takes a period and the zone behind it apart; the zone is empty if there is none.
fn with_zone(text: &str) -> (&str, &str) {
    let is_period = |text: &str| text.parse::<Period>().is_ok();
    match text.rsplit_once(' ') {
        Some((period, zone)) if zone == "local" || zone.contains('/') => (period, zone),
        Some((period, zone)) if !is_period(text) && is_period(period) => (period, zone),
        _ => (text, ""),
    }
}

/// Reads the zone of the file's times.
fn time_zone(file: RollingFile, section: &mut Section<'_>) -> RollingFile {
    let doc = "Counts periods by the clock of the zone with this name, such as `Europe/Berlin`: feature `time-zones`.";
    let Some(_name) = zones::time_zone(section, "UTC", doc) else { return file };
    let is_local = matches!(section.table().get("local_time").map(|node| &node.value), Some(Value::Bool(true)));
    let rotate = section.table().get("rotate").and_then(|node| node.text()).unwrap_or_default();
    if is_local || !with_zone(rotate).1.is_empty() {
        section.mistake("time_zone", "another key sets the zone too; remove `local_time` and the zone of `rotate`");
    }
    #[cfg(feature = "time-zones")]
    let file = file.time_zone(&_name);
    file
}

fn compress(file: RollingFile, section: &mut Section<'_>) -> RollingFile {
    let words = [("none", None), ("gzip", Some("gzip")), ("zstd", Some("zstd"))];
    let doc = "How segments are compressed: `gzip` and `zstd` need the feature of that name.";
    let key = Key::new("compress", Kind::Word(words.iter().map(|(word, _)| *word).collect()), "none", doc);
    match section.word(key, &words).flatten() {
        #[cfg(feature = "gzip")]
        Some("gzip") => file.gzip(),
        #[cfg(feature = "zstd")]
        Some("zstd") => file.zstd(),
        Some(other) => {
            section.mistake("compress", words::needs_feature(other));
            file
        }
        None => file,
    }
}
