//! A disk that fills up: a small file system in memory, if this process may mount one. Otherwise, a limit on the size of
//! the program's files has the same effect.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::stage::{Program, Stage};
use super::tell;

/// Is set in the process that may mount.
const MAY_MOUNT: &str = "ORDERS_CHAOS_MAY_MOUNT";

/// Restarts this process in its own namespaces, in which it may mount and no other process sees the mounts. Returns if
/// that is refused.
pub(super) fn allow_mounts() {
    if may_mount() {
        return tell("a full disk is a small tmpfs in a mount namespace\n");
    }
    let mut tried = Command::new("unshare");
    tried.args(["-Urm", "mount", "-t", "tmpfs", "none"]).arg(std::env::temp_dir());
    let tried = tried.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success())
        && let Ok(program) = std::env::current_exe()
    {
        let arguments = std::env::args_os().skip(1);
        let _ = Command::new("unshare").arg("-Urm").arg(program).args(arguments).env(MAY_MOUNT, "1").exec();
    }
    tell("a full disk is a limit on the size of files: mount namespaces are refused here\n");
}

fn may_mount() -> bool {
    std::env::var_os(MAY_MOUNT).is_some()
}

/// The disk that a program logs to.
pub(super) struct Disk {
    directory: PathBuf,
}

impl Disk {
    pub(super) fn new(stage: &Stage) -> io::Result<Self> {
        let directory = stage.logs();
        if may_mount() {
            let mut mount = Command::new("mount");
            let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&directory).status()?;
            if !mounted.success() {
                return Err(io::Error::other("mount failed"));
            }
        }
        Ok(Self { directory })
    }

    /// Starts a program that logs to this disk.
    pub(super) fn start(&self, stage: &Stage) -> io::Result<Program> {
        if may_mount() {
            return stage.start();
        }
        // With the signal ignored, a file that may not grow is an error and does not end the program.
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe()?);
        stage.start_through(shell)
    }

    fn ballast(&self) -> PathBuf {
        self.directory.join("ballast")
    }

    /// Fills the disk.
    pub(super) fn fill(&self, program: &Program) -> io::Result<()> {
        if !may_mount() {
            return limit_files(program, Some(fs::metadata(self.directory.join("orders.log"))?.len() + 1_000));
        }
        let mut ballast = File::create(self.ballast())?;
        while ballast.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    pub(super) fn make_room(&self, program: &Program) -> io::Result<()> {
        if may_mount() { fs::remove_file(self.ballast()) } else { limit_files(program, None) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if may_mount() {
            // A mounted directory cannot be removed.
            let _ = Command::new("umount").arg(&self.directory).status();
        }
    }
}

fn limit_files(program: &Program, bytes: Option<u64>) -> io::Result<()> {
    let id = i32::try_from(program.id()).ok().and_then(Pid::from_raw);
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(id, Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum })?;
    Ok(())
}
