//! A pseudo-terminal, which a command takes for a real one.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub(crate) struct Terminal {
    screen: OwnedFd,
    inside: File,
}

impl Terminal {
    pub(crate) fn new(columns: u16) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(name.as_bytes());
        let inside = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&inside, size).unwrap();
        Self { screen, inside }
    }

    /// Returns what it shows.
    pub(crate) fn screen(&self) -> File {
        File::from(self.screen.try_clone().unwrap())
    }

    /// Returns the end that a command has.
    #[cfg(feature = "follow")]
    pub(crate) fn inside(&self) -> File {
        self.inside.try_clone().unwrap()
    }

    /// Starts a command whose stdout it is.
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        command.stdout(self.inside.try_clone().unwrap()).spawn().unwrap()
    }

    /// Returns what the command shows until it ends.
    pub(crate) fn run(self, command: &mut Command) -> String {
        let mut child = self.spawn(command);
        // What holds the other end, too.
        command.stdout(std::process::Stdio::null());
        let shown = self.shown();
        child.wait().unwrap();
        shown
    }

    /// Returns what is shown until nobody holds the terminal. Lines end in a newline alone.
    pub(crate) fn shown(self) -> String {
        drop(self.inside);
        let (mut screen, mut shown) = (File::from(self.screen), Vec::new());
        let mut buffer = [0; 4096];
        // The end is an error on Linux.
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(shown).unwrap().replace("\r\n", "\n")
    }
}
