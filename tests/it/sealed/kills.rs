//! What SIGKILL leaves of a sealed log, and what the memory of a running process can open.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hkdf::Hkdf;
use sha2::Sha256;
use spanline::read::{Log, segments, verify};
use spanline::sealed::{Checks, Key, Recipients, State};
use spanline::{ByteSize, Output, Overflow, RollingFile};

use crate::support::process::{Running, child_command, is_child};
use crate::support::sample::tries;
use crate::support::wait::{PATIENCE, Stalls, until};

/// Ten times the figure that is promised.
const MOST_LOST: Duration = Duration::from_secs(1);

const FOLDER: &str = "SPANLINE_IT_FOLDER";
const RECIPIENT: &str = "SPANLINE_IT_RECIPIENT";
const ROTATE_BYTES: &str = "SPANLINE_IT_ROTATE_BYTES";

/// In files this small, each batch is written alone; in larger ones, those that wait are written at once.
const ROTATIONS: [&str; 2] = ["8KiB", "64MiB"];

fn file() -> RollingFile {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let recipients = Recipients::parse(std::env::var(RECIPIENT).unwrap()).unwrap();
    let bytes: ByteSize = std::env::var(ROTATE_BYTES).unwrap().parse().unwrap();
    RollingFile::new(folder.join("audit.log")).rotate_bytes(bytes).seal_to(recipients)
}

/// Logs until it is killed. A journal says when each line had been logged.
fn log_until_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let begun = Instant::now();
    let output = Output::new(file()).overflow(Overflow::Block { max_wait: PATIENCE });
    let _guard = spanline::builder().output(output).init().unwrap();
    let mut journal = File::create(folder.join("journal")).unwrap();
    for seq in 0_u64.. {
        tracing::info!(seq, text = %"x".repeat(seq as usize % 512), "line");
        journal.write_all(&(begun.elapsed().as_nanos() as u64).to_ne_bytes()).unwrap();
        std::thread::park_timeout(Duration::from_micros(200));
        if begun.elapsed() > PATIENCE {
            return;
        }
    }
}

fn journaled(folder: &Path) -> Vec<Duration> {
    let bytes = fs::read(folder.join("journal")).unwrap();
    let times = bytes.chunks_exact(8).map(|time| u64::from_ne_bytes(time.try_into().unwrap()));
    times.map(Duration::from_nanos).collect()
}

/// The lines that were written since the last call, and the findings of files that no crash explains.
fn lines_after(path: &Path, key: &Key, skip: usize) -> Vec<u64> {
    let mut lines = Log::open(path).unwrap().lines().unwrap().key(key);
    let mut numbers = Vec::new();
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                let line: serde_json::Value = serde_json::from_slice(line).unwrap();
                numbers.extend(line["seq"].as_u64());
            }
            Ok(None) => return numbers.split_off(skip),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("ended without a seal") || error.contains("is cut after"), "{error}");
            }
        }
    }
}

#[test]
fn promise_47_sigkill_loses_the_last_moment_and_every_file_opens() {
    let name = this_test!();
    if is_child() {
        return log_until_killed();
    }
    let stalls = Stalls::measure();
    let (text, recipient) = Key::generate();
    let key = Key::parse(&*text).unwrap();
    let (mut longest, mut folder, mut known) = (Duration::ZERO, tempfile::tempdir().unwrap(), 0);
    for kill in 0..tries(12, 1_000) {
        if kill % 20 == 0 {
            (folder, known) = (tempfile::tempdir().unwrap(), 0);
        }
        let mut command = child_command(name);
        command.env(FOLDER, folder.path()).env(RECIPIENT, &recipient).env(ROTATE_BYTES, ROTATIONS[kill % 2]);
        let _ = fs::remove_file(folder.path().join("journal"));
        let mut child = Running::start(command);
        until("it logs", || folder.path().join("journal").metadata().is_ok_and(|journal| journal.len() > 0));
        let random = RandomState::new().hash_one(kill) % 400_000;
        std::thread::sleep(Duration::from_micros(random));
        assert!(child.0.try_wait().unwrap().is_none(), "it ended by itself: {}", child.stderr());
        child.0.kill().unwrap();
        child.wait();
        let path = folder.path().join("audit.log");
        let journal = journaled(folder.path());
        let numbers = lines_after(&path, &key, known);
        known += numbers.len();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "there is a hole: {numbers:?}");
        if let Some(lost_at) = journal.get(numbers.len()) {
            longest = longest.max(*journal.last().unwrap() - *lost_at);
        }
        let report = verify(segments(&path).unwrap(), &Checks::new().key(&key)).unwrap();
        let is_of_a_crash = |row: &&spanline::sealed::Row| row.state == State::Sealed || row.state == State::Unsealed;
        assert!(report.rows.iter().all(|row| is_of_a_crash(&row)) && report.findings.is_empty(), "{report:#?}");
    }
    let stall = stalls.longest();
    println!("at most the last {longest:?} was lost; the machine stalls for {stall:?}");
    assert!(longest < MOST_LOST + 2 * stall, "{longest:?}, stall {stall:?}");
}

/// The keys of a segment's batches, as the format's page says.
fn keys_of(bytes: &[u8], key: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let recipients = usize::from(u16::from_be_bytes([bytes[18], bytes[19]]));
    let body = u32::from_be_bytes(bytes[20..24].try_into().unwrap()) as usize;
    let mut body = &bytes[24 + recipients..24 + recipients + body];
    body = &body[296..];
    for _ in 0..2 {
        body = &body[2 + usize::from(u16::from_be_bytes([body[0], body[1]]))..];
    }
    let identity = key.lines().find_map(|line| line.parse::<age::x25519::Identity>().ok()).unwrap();
    let mut secret = Vec::new();
    let decryptor = age::Decryptor::new_buffered(&body[4..]).unwrap();
    let identities = std::iter::once(&identity as &dyn age::Identity);
    decryptor.decrypt(identities).unwrap().read_to_end(&mut secret).unwrap();
    let (chain, _) = Hkdf::<Sha256>::extract(Some(b"spanline/1/chain"), &secret);
    let mut chain = chain.to_vec();
    let mut keys = vec![(secret, chain.clone())];
    for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\xfesealed\n")) {
        let expand = |label: &[u8]| {
            let mut key = vec![0; 32];
            Hkdf::<Sha256>::from_prk(&chain).unwrap().expand(label, &mut key).unwrap();
            key
        };
        let batch = expand(&[b"spanline/1/batch", &bytes[at + 52..at + 68]].concat());
        keys.push((chain.clone(), batch));
        chain = expand(b"spanline/1/next");
    }
    keys
}

/// All memory that a process can write to.
fn memory_of(process: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut image = Vec::new();
    for map in maps.lines().filter(|map| map.contains(" rw") && !map.contains("[vvar")) {
        let (from, to) = map.split_once(' ').unwrap().0.split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        if memory.seek(SeekFrom::Start(from)).is_ok() {
            // A region may have gone by now.
            let _ = Read::by_ref(&mut memory).take(to - from).read_to_end(&mut image);
        }
    }
    image
}

/// Seals several batches for each line on stdin.
fn seal_in_turn() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let guard = spanline::builder().output(Output::new(file())).init().unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        (0..200).for_each(|part| tracing::info!(line, part, text = %"x".repeat(1000), "line"));
        guard.handle().flush(PATIENCE).unwrap();
        fs::write(folder.join(format!("sealed-{line}")), "").unwrap();
    }
}

#[test]
fn promise_47_the_memory_of_the_process_opens_no_batch_sealed_a_second_before() {
    let name = this_test!();
    if is_child() {
        return seal_in_turn();
    }
    let (text, recipient) = Key::generate();
    let folder = tempfile::tempdir().unwrap();
    let mut command = child_command(name);
    command
        .env(FOLDER, folder.path())
        .env(RECIPIENT, &recipient)
        .env(ROTATE_BYTES, ROTATIONS[1])
        .stdin(std::process::Stdio::piped());
    let mut child = Running::start(command);
    let path = folder.path().join("audit.log");
    let mut stdin = child.0.stdin.take().unwrap();
    for line in 0..6 {
        writeln!(stdin, "{line}").unwrap();
        until("the line is sealed", || folder.path().join(format!("sealed-{line}")).exists());
    }
    // The second of the promise.
    std::thread::sleep(Duration::from_secs(1));
    let image = memory_of(child.0.id());
    let bytes = fs::read(&path).unwrap();
    let holds = |key: &[u8]| memchr::memmem::find(&image, key).is_some();
    assert!(holds(&bytes[..16]) || image.len() > 1 << 20, "an image of {} bytes", image.len());
    let keys = keys_of(&bytes, &text);
    let covers = |at: &usize| bytes[*at..].starts_with(b"\xfesealed\n") && bytes[at + 9] > 0;
    assert!(keys.len() > 12 && (0..bytes.len()).any(|at| covers(&at)), "{} keys", keys.len());
    let (_, last) = keys.last().unwrap();
    let next = {
        let mut next = vec![0; 32];
        Hkdf::<Sha256>::from_prk(&keys.last().unwrap().0).unwrap().expand(b"spanline/1/next", &mut next).unwrap();
        next
    };
    assert!(holds(&next), "the key of the next batch is what the process needs: the search works");
    for (number, (chain, batch)) in keys.iter().enumerate() {
        assert!(!holds(chain), "chain key {number}");
        assert!(number == 0 || !holds(batch), "batch key {number}");
    }
    assert!(!holds(last));
    drop(stdin);
    child.wait();
}
