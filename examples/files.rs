//! A file that rotates by size and day, is compressed, and is read back: `cargo run --example files`.
//!
//! ```text
//! 2 segments, the first one compressed: true
//! 100 lines, the oldest: … INFO files: order loaded order=0
//! ```

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use spanline::schema::Template;
use spanline::{Output, RollingFile, read};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("orders.log");
    let file = RollingFile::new(&path)
        .rotate_bytes(100 << 20) // before the line that would pass this size
        .daily() // or before the first line of a new day
        .keep_files(7) // closed segments; the active file is not counted
        .gzip();
    let schema = Template::new("{time:%H:%M:%S} {level} {target}: {message} {fields}")?;
    let guard = spanline::builder().filter_variable(None).output(Output::new(file).schema(schema)).init()?;

    for order in 0..100 {
        tracing::info!(order, "order loaded");
        if order == 49 {
            guard.handle().rotate(Duration::from_secs(5))?; // on demand
        }
    }
    guard.close()?; // waits for the compression, too

    let log = read::Log::open(&path)?;
    let segments = read::segments(&path)?;
    let is_compressed = segments.first().is_some_and(|segment| segment.path().extension().is_some_and(|it| it == "gz"));
    println!("{} segments, the first one compressed: {is_compressed}", segments.len());

    // From the oldest line to the newest, decompressed.
    let mut lines = log.lines()?;
    let mut all = Vec::new();
    while let Some(line) = lines.next_line()? {
        all.push(String::from_utf8_lossy(line).into_owned());
    }
    println!("{} lines, the oldest: {}", all.len(), all[0]);
    Ok(())
}
