//! The calls that led to an event or a panic, as text.
//!
//! This is the standard library's backtrace without the log's own frames at the top and the thread's start at the bottom.
//! Below the first frame of the program, frames of std, async runtimes and web frameworks only pass the call on: a line
//! with their number takes their place.
//!
//! A frame belongs to the crate that its name begins with. With `debug = "line-tables-only"`, inlined frames have names
//! without a crate; the path of the source file decides then. A program without symbols has no names; nothing is removed.

use std::backtrace::Backtrace;
use std::fmt::Write as _;

use crate::values::prefix;

/// A backtrace is cut to this many bytes. So a line with one stays below 12 KiB, and container runtimes, which split lines
/// at 16 KiB, leave it whole.
const MAX_BYTES: usize = 10 * 1024;

/// The crates between a call site and this module, by the name under which their frames are counted.
const OWN: [Family; 4] = [
    ("std", &["std", "core", "alloc", "__rustc"]),
    ("spanline", &["spanline"]),
    ("tracing", &["tracing", "tracing_core", "tracing_subscriber", "tracing_log"]),
    ("log", &["log"]),
];

/// The crates that poll futures, serve requests or run tasks.
const RUNTIMES: [Family; 9] = [
    ("tokio", &["tokio", "tokio_stream", "tokio_util"]),
    (
        "futures",
        &[
            "futures",
            "futures_channel",
            "futures_core",
            "futures_executor",
            "futures_lite",
            "futures_task",
            "futures_util",
            "pollster",
            "tracing_futures",
        ],
    ),
    ("smol", &["async_executor", "async_io", "async_task", "blocking", "smol"]),
    ("async-std", &["async_global_executor", "async_std"]),
    ("hyper", &["h2", "http_body", "http_body_util", "hyper", "hyper_util"]),
    ("tower", &["tower", "tower_http", "tower_layer", "tower_service"]),
    ("axum", &["axum", "axum_core", "axum_extra"]),
    ("actix", &["actix_http", "actix_rt", "actix_server", "actix_service", "actix_web"]),
    ("rayon", &["rayon", "rayon_core"]),
];

/// The name of a group of crates, and the crates.
type Family = (&'static str, &'static [&'static str]);

/// This many frames stay at the top, whatever their crates: a runtime may be what fails.
const TOP_FRAMES: usize = 8;

/// The end of this file's path. What comes before it is where this crate's source files are.
const THIS_FILE: &str = "record/backtrace.rs";

/// The frames below this one start the thread.
const START: &str = "__rust_begin_short_backtrace";

/// Returns the calls that led here. With `of_panic` it starts where the panic began, below any hooks.
///
/// # Blocking
/// The first call reads the program's symbols, which takes much longer.
#[cold]
#[inline(never)]
pub(crate) fn backtrace(of_panic: bool) -> String {
    trim(&Backtrace::force_capture().to_string(), of_panic)
}

fn trim(text: &str, of_panic: bool) -> String {
    let frames: Vec<_> = frames(text).collect();
    let crate_files = frames.iter().find_map(|frame| frame.file.strip_suffix(THIS_FILE));
    let panicked = |frame: &Frame<'_>| is_panic(frame.name);
    let above = if of_panic { frames.iter().position(panicked).map_or(0, |at| at + 1) } else { 0 };
    let is_foreign = |frame: &Frame<'_>| !OWN.iter().any(|family| frame.family(crate_files) == Some(family.0));
    let first = frames.iter().skip(above).position(is_foreign).map_or(0, |at| above + at);
    let last = frames.iter().position(|frame| frame.name.contains(START));
    let last = last.filter(|last| *last > first).unwrap_or(frames.len());
    match frames.get(first..last) {
        Some(frames @ [_, ..]) => shorten(frames, crate_files),
        _ => prefix(text, MAX_BYTES).to_owned(),
    }
}

/// Returns the text of the frames, without those that only pass the call on, and cut to [`MAX_BYTES`].
fn shorten(frames: &[Frame<'_>], crate_files: Option<&str>) -> String {
    let mut text = String::new();
    let mut omitted = Omitted::default();
    let mut is_below = false;
    for (at, frame) in frames.iter().enumerate() {
        let family = frame.family(crate_files);
        if let Some(family) = family.filter(|_| is_below || at >= TOP_FRAMES) {
            omitted.add(family);
            continue;
        }
        is_below |= family.is_none();
        omitted.put(&mut text);
        if text.len() + frame.text.len() > MAX_BYTES - MAX_NOTE_BYTES {
            if at == 0 {
                text.push_str(prefix(frame.text, MAX_BYTES));
            } else {
                let _ = write!(text, "      ({} below)", frame_count(frames.len() - at));
            }
            return text;
        }
        text.push_str(frame.text);
    }
    omitted.put(&mut text);
    text.truncate(text.trim_end().len());
    text
}

/// Room for the line that says how many frames are left out.
const MAX_NOTE_BYTES: usize = 128;

/// Frames that are left out in one place.
#[derive(Default)]
struct Omitted {
    frames: usize,
    families: Vec<&'static str>,
}

impl Omitted {
    fn add(&mut self, family: &'static str) {
        self.frames += 1;
        if !self.families.contains(&family) {
            self.families.push(family);
        }
    }

    /// Appends the line that stands for the frames: `(12 frames of std and tokio)`.
    fn put(&mut self, text: &mut String) {
        let Some((last, others)) = self.families.split_last() else { return };
        let and = if others.is_empty() { "" } else { " and " };
        let _ = writeln!(text, "      ({} of {}{and}{last})", frame_count(self.frames), others.join(", "));
        *self = Self::default();
    }
}

fn frame_count(frames: usize) -> String {
    format!("{frames} frame{}", if frames == 1 { "" } else { "s" })
}

/// One frame: `   7: name`, then its source location on the next line.
struct Frame<'a> {
    /// All of it.
    text: &'a str,
    name: &'a str,
    /// The path of its source file, or nothing.
    file: &'a str,
}

impl Frame<'_> {
    /// Returns the family of crates that it belongs to; `None` if it is of the program or of another library.
    ///
    /// Recognises `tracing_core::event::…`, `<tracing_subscriber::… as …>::event` and `<F as futures_core::…>::poll`. A
    /// name without a crate, such as `event` or `{closure#0}<…>`, belongs to its source file.
    ///
    /// `crate_files`: the folder of this crate's source files, if known.
    fn family(&self, crate_files: Option<&str>) -> Option<&'static str> {
        if self.name.starts_with("__rust_") {
            return Some("std");
        }
        let of_trait = self.name.split_once(" as ").map(|(_, of_trait)| of_trait);
        match crate_of_name(self.name)
            .or_else(|| of_trait.filter(|_| self.name.starts_with('<')).and_then(crate_of_name))
        {
            Some(first) => family_of_crate(first),
            None if crate_files.is_some_and(|folder| self.file.starts_with(folder)) => Some("spanline"),
            None => family_of_file(self.file),
        }
    }
}

fn frames(text: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (line, behind) = split_line(rest)?;
            let Some(name) = name_of(line) else {
                rest = behind;
                continue;
            };
            let mut after = behind;
            let mut file = "";
            while let Some((next, behind)) = split_line(after).filter(|(next, _)| name_of(next).is_none()) {
                file = next.trim_start().strip_prefix("at ").map_or(file, file_of);
                after = behind;
            }
            let text = rest.get(..rest.len() - after.len()).unwrap_or_default();
            rest = after;
            return Some(Frame { text, name, file });
        }
    })
}

/// Splits the text behind its first line; `None` at its end.
fn split_line(text: &str) -> Option<(&str, &str)> {
    let end = text.find('\n').map_or(text.len(), |end| end + 1);
    text.split_at_checked(end).filter(|(line, _)| !line.is_empty())
}

/// Returns the name in the first line of a frame.
fn name_of(line: &str) -> Option<&str> {
    let (number, name) = line.split_once(": ")?;
    let number = number.trim_start();
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.trim_end())
}

/// Returns the path in `path:line:column`.
fn file_of(location: &str) -> &str {
    location.rsplitn(3, ':').last().unwrap_or(location)
}

fn is_panic(name: &str) -> bool {
    name.ends_with("rust_begin_unwind") || name.starts_with("std::panicking::begin_panic")
}

/// Returns the crate that a name begins with.
fn crate_of_name(name: &str) -> Option<&str> {
    let name = name.trim_start_matches(['<', '&', '(']).trim_start_matches("dyn ").trim_start_matches("mut ");
    let end = name.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(name.len());
    let (first, rest) = name.split_at(end);
    rest.starts_with("::").then_some(first)
}

fn family_of_crate(name: &str) -> Option<&'static str> {
    let is_same = |of: &&str| of.bytes().eq(name.bytes().map(|byte| if byte == b'-' { b'_' } else { byte }));
    OWN.iter().chain(&RUNTIMES).find(|(_, crates)| crates.iter().any(is_same)).map(|(family, _)| *family)
}

/// Recognises `…/library/std/…`, `…/tokio-1.45.0/…` and `…/vendor/tokio/…`. Only Unix needs it: elsewhere, the names are
/// complete.
fn family_of_file(file: &str) -> Option<&'static str> {
    let mut parent = "";
    file.split('/').find_map(|folder| {
        let is_listed = matches!(std::mem::replace(&mut parent, folder), "vendor" | "library");
        let versioned = folder.match_indices('-').map(|(at, _)| folder.split_at(at)).find(|(_, rest)| is_version(rest));
        match versioned {
            Some((name, _)) => family_of_crate(name),
            None => family_of_crate(folder).filter(|_| is_listed),
        }
    })
}

/// Returns whether a text is like `-1.45.0`.
fn is_version(text: &str) -> bool {
    text.contains('.')
        && text.strip_prefix('-').is_some_and(|text| text.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, family_of_file, trim};

    const TEXT: &str = "   0: spanline::record::backtrace::backtrace
             at ./src/record/backtrace.rs:1:1
   1: <tracing_subscriber::layer::layered::Layered<L,S> as tracing_core::subscriber::Subscriber>::event
             at /registry/layered.rs:154:9
   2: orders::load::{{closure}}
             at ./src/orders.rs:7:5
   3: orders::load
             at ./src/orders.rs:7:5
   4: core::ops::function::FnOnce::call_once
   5: std::sys::backtrace::__rust_begin_short_backtrace
             at /rustc/backtrace.rs:158:18
   6: main
";

    #[test]
    fn frames_of_the_log_and_of_the_thread_start_are_removed() {
        let trimmed = trim(TEXT, false);
        assert!(trimmed.starts_with("   2: orders::load::{{closure}}\n"), "{trimmed}");
        assert!(trimmed.ends_with("./src/orders.rs:7:5\n      (1 frame of std)"), "{trimmed}");
    }

    #[test]
    fn a_panic_starts_below_the_hooks() {
        let text = "   0: spanline::layer::panics::log_panic
   1: orders::main::{{closure}}
   2: std::panicking::panic_with_hook
   3: __rustc::rust_begin_unwind
   4: core::panicking::panic_fmt
   5: orders::load
";
        assert_eq!(trim(text, true), "   5: orders::load");
        let whole = "   1: orders::main::{{closure}}\n      (3 frames of std)\n   5: orders::load";
        assert_eq!(trim(text, false), whole);
    }

    /// The frames of a program built with `debug = "line-tables-only"`.
    #[test]
    fn frames_without_a_crate_in_their_name_belong_to_their_file() {
        let text = "   0: backtrace
             at /registry/spanline-0.1.0/src/record/backtrace.rs:46:16
   1: {closure#0}<spanline::layer::Layer>
             at /registry/spanline-0.1.0/src/layer/core.rs:61:17
   2: try_with<tracing_subscriber::filter::FilterState>
             at /rustc/59807616/library/std/src/thread/local.rs:513:12
   3: tracing_subscriber::filter::layer_filters::Filtered<L,F,S>::did_enable
   4: event
             at /registry/tracing-core-0.1.36/src/dispatcher.rs:610:24
   5: {closure#0}
             at /registry/tracing-0.1.44/src/macros.rs:905:17
   6: load
             at ./core/src/tracing/log.rs:206:5
   7: main
             at ./core/src/main.rs:7:5
";
        for text in [
            text.to_owned(),
            text.replace("/registry/spanline-0.1.0/", "./"),
            text.replace("/registry/tracing-0.1.44", "/vendor/tracing"),
        ] {
            let trimmed = trim(&text, false);
            assert!(trimmed.starts_with("   6: load\n"), "{trimmed}");
            assert!(trimmed.ends_with("./core/src/main.rs:7:5"), "{trimmed}");
        }
    }

    /// The frames of a release build without debug information.
    #[test]
    fn frames_of_runtimes_below_the_program_are_counted() {
        let text = "   3: tokio::runtime::handle::Handle::current
   4: orders::show::{{closure}}
   5: <tracing::instrument::Instrumented<T> as core::future::future::Future>::poll
   6: <F as futures_core::future::TryFuture>::try_poll
   7: <orders::Checked<S> as tower_service::Service<R>>::call
   8: sqlx_core::pool::Pool<DB>::acquire::{{closure}}
   9: axum_core_of_ours::run
  10: <core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once
  11: std::panicking::catch_unwind
  12: __rust_try
  13: tokio::runtime::task::raw::poll
";
        let trimmed = "   3: tokio::runtime::handle::Handle::current
   4: orders::show::{{closure}}
      (2 frames of tracing and futures)
   7: <orders::Checked<S> as tower_service::Service<R>>::call
   8: sqlx_core::pool::Pool<DB>::acquire::{{closure}}
   9: axum_core_of_ours::run
      (4 frames of std and tokio)";
        assert_eq!(trim(text, false), trimmed);
    }

    #[test]
    fn the_first_frames_stay_where_a_runtime_logs() {
        let text: String = (0..40).map(|at| format!("{at:4}: hyper::proto::poll\n")).collect();
        let trimmed = trim(&text, false);
        assert!(trimmed.starts_with("   0: hyper::proto::poll\n"), "{trimmed}");
        assert!(trimmed.ends_with("   7: hyper::proto::poll\n      (32 frames of hyper)"), "{trimmed}");
    }

    #[test]
    fn a_long_backtrace_ends_with_the_number_of_further_frames() {
        let text: String =
            (0..1000).map(|at| format!("{at:4}: orders::down\n             at ./src/o.rs:1:1\n")).collect();
        let trimmed = trim(&text, false);
        let shown = trimmed.matches("orders::down").count();
        assert!(trimmed.ends_with(&format!("at ./src/o.rs:1:1\n      ({} frames below)", 1000 - shown)), "{trimmed}");
        assert!((MAX_BYTES - 256..=MAX_BYTES).contains(&trimmed.len()), "{}", trimmed.len());
        let wide = format!("   0: orders::Wide<{}>", "W".repeat(20_000));
        assert_eq!(trim(&wide, false), wide[..MAX_BYTES]);
    }

    #[test]
    fn a_file_belongs_to_the_crate_of_its_folder() {
        for (file, family) in [
            ("/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.45.0/src/runtime/task/core.rs", Some("tokio")),
            ("/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-util-0.1.21-rc.1/src/a.rs", Some("hyper")),
            ("./vendor/futures-util/src/lib.rs", Some("futures")),
            ("/rustc/59807616/library/core/src/ops/function.rs", Some("std")),
            ("/home/me/tokio-1-demo/src/main.rs", None),
            ("./tokio/src/main.rs", None),
            ("/registry/src/index.crates.io-1949cf8c6b5b557f/sqlx-core-0.8.0/src/tokio/mod.rs", None),
            ("", None),
        ] {
            assert_eq!(family_of_file(file), family, "{file}");
        }
    }

    #[test]
    fn without_symbols_nothing_is_removed() {
        for text in ["   0: <unknown>\n   1: <unknown>", "", "disabled backtrace", "   0: std::a\n   1: core::b"] {
            assert_eq!(trim(text, true), text);
        }
    }
}
