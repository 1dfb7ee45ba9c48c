//! Indexes that are damaged or those of others, and caches that cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::{Dir, Done, done};

const FOUND: &str = "{\"time\":\"2026-11-20T10:00:00Z\",\"request_id\":\"r-1\",\"message\":\"order lost\"}\n";

/// A log with one line that is looked for, behind others.
fn dir() -> Dir {
    let dir = Dir::new();
    let others =
        |number| format!("{{\"time\":\"2026-11-20T09:00:00Z\",\"request_id\":\"r-0{number}\",\"message\":\"x\"}}\n");
    dir.put("x.log", (0..20_000).map(others).collect::<String>() + FOUND);
    dir
}

fn command(dir: &Dir, args: &[&str]) -> Command {
    let mut command = dir.command(args);
    command.env("XDG_CACHE_HOME", dir.path().join("cache"));
    command
}

fn index(dir: &Dir) -> Done {
    done(command(dir, &["index", "x.log"]).output().unwrap())
}

#[track_caller]
fn assert_found(command: &mut Command) {
    let expected = Done { stdout: FOUND.to_owned(), stderr: String::new(), status: 0 };
    assert_eq!(done(command.output().unwrap()), expected);
}

#[track_caller]
fn assert_finds(dir: &Dir) {
    assert_found(&mut command(dir, &["find", "x.log", "--request", "r-1"]));
}

/// Returns the only index.
#[track_caller]
fn only_index(dir: &Dir) -> std::path::PathBuf {
    let mut entries = fs::read_dir(dir.path().join("cache/spanline")).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    path
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

/// Indexes the log. Returns the bytes of the index.
fn indexed(dir: &Dir) -> Vec<u8> {
    assert_eq!(index(dir).status, 0);
    fs::read(only_index(dir)).unwrap()
}

#[test]
fn only_the_user_can_read_an_index() {
    let dir = dir();
    assert_eq!(index(&dir).status, 0);
    assert_eq!(mode(&only_index(&dir)), 0o600);
    assert_eq!(mode(&dir.path().join("cache/spanline")), 0o700);
    assert_finds(&dir);
}

#[test]
fn a_damaged_index_is_ignored_and_replaced() {
    let dir = dir();
    let whole = indexed(&dir);
    let path = only_index(&dir);
    let mut damaged = vec![Vec::new(), b"x".to_vec(), whole[..whole.len() - 1].to_vec(), [&whole[..], b"x"].concat()];
    damaged.extend((0..whole.len()).step_by(whole.len() / 10).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    }));
    for bytes in damaged {
        fs::write(&path, bytes).unwrap();
        assert_finds(&dir);
    }
    assert_eq!(index(&dir).status, 0);
    assert_eq!(fs::read(only_index(&dir)).unwrap().len(), whole.len());
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert_finds(&dir);
}

#[test]
fn the_index_of_another_file_is_ignored() {
    let dir = dir();
    indexed(&dir);
    let path = only_index(&dir);
    let other = dir.path().join("y.log");
    fs::write(&other, fs::read(dir.path().join("x.log")).unwrap().repeat(2)).unwrap();
    fs::rename(dir.path().join("x.log"), dir.path().join("z.log")).unwrap();
    fs::rename(other, dir.path().join("x.log")).unwrap();
    assert_eq!(index(&dir).status, 0);
    let new = fs::read_dir(dir.path().join("cache/spanline")).unwrap().map(|entry| entry.unwrap().path());
    let new = new.into_iter().find(|new| *new != path).unwrap();
    fs::copy(&path, &new).unwrap();
    let found = done(command(&dir, &["find", "x.log", "--request", "r-1"]).output().unwrap());
    assert_eq!(found.stdout, FOUND.repeat(2));
}

#[test]
fn an_index_that_others_can_write_or_that_is_a_link_is_ignored() {
    let dir = dir();
    indexed(&dir);
    let path = only_index(&dir);
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    assert_finds(&dir);
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_finds(&dir);
    let before = fs::read(&elsewhere).unwrap();
    assert_eq!(index(&dir).status, 0);
    assert!(
        path.symlink_metadata().unwrap().is_file() && fs::read(&elsewhere).unwrap() == before,
        "the link is replaced"
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_finds(&dir);
    assert_eq!(index(&dir).status, 1);
}

#[test]
fn a_directory_of_others_or_a_link_to_one_is_not_used() {
    let dir = dir();
    indexed(&dir);
    let cache = dir.path().join("cache/spanline");
    for lax in [0o750, 0o777] {
        fs::set_permissions(&cache, Permissions::from_mode(lax)).unwrap();
        assert_finds(&dir);
        let refused = index(&dir);
        assert!(refused.status == 1 && refused.stderr.contains("expected a directory of this user with mode 0700"));
    }
    fs::set_permissions(&cache, Permissions::from_mode(0o700)).unwrap();
    if chown(&cache, Some(1), None).is_ok() {
        assert_finds(&dir);
        assert_eq!(index(&dir).status, 1);
        chown(&cache, Some(0), None).unwrap();
        let path = only_index(&dir);
        chown(&path, Some(1), None).unwrap();
        assert_finds(&dir);
    }
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&cache, &elsewhere).unwrap();
    symlink(&elsewhere, &cache).unwrap();
    assert_finds(&dir);
    assert_eq!(index(&dir).status, 1);
    fs::remove_file(&cache).unwrap();
    fs::write(&cache, "a file").unwrap();
    assert_finds(&dir);
    assert_eq!(index(&dir).status, 1);
}

#[test]
fn without_a_home_there_is_no_index_and_no_error() {
    let dir = dir();
    let find = ["find", "x.log", "--request", "r-1"];
    assert_found(dir.command(&find).env("XDG_CACHE_HOME", "/dev/null"));
    for home in ["/proc/none", "", "relative"] {
        assert_found(dir.command(&find).env_remove("XDG_CACHE_HOME").env("HOME", home));
        assert_found(dir.command(&find).env("XDG_CACHE_HOME", home).env_remove("HOME"));
        let refused = dir.command(&["index", "x.log"]).env_remove("XDG_CACHE_HOME").env("HOME", home).output().unwrap();
        let refused = done(refused);
        assert!(
            refused.status == 1 && refused.stderr.starts_with("spanline: open the directory of indexes "),
            "{refused:?}"
        );
    }
}

#[test]
fn a_full_disk_leaves_no_index_and_the_one_before() {
    let dir = dir();
    let limited = || {
        // Files may have no bytes.
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" index x.log";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_spanline")]).current_dir(dir.path());
        done(shell.env("XDG_CACHE_HOME", dir.path().join("cache")).output().unwrap())
    };
    let failed = limited();
    assert!(failed.status == 1 && failed.stderr.starts_with("spanline: write the index of x.log to "), "{failed:?}");
    assert_eq!(fs::read_dir(dir.path().join("cache/spanline")).unwrap().count(), 0);
    assert_finds(&dir);
    let before = indexed(&dir);
    dir.put("x.log", fs::read_to_string(dir.path().join("x.log")).unwrap() + "{}\n");
    assert_eq!(limited().status, 1);
    assert_finds(&dir);
    assert_eq!(fs::read(only_index(&dir)).unwrap(), before);
}
