//! Links, devices and files of other users are refused; modes do not depend on the umask.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::process::{Command, Stdio};

use spanline::RollingFile;

use crate::files::child_process::child;
use crate::support::log_directory::{Dir, NOON, Play, at, mode, names, read, refusal, set_mode};

#[cfg(unix)]
#[test]
fn promise_29_links_and_special_files_are_refused_and_unchanged() {
    let dir = Dir::new();
    let victim = dir.join("victim");
    fs::write(&victim, "precious").unwrap();
    set_mode(&victim, 0o644);

    std::os::unix::fs::symlink(&victim, dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("symbolic link"));
    fs::remove_file(dir.path()).unwrap();

    std::os::unix::fs::symlink(dir.join("nowhere"), dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("symbolic link"));
    assert!(!dir.join("nowhere").exists());
    fs::remove_file(dir.path()).unwrap();

    fs::create_dir(dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("directory"));
    fs::remove_dir(dir.path()).unwrap();

    assert!(Command::new("mkfifo").arg(dir.path()).status().unwrap().success());
    assert!(refusal(dir.log()).contains("not a regular file"));
    fs::remove_file(dir.path()).unwrap();

    let error = refusal(RollingFile::new("/dev/null"));
    assert!(error.contains("/dev/null") && error.contains("not a regular file"), "{error}");

    assert_eq!((fs::read_to_string(&victim).unwrap().as_str(), mode(&victim)), ("precious", 0o644));
    assert_eq!(dir.names(), ["victim"]);
}

#[cfg(unix)]
#[test]
fn promise_29_a_link_at_the_lock_file_is_not_followed() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(2).open();
    std::os::unix::fs::symlink(dir.join("nowhere"), dir.join(".orders.log.lock")).unwrap();
    log.put("a", NOON);
    assert!(format!("{:#}", log.try_put("b", at(NOON)).unwrap_err()).contains("symbolic link"));
    assert!(!dir.join("nowhere").exists());
    assert_eq!(dir.active(), "a\nb\n");
}

#[cfg(unix)]
#[test]
fn promise_29_a_hard_link_is_refused() {
    let dir = Dir::new();
    let victim = dir.join("victim");
    fs::write(&victim, "precious\n").unwrap();
    fs::hard_link(&victim, dir.path()).unwrap();
    assert!(refusal(dir.log()).contains("it has 2 hard links"));
    assert_eq!(read(&victim), "precious\n");
    fs::remove_file(&victim).unwrap();
    dir.log().open().put("mine", NOON);
    assert_eq!(dir.active(), "precious\nmine\n");
}

#[cfg(unix)]
#[test]
fn promise_29_modes_do_not_depend_on_the_umask() {
    for (umask, role, file, directory) in
        [("0777", "modes", 0o600, 0o750), ("0000", "modes", 0o600, 0o750), ("0777", "modes_set", 0o644, 0o711)]
    {
        let dir = Dir::new();
        let path = dir.join("deep/er/orders.log");
        let plain = child(role, &path);
        let mut child = Command::new("sh");
        child.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(plain.get_program());
        child.args(plain.get_args()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        assert!(child.stdout(Stdio::null()).status().unwrap().success());
        assert_eq!((mode(&dir.join("deep")), mode(&dir.join("deep/er"))), (directory, directory));
        let names = names(&dir.join("deep/er"));
        assert_eq!(names.len(), 3);
        for name in names {
            // Who can open the lock file can hold its lock.
            let file = if name == ".orders.log.lock" { 0o600 } else { file };
            assert_eq!(mode(&dir.join("deep/er").join(&name)), file, "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn promise_29_existing_files_and_directories_keep_their_mode() {
    let dir = Dir::new();
    fs::write(dir.path(), "").unwrap();
    set_mode(&dir.path(), 0o640);
    set_mode(dir.0.path(), 0o755);
    dir.log().open().put("a", NOON);
    assert_eq!((mode(&dir.path()), mode(dir.0.path())), (0o640, 0o755));
}
