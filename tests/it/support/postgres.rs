//! A PostgreSQL server of Debian's package, on a free loopback port, in a temporary folder.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::users::is_root;
use crate::support::wait::until;

/// The password of the user `postgres`.
pub(crate) const PASSWORD: &str = "hunter2 is none";

pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts a server; `None` if there is none on this machine, which the test says.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(|_| {})
    }

    /// Starts a server that lets only connections with TLS in. Its certificate is in `server.crt`, for `localhost`.
    pub(crate) fn start_with_tls() -> Option<Self> {
        Self::start_with(|server| {
            let mut openssl = Command::new("openssl");
            openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
            openssl.args(["-keyout", "server.key", "-out", "server.crt", "-days", "2", "-subj", "/CN=localhost"]);
            openssl.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]);
            succeeds(&openssl.current_dir(server.folder()).output().unwrap());
            if is_root() {
                std::os::unix::fs::chown(server.folder().join("server.key"), Some(numeric_id("-u")), None).unwrap();
            }
            let data = server.folder().join("data");
            let rules = fs::read_to_string(data.join("pg_hba.conf")).unwrap();
            fs::write(data.join("pg_hba.conf"), rules.replace("\nhost ", "\nhostssl ")).unwrap();
            let settings = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
            let files = "ssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'\n";
            settings.unwrap().write_all(files.as_bytes()).unwrap();
        })
    }

    fn start_with(set_up: impl FnOnce(&Self)) -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let Some(programs) = versions.map(|version| version.path().join("bin")).find(|bin| bin.join("initdb").exists())
        else {
            assert!(std::env::var_os("CI").is_none(), "postgresql is missing, which .ci/run installs");
            eprintln!("not tested: PostgreSQL is missing");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, programs, port, process: None };
        fs::write(server.folder.path().join("password"), PASSWORD).unwrap();
        if is_root() {
            // The server refuses to run as root.
            let user = numeric_id("-u");
            for path in [server.folder.path().to_owned(), server.folder.path().join("password")] {
                std::os::unix::fs::chown(path, Some(user), None).unwrap();
            }
        }
        let mut init = server.program("initdb");
        init.args(["--no-sync", "--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        init.args(["--pwfile=password", "--pgdata=data"]);
        succeeds(&init.output().unwrap());
        set_up(&server);
        server.run();
        Some(server)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        // psql with TLS looks into the home, which may be closed to this user.
        command.current_dir(self.folder.path()).env("PGPASSWORD", PASSWORD).env("HOME", self.folder.path());
        if is_root() {
            command.uid(numeric_id("-u")).gid(numeric_id("-g"));
        }
        command
    }

    /// Runs the server, and waits until it answers. After a kill, its old processes may be there for a moment.
    pub(crate) fn run(&mut self) {
        until("the server to answer", || {
            if self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some()) {
                let mut command = self.program("postgres");
                command.args(["-D", "data", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
                command.args(["-p", &self.port.to_string()]).stdout(Stdio::null());
                let told = fs::OpenOptions::new().create(true).append(true).open(self.folder().join("server.log"));
                command.stderr(told.unwrap());
                self.process = Some(command.spawn().unwrap());
            }
            let answers = self.psql("SELECT 1");
            answers.is_some()
        });
    }

    /// Sends a signal to all processes of the server.
    pub(crate) fn signal(&self, signal: Signal) {
        let main = self.process.as_ref().unwrap().id();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|id| id.parse::<u32>().unwrap());
        for id in std::iter::once(main).chain(children) {
            let _ = kill_process(Pid::from_raw(id as i32).unwrap(), signal);
        }
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.process.take().unwrap().wait().unwrap();
    }

    /// Runs SQL; returns what it prints, or `None` if that failed.
    pub(crate) fn psql(&self, sql: &str) -> Option<String> {
        let mut command = self.program("psql");
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &self.port.to_string(),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        let output = command.args(["-c", sql]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.psql(sql).unwrap_or_else(|| panic!("this failed: {sql}"))
    }

    /// Its URL for a host, without a password.
    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

fn numeric_id(which: &str) -> u32 {
    let found = Command::new("id").args([which, "postgres"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().parse().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
