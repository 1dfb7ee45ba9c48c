//! Lines a second until all are in the file, how many never come, and the memory it takes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::{Sample, sample};
use crate::measure::{Load, back_to_back};
use crate::peers::Peer;
use crate::proc;
use crate::reach::log_files;
use crate::work::MESSAGE;

pub(super) fn measure<P: Peer>(peer: P, load: Load, directory: &Path) -> Vec<Sample> {
    let ran = back_to_back(&peer, load);
    peer.finish();
    let seconds = ran.begun.elapsed().as_secs_f64();
    let resident = proc::peak_resident_bytes();
    let steps = load.steps / load.threads as u64;
    let nanos: f64 = ran.threads.iter().map(|took| took.as_nanos() as f64 / steps as f64).sum();
    let warm_up = load.warm_up * load.threads as u64 * load.work.lines();
    let logged = warm_up + steps * load.threads as u64 * load.work.lines();
    let written = Written::count(directory);
    let lines_per_s = written.lines.saturating_sub(warm_up) as f64 / seconds;
    let bytes_per_line = written.bytes as f64 / written.lines as f64;
    vec![
        sample("caller_mean", nanos / load.threads as f64, "ns"),
        sample("lines_per_s", lines_per_s, "lines/s"),
        sample("mb_per_s", lines_per_s * bytes_per_line / 1e6, "MB/s"),
        sample("lines_lost", logged as f64 - written.lines as f64, "lines"),
        sample("lines_logged", logged as f64, "lines"),
        sample("bytes_per_line", bytes_per_line, "bytes"),
        sample("resident_peak", resident as f64 / f64::from(1 << 20), "MiB"),
    ]
}

/// What is in the files afterwards.
struct Written {
    lines: u64,
    bytes: u64,
}

impl Written {
    /// Counts the lines with the message. Lines that a peer adds by itself do not count.
    fn count(directory: &Path) -> Self {
        let mut written = Self { lines: 0, bytes: 0 };
        let mut line = Vec::new();
        for path in log_files(directory) {
            let mut file = BufReader::with_capacity(1 << 20, File::open(path).expect("a log file"));
            while file.read_until(b'\n', &mut line).expect("a readable log") > 0 {
                if line.windows(MESSAGE.len()).any(|bytes| bytes == MESSAGE.as_bytes()) {
                    written.lines += 1;
                    written.bytes += line.len() as u64;
                }
                line.clear();
            }
        }
        written
    }
}
