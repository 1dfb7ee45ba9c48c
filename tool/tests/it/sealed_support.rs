//! Sealed logs and keys for the tests of `spanline keygen`, `open` and `verify`.

use std::fs;
use std::io::Write;
use std::time::Duration;

use spanline::sealed::{Key, Recipients};
use spanline::{Guard, Output, RollingFile};

use crate::{Dir, Done};

pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// A directory with the key `key`, and logs for its recipient.
pub(crate) struct Sealed {
    pub(crate) dir: Dir,
    pub(crate) recipient: String,
}

/// A log that is open.
pub(crate) struct Writer {
    pub(crate) lines: spanline::Appender,
    pub(crate) guard: Guard,
}

impl Sealed {
    pub(crate) fn new() -> Self {
        let dir = Dir::new();
        let (text, recipient) = Key::generate();
        dir.put("key", text.as_bytes());
        restrict(&dir, "key");
        Self { dir, recipient }
    }

    pub(crate) fn recipients(&self) -> Recipients {
        Recipients::parse(&self.recipient).unwrap()
    }

    pub(crate) fn writer(&self, name: &str) -> Writer {
        Writer::new(RollingFile::new(self.dir.path().join(name)).seal_to(self.recipients()))
    }

    /// Writes a log of four files in two chains, with two blocks of a line each. Returns its last head.
    pub(crate) fn write(&self, name: &str) -> String {
        let first = self.writer(name);
        first.log(&["1"]);
        first.log(&["2"]);
        first.rotate();
        first.log(&["3"]);
        first.log(&["4"]);
        first.guard.close().unwrap();
        let second = self.writer(name);
        second.log(&["5"]);
        second.log(&["6"]);
        second.rotate();
        second.log(&["7"]);
        second.log(&["8"]);
        let head = second.head();
        second.guard.close().unwrap();
        head
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.dir.run(args)
    }

    /// Returns the names of the log's files, oldest first.
    pub(crate) fn files(&self, log: &str) -> Vec<String> {
        let listed = self.run(&["ls", log]).stdout;
        listed.lines().skip(1).map(|line| line.split_whitespace().last().unwrap().to_owned()).collect()
    }

    pub(crate) fn edit(&self, file: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let path = self.dir.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        edit(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    /// Changes a bit of the first block of lines.
    pub(crate) fn damage(&self, file: &str) {
        self.edit(file, |bytes| {
            let block = bytes.windows(8).position(|window| window == b"\xfesealed\n").unwrap();
            bytes[block + 110] ^= 1;
        });
    }
}

impl Writer {
    pub(crate) fn new(file: RollingFile) -> Self {
        let (lines, guard) = Output::new(file).appender().unwrap();
        Self { lines, guard }
    }

    pub(crate) fn log(&self, lines: &[&str]) {
        use tracing_subscriber::fmt::MakeWriter;
        for line in lines {
            writeln!(self.lines.make_writer(), "{line}").unwrap();
        }
        self.guard.handle().flush(WAIT).unwrap();
    }

    pub(crate) fn rotate(&self) {
        self.guard.handle().rotate(WAIT).unwrap();
    }

    pub(crate) fn head(&self) -> String {
        self.guard.handle().seal_heads()[0].1.clone()
    }
}

pub(crate) fn restrict(dir: &Dir, name: &str) {
    #[cfg(unix)]
    mode(dir, name, 0o600);
    let _ = (dir, name);
}

#[cfg(unix)]
pub(crate) fn mode(dir: &Dir, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) const ALL: &str = "1\n2\n3\n4\n5\n6\n7\n8\n";
