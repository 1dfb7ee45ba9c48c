//! Follows logs, stdin and a command, live.
//!
//! ```text
//! Places ─► Source (a log, stdin, a pipe of the command) ─► Window (by time) ─► Show: a Screen (filter, printer), or one with keys
//! ```
//!
//! One loop in [`run`] does everything: it looks at files, waits for pipes with `poll`, forwards signals, and prints. There are
//! no threads. What came before is merged completely first; live lines are merged within the window. A source keeps the order of
//! its lines.

mod command;
mod cut_lines;
mod feed;
mod history;
mod live;
mod pipe;
mod places;
mod screen;
mod show;
mod signals;
mod source;
#[cfg(feature = "collect")]
mod until_stop;
mod wait;
mod window;

#[cfg(feature = "keys")]
pub(crate) use cut_lines::CutLines;
pub(crate) use feed::Feed;
pub(crate) use live::{Settings, run};
pub(crate) use places::Begin;
pub(crate) use screen::Screen;
#[cfg(feature = "keys")]
pub(crate) use show::Show;
pub(crate) use signals::{END_PATIENCE, Stop};
#[cfg(feature = "collect")]
pub(crate) use until_stop::UntilStop;
