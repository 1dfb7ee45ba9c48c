//! How long a line takes to reach the file: logged, then looked for until it is there, on one thread.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::peers::{Measure, Peer, measure_step};
use crate::work::Work;

const WARM_UP: u64 = 1_000;
const SETTLE: Duration = Duration::from_millis(300);
/// A line that is not there by then never comes.
const GIVE_UP: Duration = Duration::from_secs(5);

/// Milliseconds from the call to the file, for each line, sorted.
pub fn reach<P: Peer>(peer: &P, directory: &Path, per_s: u64, lines: u64) -> Vec<f64> {
    measure_step(peer, Work::W1e, Reach { directory, per_s, lines })
}

struct Reach<'a> {
    directory: &'a Path,
    per_s: u64,
    lines: u64,
}

impl Measure for Reach<'_> {
    type Output = Vec<f64>;

    fn run(self, mut step: impl FnMut()) -> Vec<f64> {
        (0..WARM_UP).for_each(|_| step());
        std::thread::sleep(SETTLE);
        let mut tail = Tail::open(&log_files(self.directory)[0]);
        let every = Duration::from_secs(1) / self.per_s as u32;
        let begun = Instant::now();
        let mut logged = Vec::new();
        let mut took = Vec::new();
        while (took.len() as u64) < self.lines {
            let due = begun + every * logged.len() as u32;
            if (logged.len() as u64) < self.lines && Instant::now() >= due {
                logged.push(Instant::now());
                step();
            }
            let arrived = tail.new_lines();
            let now = Instant::now();
            took.extend(logged[took.len()..][..arrived].iter().map(|then| (now - *then).as_secs_f64() * 1e3));
            assert!(now < due + GIVE_UP, "{} of {} lines arrived", took.len(), logged.len());
        }
        took.sort_unstable_by(f64::total_cmp);
        took
    }
}

/// The files that a peer writes its lines into; a second output's are not among them.
pub fn log_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory of the logs");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"log"))).collect()
}

/// The growing end of a file.
struct Tail {
    file: File,
    read: u64,
    bytes: Vec<u8>,
}

impl Tail {
    fn open(path: &Path) -> Self {
        let file = File::open(path).expect("the log file");
        let read = file.metadata().expect("its length").len();
        Self { file, read, bytes: Vec::new() }
    }

    fn new_lines(&mut self) -> usize {
        let end = self.file.metadata().expect("its length").len();
        self.bytes.resize((end - self.read) as usize, 0);
        self.file.read_exact_at(&mut self.bytes, self.read).expect("what was written");
        self.read = end;
        self.bytes.iter().filter(|byte| **byte == b'\n').count()
    }
}
