//! The claim that sealing costs little beside compressing: what a sealed file takes, beside the same batches as unsealed zstd.
//!
//! `cargo bench --all-features --bench seal`: the sink of a sealed file writes lines in batches of 64 KiB. It gets four of them
//! at once, as from the worker of an output where lines wait, and one at a time: each call makes a signature. Beside it, in
//! interleaved rounds, the same batches are compressed and appended to a file. Then the sealed file is read back, on one
//! thread and on two. Medians are printed, with the ratios of time and size, and that of the size to one zstd file of all
//! lines. Writing is measured in the thread's processor time, where the system has a clock for it: other programs do not
//! count.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use spanline::read::Log;
use spanline::record::Timestamp;
use spanline::sealed::{Key, Recipients};
use spanline::sink::{Control, Lines, Sink};
use spanline::{Output, RollingFile};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

const ROUNDS: usize = 9;
const BATCH_BYTES: usize = 64 << 10;
/// Batches in a round: 16 MiB.
const BATCHES: usize = 256;
/// Batches that the worker hands over in one call, where lines wait: 256 KiB.
const WAITING: usize = 4;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let (text, recipient) = Key::generate();
    let key = Key::parse(&*text).expect("a key");
    let recipients = Recipients::parse(recipient).expect("a recipient");
    let batches = batches();
    let bytes: usize = batches.iter().map(Vec::len).sum();
    let (mut sealing, mut singly, mut packing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sealed_bytes, mut packed_bytes) = (0, 0);
    let sealed = directory.path().join("sealed.log");
    for round in 0..=ROUNDS {
        let _ = fs::remove_file(&sealed);
        let single = seal(&sealed, &recipients, &batches, 1);
        let packed = directory.path().join("packed.zst");
        let base = pack(&packed, &batches);
        let _ = fs::remove_file(&sealed);
        let took = seal(&sealed, &recipients, &batches, WAITING);
        if round > 0 {
            sealing.push(took);
            singly.push(single);
            packing.push(base);
        }
        sealed_bytes = size(&sealed);
        packed_bytes = size(&packed);
    }
    let whole = zstd::bulk::compress(&batches.concat(), zstd::DEFAULT_COMPRESSION_LEVEL).expect("compressed").len();
    let (sealing, singly, packing) = (median(sealing), median(singly), median(packing));
    let rate = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
    println!("{} MB of lines in {BATCHES} batches of 64 KiB", bytes / 1_000_000);
    println!("{:24} {:>10} {:>12}", "", "MB/s", "bytes");
    println!("{:24} {:10.0} {packed_bytes:12}", "zstd, each batch", rate(packing));
    println!("{:24} {:10.0} {sealed_bytes:12}", "sealed", rate(sealing));
    println!("{:24} {:10} {whole:12}", "zstd, one file", "");
    let time = |took: Duration| took.as_secs_f64() / packing.as_secs_f64();
    println!("time: {:.2} x zstd of each batch; {:.2} x, one batch at a time", time(sealing), time(singly));
    let size = |of: u64| sealed_bytes as f64 / of as f64;
    println!("size: {:.3} x zstd of each batch, {:.3} x one zstd file", size(packed_bytes), size(whole as u64));
    let plain = || call(RollingFile::new(directory.path().join("plain.log")));
    let calling = || call(RollingFile::new(directory.path().join("called.log")).seal_to(recipients.clone()));
    let (plain, calling): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (plain(), calling())).unzip();
    let (plain, calling) = (median(plain), median(calling));
    println!("the caller: {:.2} x an event to a plain file", calling.as_secs_f64() / plain.as_secs_f64());
    for threads in [1, 2] {
        let took = median((0..ROUNDS).map(|_| open(&sealed, &key, threads)).collect());
        println!("opened on {threads} threads: {:.0} MB/s of lines", rate(took) * f64::from(threads));
    }
}

/// Returns the processor time of the calling thread for each event.
fn call(file: RollingFile) -> Duration {
    const EVENTS: u32 = 20_000;
    let output = Output::new(file).queue_bytes(64 << 20);
    let (layer, guard) = spanline::builder().filter("info").output(output).build().expect("a layer");
    let took = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let begun = processor_time();
        for id in 0..EVENTS {
            tracing::info!(id, user = "anna", "order loaded");
        }
        processor_time() - begun
    });
    drop(guard);
    took / EVENTS
}

/// Lines as services log them, no two alike.
fn batches() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let batch = |_| {
        let mut text = Vec::with_capacity(BATCH_BYTES);
        loop {
            let (id, user, took) = (random(), random() % 100_000, random() % 1_000_000);
            let line = format!(
                "{{\"timestamp\":\"2026-11-20T10:15:38.{:06}Z\",\"level\":\"INFO\",\"target\":\"orders::db\",\"message\":\"order \
                 loaded\",\"user_id\":{user},\"elapsed_ms\":{}.{},\"request_id\":\"{id:016x}{:016x}\",\"spans\":[\"request\",\"db\"]}}\n",
                random() % 1_000_000,
                took / 1000,
                took % 1000,
                random(),
            );
            if text.len() + line.len() > BATCH_BYTES {
                return text;
            }
            text.extend_from_slice(line.as_bytes());
        }
    };
    (0..BATCHES).map(batch).collect()
}

/// Seals all batches, `at_once` in each call, and returns how long the sink took.
fn seal(path: &Path, recipients: &Recipients, batches: &[Vec<u8>], at_once: usize) -> Duration {
    let mut log = RollingFile::new(path).seal_to(recipients.clone());
    log.control(Control::Open).expect("opened");
    let mut took = Duration::ZERO;
    for batches in batches.chunks(at_once) {
        let mut lines = Lines::default();
        let texts = batches.iter().flat_map(|batch| batch.split(|byte| *byte == b'\n')).filter(|text| !text.is_empty());
        texts.for_each(|text| lines.push_line(text, Level::INFO, Timestamp::default()));
        let begun = processor_time();
        log.write(&mut lines).expect("written");
        took += processor_time() - begun;
        assert!(lines.is_empty());
    }
    log.control(Control::Close).expect("closed");
    took
}

/// Compresses all batches, and returns how long it took.
fn pack(path: &Path, batches: &[Vec<u8>]) -> Duration {
    let mut file = File::create(path).expect("created");
    let mut compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL).expect("a compressor");
    let begun = processor_time();
    for batch in batches {
        let packed = compressor.compress(batch).expect("compressed");
        file.write_all(&packed).expect("written");
    }
    processor_time() - begun
}

#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().expect("a time after the thread's start")
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static BEGUN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGUN.elapsed()
}

/// Reads all lines on each of `threads` threads.
fn open(path: &Path, key: &Key, threads: u32) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut lines = Log::open(path).and_then(|log| log.lines()).expect("a log").key(key);
                while lines.next_line().expect("a line").is_some() {}
            });
        }
    });
    begun.elapsed()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() / 2]
}
