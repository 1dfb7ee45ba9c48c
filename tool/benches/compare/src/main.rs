//! A bare walk over the members of each line of files: the least that reading JSON takes. `tool/benches/compare/run` compares
//! `spanline stats` with it.
//!
//! `walk FILE…` prints the numbers of lines, of members and of lines that are no whole
//! object.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../src/entry/special.rs"]
mod special;
#[path = "../../../src/entry/walk.rs"]
mod walk;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How much of a file a thread reads at once.
const PIECE_BYTES: u64 = 4 << 20;

fn main() {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let starts = |file: &String| {
        let (file, bytes) = (file.clone(), std::fs::metadata(file).unwrap().len());
        (0..bytes).step_by(PIECE_BYTES as usize).map(move |start| (file.clone(), start))
    };
    let pieces: Vec<(String, u64)> = files.iter().flat_map(starts).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().unwrap().get();
    let counts = thread::scope(|scope| {
        let walk_all = || {
            let mut counts = [0; 3];
            while let Some((file, start)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                walk_piece(file, *start, &mut counts);
            }
            counts
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(walk_all)).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    let [lines, members, broken] = counts.into_iter().fold([0; 3], |sum, one| [0, 1, 2].map(|at| sum[at] + one[at]));
    println!("{lines} lines, {members} members, {broken} broken");
}

/// Walks over the lines that begin in a piece.
fn walk_piece(path: &str, start: u64, [lines, members, broken]: &mut [u64; 3]) {
    let file = File::open(path).unwrap();
    let mut bytes = vec![0; PIECE_BYTES as usize + 1];
    let from = start.saturating_sub(1);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64).unwrap() {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(if start == 0 { filled.min(PIECE_BYTES as usize) } else { filled });
    let first = if start == 0 { 0 } else { memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1) };
    let mut at = first;
    let mut walk = |line: &[u8]| {
        let mut walk = walk::Walk::new(line);
        *lines += 1;
        *members += walk.by_ref().count() as u64;
        *broken += u64::from(!walk.is_whole());
    };
    while let Some(end) = memchr::memchr(b'\n', &bytes[at..]) {
        walk(&bytes[at..at + end]);
        at += end + 1;
    }
    if at < bytes.len() {
        let mut rest = bytes[at..].to_vec();
        let mut reader = BufReader::new(At(file, from + bytes.len() as u64));
        reader.read_until(b'\n', &mut rest).unwrap();
        walk(rest.trim_ascii_end());
    }
}

/// Reads a file from a position on.
struct At(File, u64);

impl std::io::Read for At {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read_at(bytes, self.1)?;
        self.1 += read as u64;
        Ok(read)
    }
}
