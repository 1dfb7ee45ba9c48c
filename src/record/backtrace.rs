//! The calls that led to an event or a panic, as text.
//!
//! This is the standard library's backtrace without the log's own frames at the top and the thread's start at the bottom.
//! A frame belongs to the crate that its name begins with. A program without symbols has no names; nothing is removed
//! then.

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

/// The frames below this one start the thread.
const START: &str = "__rust_begin_short_backtrace";

/// Returns the calls that led here. With `of_panic` it starts where the panic began, below any hooks.
///
/// # Blocking
/// The first call reads the program's symbols, which takes much longer.
#[cold]
pub(crate) fn backtrace(of_panic: bool) -> String {
    let text = Backtrace::force_capture().to_string();
    let mut text = trim(&text, of_panic).to_owned();
    text.truncate(prefix(&text, MAX_BYTES).len());
    text
}

fn trim(text: &str, of_panic: bool) -> &str {
    let frames: Vec<_> = frames(text).collect();
    let panicked = |(_, name): &(usize, &str)| is_panic(name);
    let above = if of_panic { frames.iter().position(panicked).map_or(0, |at| at + 1) } else { 0 };
    let first = frames.iter().skip(above).find(|(_, name)| !is_own(name));
    let last = frames.iter().find(|(_, name)| name.contains(START));
    let start = first.map_or(0, |(at, _)| *at);
    let end = last.map(|(at, _)| *at).filter(|end| *end > start).unwrap_or(text.len());
    text.get(start..end).unwrap_or(text).trim_end()
}

/// Returns where each frame begins, and its name. A frame is `   7: name`, then its source location on the next line.
fn frames(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let (number, name) = line.split_once(": ")?;
        let number = number.trim_start();
        (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((at, name.trim_end()))
    })
}

fn is_panic(name: &str) -> bool {
    name.ends_with("rust_begin_unwind") || name.starts_with("std::panicking::begin_panic")
}

/// Recognises both `tracing_core::event::…` and `<tracing_subscriber::… as …>::event`.
fn is_own(name: &str) -> bool {
    let path = name.trim_start_matches(['<', '&', '(']).trim_start_matches("dyn ").trim_start_matches("mut ");
    let end = path.find(|char: char| !(char.is_alphanumeric() || char == '_')).unwrap_or(path.len());
    path.get(..end).is_some_and(|first| OWN.contains(&first))
        && path.get(end..).is_some_and(|rest| rest.starts_with("::"))
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

    #[test]
    fn without_symbols_nothing_is_removed() {
        for text in ["   0: <unknown>\n   1: <unknown>", "", "disabled backtrace", "   0: std::a\n   1: core::b"] {
            assert_eq!(trim(text, true), text);
        }
    }
}
