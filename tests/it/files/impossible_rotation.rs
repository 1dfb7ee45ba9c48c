//! Rotation that can never work is refused at the start, or reported once.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use spanline::RollingFile;
use spanline::sink::{Control, Sink};

use crate::support::log_directory::{Dir, NOON, Play, at, compressing, later, refusal, set_mode};
use crate::support::process::{Running, child_behind, child_command, child_done, is_child};
#[cfg(target_os = "linux")]
use crate::support::seccomp::refuse;
use crate::support::users::{ATTACKER, SERVICE, is_root};

const PATH: &str = "SPANLINE_ROTATION_PATH";

/// The path that the child got.
fn path() -> PathBuf {
    PathBuf::from(std::env::var_os(PATH).unwrap())
}

/// Writes six lines with a rotation wanted before each; prints what is reported.
fn log_six(mut log: RollingFile) {
    for n in 0..6 {
        if let Err(error) = log.try_put(&format!("line {n}"), later(at(NOON), n * 60)) {
            println!("complaint: {error:#}");
        }
    }
    if let Err(error) = log.control(Control::Close) {
        println!("complaint: {error:#}");
    }
}

#[test]
fn promise_30_a_name_that_leaves_no_room_for_its_segments_is_refused() {
    // A segment adds the time, a sequence of up to 20 digits, and what a compressed one has while it is written.
    for (bytes, compresses, fits) in [(215, false, true), (216, false, false), (207, true, true), (208, true, false)] {
        if compresses && cfg!(not(feature = "gzip")) {
            continue;
        }
        let dir = Dir::new();
        let name = format!("{}.log", "n".repeat(bytes - 4));
        let log = || RollingFile::new(dir.join(&name));
        let rotating = || if compresses { compressing(log().rotate_bytes(2)) } else { log().rotate_bytes(2) };
        if fits {
            let mut log = rotating().open();
            ["a", "b"].iter().for_each(|text| log.put(text, NOON));
            log.close();
            assert_eq!(dir.names().len(), 3, "{bytes}: {:?}", dir.names());
            continue;
        }
        let error = refusal(rotating());
        assert!(error.contains("256 bytes, the file system allows 255"), "{bytes}: {error}");
        assert!(error.contains(&format!("at most {} bytes", bytes - 1)), "{bytes}: {error}");
        assert!(dir.names().is_empty(), "{:?}", dir.names());
        // Without rotation there are no segments.
        log().open().put("a", NOON);
    }
}

/// A container with a single file mounted into it.
#[cfg(target_os = "linux")]
#[test]
fn promise_30_a_mounted_file_is_not_rotated() {
    let test = this_test!();
    if is_child() {
        let (path, mounted) = (path(), path().with_extension("outside"));
        for file in [&path, &mounted] {
            fs::write(file, "").unwrap();
        }
        assert!(Command::new("mount").arg("--bind").args([&mounted, &path]).status().unwrap().success());
        println!("{}", refusal(RollingFile::new(&path).rotate_bytes(2)));
        let mut log = RollingFile::new(&path).open();
        log.put("a", NOON);
        println!("{:#}", log.control(Control::Rotate).unwrap_err());
        log.try_put("b", later(at(NOON), 60)).unwrap_err();
        println!("{:?}", fs::read_to_string(&mounted).unwrap());
        child_done();
    }
    let dir = Dir::new();
    let mount = ["-Urm", "mount", "-t", "tmpfs", "none"];
    let may_mount = Command::new("unshare").args(mount).arg(dir.0.path()).status().is_ok_and(|status| status.success());
    if !may_mount {
        return eprintln!("{test}: no mounts here, so no file can be mounted");
    }
    let mut command = child_behind("unshare", &["-Urm"], test);
    command.env(PATH, dir.path());
    let (told, _) = Running::start(command).finish();
    let told: Vec<_> = told.lines().collect();
    assert!(told[0].contains("orders.log: it is a mount point"), "{told:?}");
    assert!(told[1].contains("rotate") && told[1].contains("busy"), "{told:?}");
    assert_eq!(told[2], r#""a\nb\n""#);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_24_a_file_system_without_locks_is_reported_once_and_rotated() {
    let test = this_test!();
    if is_child() {
        // As on NFS without a lock service.
        refuse(libc::SYS_flock, None, libc::ENOLCK);
        log_six(compressing(RollingFile::new(path()).rotate_bytes(8)).open());
        child_done();
    }
    let dir = Dir::new();
    let mut command = child_command(test);
    command.env(PATH, dir.path());
    let (told, _) = Running::start(command).finish();
    assert_eq!(told.matches("complaint: ").count(), 1, "{told}");
    assert!(told.contains("its file system has no locks"), "{told}");
    assert_eq!(dir.segments().len(), 5);
    assert_eq!(dir.lines(), (0..6).map(|n| format!("line {n}")).collect::<Vec<_>>());
}

#[test]
fn promise_53_a_directory_that_others_may_write_to_is_reported_once_or_refused() {
    let own = rustix::process::getegid().as_raw();
    let everyone = "every user may write to it";
    // Mode, owner, group, and the complaint.
    let mut rows = vec![
        (0o755, None, own, ""),
        (0o777, None, own, everyone),
        (0o757, None, own, everyone),
        (0o773, None, own, everyone),
        (0o1777, None, own, ""),
        (0o775, None, own, ""),
    ];
    if is_root() {
        rows.extend([
            (0o775, None, SERVICE, "the group 40402 may write to it"),
            (0o2775, None, SERVICE, "the group 40402 may write to it"),
            (0o1775, None, SERVICE, ""),
            (0o755, Some(ATTACKER), own, "it belongs to another user (uid 40401)"),
            (0o1777, Some(ATTACKER), own, "it belongs to another user (uid 40401)"),
        ]);
    } else {
        eprintln!("not root: directories of other groups and users are left out");
    }
    for (mode, owner, group, complaint) in rows {
        let dir = Dir::new();
        chown(dir.0.path(), owner, Some(group)).unwrap();
        set_mode(dir.0.path(), mode);
        let mut log = dir.log().rotate_bytes(2).open();
        let told: Vec<_> = ["a", "b", "c"].iter().filter_map(|text| log.try_put(text, at(NOON)).err()).collect();
        log.control(Control::Reopen).unwrap();
        log.put("d", NOON);
        let strict = dir.log().strict_directory().control(Control::Open);
        if complaint.is_empty() {
            assert!(told.is_empty(), "{mode:o}: {told:?}");
            strict.unwrap();
        } else {
            assert!(matches!(&told[..], [error] if error.to_string().contains(complaint)), "{mode:o}: {told:?}");
            let error = strict.unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains(complaint), "{mode:o}: {error}");
            assert!(error.to_string().contains("strict_directory forbids that"), "{error}");
        }
    }
}
