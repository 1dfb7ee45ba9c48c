//! Lines in memory, for tests.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{Lines, Next, Profile, Sink};
use crate::error::Error;
use crate::sync;

/// Keeps lines in memory, for tests of what a program logs. Clones share the lines. A line counts as written at once.
///
/// ```
/// use std::time::Duration;
/// use spanline::sink::Memory;
/// use spanline::Output;
/// use tracing_subscriber::prelude::*;
///
/// let memory = Memory::new();
/// let (layer, guard) = spanline::builder().output(Output::new(memory.clone())).build()?;
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::info!(user_id = 42, "order loaded");
/// });
/// guard.handle().flush(Duration::from_secs(5))?;
/// assert!(memory.lines()[0].contains(r#""user_id":42"#));
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// Creates a sink without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the lines so far, without their newlines. Flush the log first: the worker writes them later.
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Returns the lines so far as one text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Removes the lines so far and returns their bytes.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes())
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        sync::lock(&self.0)
    }
}

impl Sink for Memory {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.bytes().extend_from_slice(lines.as_bytes());
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }

    fn profile(&self) -> Profile {
        Profile::new("memory").plain()
    }
}
