//! The calls that led to an event or a panic, as text.
//!
//! This is the standard library's backtrace without the log's own frames at the top and the thread's start at the bottom.
//! A frame belongs to the crate that its name begins with. With `debug = "line-tables-only"`, inlined frames have names
//! without a crate; the path of the source file decides then. A program without symbols has no names; nothing is removed.

use std::backtrace::Backtrace;

use crate::values::prefix;

/// A backtrace is cut to this many bytes: about a hundred frames, and far below the line limits of collectors.
const MAX_BYTES: usize = 16 * 1024;

/// The crates between a call site and this module.
const OWN: [&str; 10] = [
    "std",
    "core",
    "alloc",
    "spanline",
    "tracing",
    "tracing_core",
    "tracing_subscriber",
    "tracing_log",
    "log",
    "__rustc",
];

/// What the paths of their source files contain. Only Unix needs it: elsewhere, the names are complete.
const OWN_FILES: [&str; 10] = [
    "/library/alloc/",
    "/library/core/",
    "/library/std/",
    "/log-0.",
    "/tracing-0.",
    "/tracing-core",
    "/tracing-log",
    "/tracing-subscriber",
    "/vendor/log/",
    "/vendor/tracing/",
];

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
    let text = Backtrace::force_capture().to_string();
    let mut text = trim(&text, of_panic).to_owned();
    text.truncate(prefix(&text, MAX_BYTES).len());
    text
}

fn trim(text: &str, of_panic: bool) -> &str {
    let frames: Vec<_> = frames(text).collect();
    let crate_files = frames.iter().find_map(|frame| frame.file.strip_suffix(THIS_FILE));
    let panicked = |frame: &Frame<'_>| is_panic(frame.name);
    let above = if of_panic { frames.iter().position(panicked).map_or(0, |at| at + 1) } else { 0 };
    let first = frames.iter().skip(above).find(|frame| !is_own(frame, crate_files));
    let last = frames.iter().find(|frame| frame.name.contains(START));
    let start = first.map_or(0, |frame| frame.at);
    let end = last.map(|frame| frame.at).filter(|end| *end > start).unwrap_or(text.len());
    text.get(start..end).unwrap_or(text).trim_end()
}

/// One frame: `   7: name`, then its source location on the next line.
struct Frame<'a> {
    /// Where it begins in the text.
    at: usize,
    name: &'a str,
    /// The path of its source file, or nothing.
    file: &'a str,
}

fn frames(text: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut start = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, line) = (start, lines.next()?);
            start += line.len();
            let Some((number, name)) = line.split_once(": ") else { continue };
            let number = number.trim_start();
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                let file = lines.peek().and_then(|next| next.trim_start().strip_prefix("at ")).map_or("", file_of);
                return Some(Frame { at, name: name.trim_end(), file });
            }
        }
    })
}

/// Returns the path in `path:line:column`.
fn file_of(location: &str) -> &str {
    location.rsplitn(3, ':').last().unwrap_or(location)
}

fn is_panic(name: &str) -> bool {
    name.ends_with("rust_begin_unwind") || name.starts_with("std::panicking::begin_panic")
}

/// Recognises both `tracing_core::event::…` and `<tracing_subscriber::… as …>::event`. A name without a crate, such as
/// `event` or `{closure#0}<…>`, belongs to its source file.
///
/// `crate_files`: the folder of this crate's source files, if known.
fn is_own(frame: &Frame<'_>, crate_files: Option<&str>) -> bool {
    let name = frame.name.trim_start_matches(['<', '&', '(']).trim_start_matches("dyn ").trim_start_matches("mut ");
    let end = name.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(name.len());
    if name.get(end..).is_some_and(|rest| rest.starts_with("::")) {
        return name.get(..end).is_some_and(|first| OWN.contains(&first));
    }
    crate_files.is_some_and(|folder| frame.file.starts_with(folder))
        || OWN_FILES.iter().any(|part| frame.file.contains(part))
}

#[cfg(test)]
mod tests {
    use super::trim;

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
        assert!(trimmed.ends_with("core::ops::function::FnOnce::call_once"), "{trimmed}");
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
        assert_eq!(trim(text, false), text.get(text.find("   1:").unwrap_or(0)..).unwrap_or_default().trim_end());
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

    #[test]
    fn without_symbols_nothing_is_removed() {
        for text in ["   0: <unknown>\n   1: <unknown>", "", "disabled backtrace", "   0: std::a\n   1: core::b"] {
            assert_eq!(trim(text, true), text);
        }
    }
}
