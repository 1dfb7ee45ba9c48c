//! The symbolic link to the file that is being written.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use spanline::sink::{Control, Sink};

use crate::support::log_directory::{Dir, NOON, Play, at, refusal};
use crate::support::users::{ATTACKER, is_root};

fn target(path: &Path) -> PathBuf {
    fs::read_link(path).unwrap()
}

#[test]
fn a_link_leads_to_the_active_file() {
    let dir = Dir::new();
    let link = dir.join("links/current.log");
    let mut log = dir.log().rotate_bytes(2).link(&link).open();
    ["a", "b"].iter().for_each(|text| log.put(text, NOON));
    assert_eq!(target(&link), dir.path());
    assert_eq!(fs::read_to_string(&link).unwrap(), "b\n");
    log.close();
    // Beside the file, the link is relative: the directory may be moved as a whole.
    let beside = dir.join("current");
    symlink("elsewhere", &beside).unwrap();
    symlink("left by a crash", dir.join(".current.tmp")).unwrap();
    dir.log().link(&beside).open().put("c", NOON);
    assert_eq!(target(&beside), Path::new("orders.log"));
    assert!(!dir.names().contains(&".current.tmp".to_owned()), "{:?}", dir.names());
}

#[test]
fn promise_53_only_a_link_of_the_own_user_is_replaced() {
    let dir = Dir::new();
    let link = dir.join("current");
    fs::write(&link, "precious").unwrap();
    let error = refusal(dir.log().link(&link));
    assert!(error.contains("no symbolic link of this process's own user") && error.contains("current"), "{error}");
    assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    assert!(refusal(dir.log().link(&link)).contains("no symbolic link of"));
    fs::remove_dir(&link).unwrap();
    assert!(refusal(dir.log().link(dir.path())).contains("the log itself is at this path"));
    if is_root() {
        symlink("theirs", &link).unwrap();
        lchown(&link, Some(ATTACKER), None).unwrap();
        assert!(refusal(dir.log().link(&link)).contains("no symbolic link of"));
        assert_eq!(target(&link), Path::new("theirs"));
    }
}

#[test]
fn promise_53_a_link_that_is_replaced_later_is_reported_once_and_left_alone() {
    let dir = Dir::new();
    let link = dir.join("current");
    let mut log = dir.log().link(&link).open();
    log.put("a", NOON);
    fs::remove_file(&link).unwrap();
    fs::write(&link, "precious").unwrap();
    log.control(Control::Reopen).unwrap();
    let error = log.try_put("b", at(NOON)).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("current"), "{error}");
    log.control(Control::Reopen).unwrap();
    log.put("c", NOON);
    assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
    assert_eq!(dir.lines(), ["a", "b", "c"]);
}
