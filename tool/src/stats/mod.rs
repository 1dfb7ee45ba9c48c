//! What the lines of many files say together: how many there are of what, how slow, how often wrong.
//!
//! ```text
//! scan ─► Stats (one for each thread) ─► merged ─► Answer ─► text, JSON or a page
//! ```
//!
//! Answers are exact, whatever the number of threads and the order of lines. What does not fit in memory goes to
//! [sorted runs](runs) on disk. What does not fit there either, and texts that are too many to count one by one, are marked as
//! estimates, with their error.

mod answer;
mod bars;
#[cfg(all(unix, feature = "follow"))]
mod counter;
#[cfg(all(unix, feature = "follow"))]
mod display;
mod distinct;
mod html;
mod json;
mod lately;
mod level_counts;
mod losses;
mod names;
mod quantiles;
mod recent;
mod run;
mod runs;
mod statistics;
mod table;
mod text;
mod timeline;
mod top;
#[cfg(all(unix, feature = "follow"))]
mod watch;

pub(crate) use answer::Answer;
pub(crate) use bars::write_bars;
#[cfg(all(unix, feature = "follow", feature = "collect"))]
pub(crate) use counter::{Counter, Onward, tell};
#[cfg(feature = "clickhouse")]
pub(crate) use distinct::Distinctness;
pub(crate) use distinct::fingerprint;
pub(crate) use json::steps_json;
#[cfg(all(unix, feature = "follow", feature = "collect"))]
pub(crate) use level_counts::LevelCounts;
pub(crate) use losses::Losses;
#[cfg(feature = "clickhouse")]
pub(crate) use names::OTHERS;
pub(crate) use names::{Names, short_name, start};
pub(crate) use quantiles::Measure;
pub(crate) use recent::Window;
#[cfg(feature = "clickhouse")]
pub(crate) use recent::{MAX_RECENT_BYTES, RecentEntry, RecentErrors};
pub(crate) use run::Run;
pub(crate) use runs::Disk;
pub(crate) use statistics::{MAX_SERVICES, Questions, Stats};
#[cfg(feature = "clickhouse")]
pub(crate) use table::lines_text;
pub(crate) use table::{grouped, span_text, time_text};
pub(crate) use timeline::Timeline;
#[cfg(feature = "clickhouse")]
pub(crate) use top::TopTexts;
#[cfg(all(unix, feature = "follow"))]
pub(crate) use watch::{Settings, Shown, watch};
