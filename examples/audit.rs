//! A sealed audit log, from the key to an edit that shows: `cargo run --features sealed --example audit`.
//!
//! In production, `spanline keygen` makes the key on the auditor's machine, and the service has the public half only.
//!
//! ```text
//! {…"message":"logged in","user":"ada"}
//! {…"message":"paid out","user":"ada","amount":1200}
//! whole: true
//! whole: false
//! …: …
//! …: …
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use spanline::sealed::{Checks, Key, Recipients};
use spanline::{Output, RollingFile, read};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("audit.log");

    // The auditor makes a key, and gives the service its public half.
    let (key_file, recipient) = Key::generate();

    // The service can write, and cannot read what it has written.
    let file = RollingFile::new(&path).seal_to(Recipients::parse(&recipient)?);
    let guard = spanline::builder().output(Output::new(file)).init()?;
    tracing::info!(user = "ada", "logged in");
    guard.handle().rotate(Duration::from_secs(5))?;
    tracing::info!(user = "ada", amount = 1200, "paid out");
    // Kept in another place, it shows later whether the end of the log is still there.
    let (_, head) = guard.handle().seal_heads().remove(0);
    guard.close()?;

    // The auditor reads it.
    let key = Key::parse(key_file.as_str())?;
    let mut lines = read::Log::open(&path)?.lines()?.key(&key);
    while let Some(line) = lines.next_line()? {
        println!("{}", String::from_utf8_lossy(line));
    }
    let checks = Checks::new().key(&key).expect(&head)?;
    let report = read::verify(read::segments(&path)?, &checks)?;
    println!("whole: {}", report.is_whole());
    assert!(report.is_whole());

    // Somebody edits the file.
    let mut bytes = fs::read(&path)?;
    let at = bytes.len() - 250;
    bytes[at] ^= 1;
    fs::write(&path, bytes)?;
    let report = read::verify(read::segments(&path)?, &checks)?;
    println!("whole: {}", report.is_whole());
    for row in &report.rows {
        println!("{}: {}, {:?}", row.file, row.state, row.findings);
    }
    assert!(!report.is_whole());
    Ok(())
}
