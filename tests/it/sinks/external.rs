//! Programs that tests start as servers: Python, syslog-ng and rsyslog.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::wait::until;

/// A program that ends with its test.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Kills it at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking()
            && let Some(mut stderr) = self.0.stderr.take()
        {
            let mut text = String::new();
            let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
            eprintln!("the server said: {text}");
        }
    }
}

/// Returns where a program is. Without it the test is left out, except in the gate, which installs it.
pub(crate) fn find(name: &str, more: &[&str]) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(more.iter().copied()).chain(["/usr/sbin", "/sbin"]);
    let found = places.map(|place| Path::new(place).join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing");
        println!("not tested: {name} is missing");
    }
    found
}

/// Waits until a server listens on a port of this machine.
pub(crate) fn until_listens(port: u16) {
    until("the server listens", || std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).is_ok());
}

/// Returns the lines of a file that end in a newline; none if there is no file.
pub(crate) fn lines_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(ToOwned::to_owned).collect()
}
