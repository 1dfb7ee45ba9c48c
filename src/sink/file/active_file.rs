//! The open active file.
//!
//! While it is open, its writer holds a shared lock on it. The lock prevents that the file is compressed, and that
//! anything is cut off while there is more than one writer. Every user who may read the file can hold its lock, too. Such
//! a lock prevents neither the start nor a write: the writer continues without a lock, cuts nothing off, and asks for the
//! lock again before each batch. Between writes, `end` is where this writer left the file.
//! If the file ends elsewhere, another program wrote to it or cut it, and its last byte is checked before the next
//! write.
//!
//! Another process can still be killed in the middle of a write between that check and the next write, whose first line
//! then continues the torn one. The shared lock prevents neither this nor does it allow cutting the line off
//! afterwards, since the others write. But once a write is done, it is known where it began. So the byte before it is
//! checked then, and a line that was glued to a torn one counts as not written. A reader finds one invalid line, the
//! torn one with ours at its end, and ours once more after the lines that were written together with it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use super::failed::failed;
use super::kept::Kept;
use super::log_files::LogFiles;
use crate::error::Error;
use crate::record::Timestamp;
use crate::sink::Lines;
use crate::sink::directory::{Directory, Entry, HeldFile, Identity, Links, await_writes, try_exclusive, try_shared};

/// Another process may be inspecting or renaming the file: this many attempts, a quarter of a second in all.
const ATTEMPTS: u32 = 250;
/// A file that is seen growing this often has a writer that ends its lines.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct ActiveFile {
    file: HeldFile,
    /// Where the file ends with a whole line or this writer's `fragment`, as far as this writer knows.
    end: Option<u64>,
    /// The last write ended inside a line.
    fragment: bool,
    /// This writer holds its shared lock, or there are no locks.
    is_locked: bool,
    unsynced: bool,
    /// The process that created it, until something is written to it.
    created_by: Option<u32>,
}

impl ActiveFile {
    /// Opens or creates the file. Ends the torn line that a crash left, unless another process is writing.
    pub(super) fn open(files: &LogFiles) -> Result<Self, Error> {
        let (path, name) = (&files.active_path, files.names.active());
        for attempt in 0..ATTEMPTS {
            let (file, is_new) = files.directory.open_or_create(name, Links::One).map_err(failed("open", path))?;
            let identity = file.identity();
            let created_by = is_new.then(std::process::id);
            let mut active = Self { file, end: None, fragment: false, is_locked: false, unsynced: false, created_by };
            let is_there = || files.directory.leads_to(name, identity);
            if active.file.get().is_ok_and(try_exclusive) && is_there() {
                // A full disk is met again, and reported, with the first line.
                let _ = active.close_off();
            }
            active.is_locked = active.file.get().is_ok_and(try_shared);
            // Another program may hold its lock for good.
            if (active.is_locked || attempt + 1 == ATTEMPTS) && is_there() {
                return Ok(active);
            }
            thread::sleep(PAUSE);
        }
        Err(Error::retry(format!(
            "open {}: another program replaces it repeatedly; spanline tries again",
            path.display()
        )))
    }

    /// Returns whether it was created when it was opened.
    pub(super) fn is_new(&self) -> bool {
        self.created_by.is_some()
    }

    /// Makes the file stay, also without a line.
    pub(super) fn keep(&mut self) {
        self.created_by = None;
    }

    /// Returns whether this writer holds its shared lock. Asks for it again if not.
    pub(super) fn lock_again(&mut self) -> bool {
        self.is_locked = self.is_locked || self.file.get().is_ok_and(try_shared);
        self.is_locked
    }

    pub(super) fn entry(&self) -> io::Result<Entry> {
        self.file.entry()
    }

    /// Returns whether the program has closed its descriptor.
    pub(super) fn is_lost(&self) -> bool {
        self.file.is_lost()
    }

    /// Takes over what another descriptor of the same file still has to do.
    pub(super) fn follow(&mut self, before: &Self) {
        self.unsynced |= before.unsynced && before.identity() == self.identity();
    }

    /// Gives it the group and mode that files of the log have.
    pub(super) fn set_attributes(&self, files: &LogFiles) -> Result<(), Error> {
        let set = self.file.get().and_then(|file| Directory::set_attributes(file, files.attributes));
        set.map_err(failed("set the group of", &files.active_path))
    }

    /// Removes it if this process created it, nothing was written to it, and no other process has opened it.
    pub(super) fn discard_empty(&mut self, files: &LogFiles) {
        let is_own = self.created_by == Some(std::process::id());
        let is_empty = || self.len().is_ok_and(|len| len == 0);
        if !is_own || !is_empty() {
            return;
        }
        if self.file.get().is_ok_and(try_exclusive) && is_empty() && self.is_in(files) {
            let _ = files.directory.remove(files.names.active());
        }
        // Asking for the exclusive lock gave up the shared one.
        self.is_locked = false;
    }

    pub(super) fn identity(&self) -> Identity {
        self.file.identity()
    }

    /// Returns whether the path still leads to it.
    pub(super) fn is_at(&self, files: &LogFiles) -> bool {
        files.leads_to(self.identity())
    }

    /// Returns whether it still is in the held directory, under its name.
    pub(super) fn is_in(&self, files: &LogFiles) -> bool {
        files.directory.leads_to(files.names.active(), self.identity())
    }

    /// Returns whether it still has a name, so that its lines can be found.
    pub(super) fn has_name(&self) -> bool {
        self.entry().is_ok_and(|entry| entry.links > 0)
    }

    /// Returns whether the rest of the first line belongs here: the file ends with its beginning.
    pub(super) fn awaits_rest(&self) -> bool {
        self.fragment && self.len().is_ok_and(|len| Some(len) == self.end)
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.entry()?.bytes)
    }

    /// Returns about when its first line was written; `None` if the system does not know.
    pub(super) fn begun(&self) -> Option<Timestamp> {
        let created = self.file.get().and_then(|file| file.metadata()?.created()).ok()?;
        let created = Timestamp::from(chrono::DateTime::<chrono::Utc>::from(created));
        Some(self.modified().map_or(created, |modified| created.min(modified)))
    }

    /// Returns when it was last written to.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        self.entry().ok().map(|entry| entry.modified)
    }

    /// Makes the file's end and the cursor agree: what follows is the rest of the line that the file ends with, or a
    /// whole line. Returns the size.
    pub(super) fn settle(&mut self, lines: &mut Lines) -> io::Result<u64> {
        let mut size = self.len()?;
        if self.end != Some(size) {
            self.fragment = false;
            size = self.close_off()?;
        }
        if self.fragment && lines.at_line_start() {
            // The rest of the line was given up.
            size = self.end_line()?;
        }
        if !self.fragment && !lines.at_line_start() {
            lines.rewind_line();
        }
        Ok(size)
    }

    /// Ends a line that another program has torn, and returns the size. A file grows in steps during a write. So an end
    /// without a newline is torn only if it is still there when no write is under way.
    fn close_off(&mut self) -> io::Result<u64> {
        self.end = None;
        let mut size = 0;
        for _ in 0..LOOKS {
            size = self.len()?;
            if self.is_line_end(size)? {
                self.end = Some(size);
                break;
            }
            await_writes(self.file.get()?);
            if self.len()? == size {
                return self.end_line();
            }
        }
        Ok(size)
    }

    /// Returns whether a line may begin at `at`.
    fn is_line_end(&mut self, at: u64) -> io::Result<bool> {
        Ok(at == 0 || self.byte_at(at - 1)? == Some(b'\n'))
    }

    fn byte_at(&mut self, at: u64) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let mut file = self.file.get()?;
        file.seek(SeekFrom::Start(at))?;
        Ok((file.read(&mut byte)? == 1).then_some(byte[0]))
    }

    fn end_line(&mut self) -> io::Result<u64> {
        let mut file = self.file.get()?;
        file.write_all(b"\n")?;
        let end = file.stream_position()?;
        self.end = Some(end);
        self.fragment = false;
        Ok(end)
    }

    /// Appends `bytes` bytes of `lines` in one call, and advances past what was written.
    ///
    /// When the cursor is inside a line, the file must end with the beginning of that line. What was written is added to
    /// `kept`.
    pub(super) fn append(&mut self, lines: &mut Lines, bytes: usize, kept: &mut Kept) -> io::Result<()> {
        let before = self.end;
        let rest = self.fragment;
        let mut file = self.file.get()?;
        let written = loop {
            match file.write(lines.as_bytes().get(..bytes).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                written => break written,
            }
        };
        match written {
            Ok(written) => {
                let end = file.stream_position()?;
                let start = end.saturating_sub(written as u64);
                self.unsynced = true;
                self.created_by = None;
                self.end = Some(end);
                kept.push(lines.as_bytes().get(..written).unwrap_or_default(), rest && before == Some(start));
                if before == Some(start) {
                    lines.advance(written);
                } else if rest {
                    // Another program wrote between the two parts of the line: send it again, whole.
                    self.end = None;
                    self.fragment = false;
                    lines.rewind_line();
                    return Ok(());
                } else if lines.as_bytes().starts_with(b"\n") || self.is_line_end(start).unwrap_or(true) {
                    lines.advance(written);
                } else if !lines.advance_past_first(written) {
                    // All of it belongs to the line that was glued.
                    self.end = None;
                    return Ok(());
                }
                self.fragment = !lines.at_line_start();
                Ok(())
            }
            Err(error) => {
                self.cut_back(lines);
                Err(error)
            }
        }
    }

    /// Cuts off the beginning of a line, unless another process is writing to the file.
    fn cut_back(&mut self, lines: &mut Lines) {
        let Some(end) = self.end.filter(|_| self.fragment) else { return };
        let delivered = lines.as_bytes().len();
        let Ok(file) = self.file.get() else { return };
        if try_exclusive(file) && self.len().is_ok_and(|len| len == end) {
            lines.rewind_line();
            let part = lines.as_bytes().len() - delivered;
            let whole = end.saturating_sub(part as u64);
            if file.set_len(whole).is_ok() {
                self.end = Some(whole);
                self.fragment = false;
            } else {
                lines.advance(part);
            }
        }
        // Asking for the exclusive lock gave up the shared one.
        self.is_locked = try_shared(file);
    }

    /// Releases the shared lock of a closed segment. Closing the file does not suffice: a forked process may have
    /// inherited the lock.
    pub(super) fn release(&self) {
        let _ = self.file.get().and_then(File::unlock);
    }

    /// Writes whole lines again that could not be made durable, and makes them durable here.
    pub(super) fn write_again(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begun = self.close_off()?;
        let mut file = self.file.get()?;
        file.write_all(bytes)?;
        self.end = Some(file.stream_position()?).filter(|end| *end == begun.saturating_add(bytes.len() as u64));
        (self.unsynced, self.created_by) = (true, None);
        self.sync()
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.get()?.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::path::Path;

    use tracing::Level;

    use super::*;
    use crate::rotation::{Calendar, Compression, Retention, SegmentNames};
    use crate::sink::directory::NewFiles;

    fn log_files(directory: &Path) -> LogFiles {
        let new_files = NewFiles { mode: None, group: None, default_mode: 0o600, directory_mode: 0o750 };
        LogFiles {
            active_path: directory.join("orders.log"),
            directory: Directory::open(directory, 0o750).unwrap().into(),
            names: SegmentNames::new("orders.log"),
            calendar: Calendar::default(),
            new_files,
            attributes: new_files.attributes(),
            period_of: None,
            is_lazy: false,
            link: None,
            is_strict: false,
            retention: Retention::default(),
            compression: Compression::Plain,
        }
    }

    /// Returns the file's content when `other` was written to it, and its writer killed, between the check of the
    /// file's end and the write of the first `part` bytes of these lines.
    fn disturbed(texts: &[&str], other: &str, part: usize) -> String {
        let directory = tempfile::tempdir().unwrap();
        let files = log_files(directory.path());
        fs::write(&files.active_path, "{\"before\":1}\n").unwrap();
        let mut active = ActiveFile::open(&files).unwrap();
        let mut lines = Lines::default();
        for text in texts {
            lines.push_line(text.as_bytes(), Level::INFO, Timestamp::default());
        }
        active.settle(&mut lines).unwrap();
        OpenOptions::new().append(true).open(&files.active_path).unwrap().write_all(other.as_bytes()).unwrap();
        active.append(&mut lines, part, &mut Kept::new()).unwrap();
        while !lines.is_empty() {
            active.settle(&mut lines).unwrap();
            let all = lines.as_bytes().len();
            active.append(&mut lines, all, &mut Kept::new()).unwrap();
        }
        fs::read_to_string(&files.active_path).unwrap()
    }

    #[test]
    fn promise_26_a_line_glued_to_the_torn_line_of_another_process_is_written_again() {
        let texts = ["{\"a\":1}", "{\"b\":22}", "{\"c\":333}"];
        let all = texts.concat().len() + texts.len();
        for part in 1..=all {
            let text = disturbed(&texts, "{\"torn\":", part);
            let mut whole: Vec<_> = text.lines().filter(|line| texts.contains(line)).collect();
            whole.sort_unstable();
            assert_eq!(whole, texts, "{part} bytes first: {text}");
            let glued: Vec<_> = text.lines().skip(1).filter(|line| !texts.contains(line)).collect();
            assert!(matches!(glued[..], [line] if line.starts_with("{\"torn\":")), "{part} bytes first: {text}");
            assert!(text.ends_with('\n'));
        }
    }

    #[test]
    fn promise_26_a_whole_line_of_another_process_at_that_moment_does_no_harm() {
        let text = disturbed(&["{\"a\":1}", "{\"b\":22}"], "{\"other\":1}\n", 17);
        assert_eq!(text, "{\"before\":1}\n{\"other\":1}\n{\"a\":1}\n{\"b\":22}\n");
    }

    #[test]
    fn promise_05_a_torn_tail_that_could_not_be_ended_at_first_is_ended_later() {
        let directory = tempfile::tempdir().unwrap();
        let files = log_files(directory.path());
        let mut active = ActiveFile::open(&files).unwrap();
        fs::write(&files.active_path, "{\"torn\":").unwrap();
        let mut lines = Lines::default();
        lines.push_line(b"{\"a\":1}", Level::INFO, Timestamp::default());
        let writable =
            std::mem::replace(&mut active.file, HeldFile::new(File::open(&files.active_path).unwrap()).unwrap());
        active.settle(&mut lines).unwrap_err();
        active.file = writable;
        active.settle(&mut lines).unwrap();
        active.append(&mut lines, 8, &mut Kept::new()).unwrap();
        assert_eq!(fs::read_to_string(&files.active_path).unwrap(), "{\"torn\":\n{\"a\":1}\n");
    }
}
