//! A directory in which another user may create files, as a local attacker would use it. Each attack is one row of
//! [`ATTACKS`], with its outcome. The attacker and the service are child processes with two user ids.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use spanline::RollingFile;
use spanline::sink::{Control, Sink};

use crate::files::attacks::By::{Attacker, Root, Service};
use crate::files::attacks::Outcome::{Refused, Works};
use crate::files::attacks::{ATTACKS, Attack, OLD, private, setuid, victim};
use crate::support::log_directory::{self, NOON, Play, at, compressing, set_mode};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::users::{ATTACKER, SERVICE, as_user, give, is_root, may_play_users};

const ROW: &str = "SPANLINE_ATTACK";
const PATH: &str = "SPANLINE_ATTACK_PATH";
const LINES: usize = 6;

/// What can be known of a file without changing it.
fn state(path: &Path) -> String {
    let found = fs::symlink_metadata(path).unwrap();
    let content = match found.file_type() {
        kind if kind.is_file() => format!("{:?}", fs::read(path).unwrap()),
        kind if kind.is_symlink() => format!("{:?}", fs::read_link(path).unwrap()),
        kind => format!("{} {}", kind.is_fifo(), kind.is_socket()),
    };
    let (owner, group, time) = (found.uid(), found.gid(), (found.mtime(), found.mtime_nsec()));
    format!("{} {owner}:{group} {:o} {time:?} {content}", found.ino(), found.mode())
}

/// The state of everything in the directory that does not belong to the service.
fn foreign(directory: &Path, service: u32) -> BTreeMap<PathBuf, String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| fs::symlink_metadata(path).unwrap().uid() != service)
        .map(|path| (path.clone(), state(&path)))
        .collect()
}

/// The lines of the service's regular files in the directories, sorted.
fn lines(directories: &[PathBuf], service: u32) -> Vec<String> {
    let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        let found = fs::symlink_metadata(path).unwrap();
        let is_log = path.file_name().unwrap().to_str().unwrap().starts_with("orders.");
        is_log && found.is_file() && found.uid() == service
    });
    let text =
        paths.filter_map(|path| std::panic::catch_unwind(|| log_directory::read(&path)).ok()).collect::<String>();
    let mut lines: Vec<_> =
        text.lines().map(str::to_owned).filter(|line| line.starts_with("line ") || line == "old").collect();
    lines.sort();
    lines
}

/// What the service does: logs, rotates with each line, compresses, and prints what it is told.
fn serve(path: &Path) {
    let mut log = compressing(RollingFile::new(path).rotate_bytes(8).keep_files(1_000));
    if let Err(error) = log.control(Control::Open) {
        println!("refused: {error:#}");
        return;
    }
    for n in 1..=LINES {
        if let Err(error) = log.try_put(&format!("line {n}"), at(NOON)) {
            println!("complaint: {error:#}");
        }
    }
    log.close_and_tell();
}

trait Tell {
    fn close_and_tell(&mut self);
}

impl Tell for RollingFile {
    fn close_and_tell(&mut self) {
        if let Err(error) = self.control(Control::Close) {
            println!("complaint: {error:#}");
        }
    }
}

/// Runs this test again as that user: as the one that plants, or as the service.
fn run(test: &str, user: u32, row: &str, path: &Path) -> String {
    let mut command = child_command(test);
    command.env(ROW, row).env(PATH, path).current_dir("/");
    if is_root() {
        as_user(&mut command, user);
    }
    Running::start(command).finish().0
}

fn play(test: &str, attack: &Attack) {
    let service = if is_root() { SERVICE } else { rustix::process::geteuid().as_raw() };
    let root = tempfile::tempdir().unwrap();
    set_mode(root.path(), 0o755);
    let directory = root.path().join("d");
    for (path, mode) in [(&directory, 0o1777), (&private(&directory), 0o700)] {
        fs::create_dir(path).unwrap();
        set_mode(path, mode);
    }
    fs::write(victim(&directory), "precious\n").unwrap();
    fs::write(directory.join(OLD), "old\n").unwrap();
    if is_root() {
        [private(&directory), victim(&directory), directory.join(OLD)].iter().for_each(|path| give(path, service));
    }
    if attack.name.starts_with("a chain of directories") {
        symlink(private(&directory), directory.join("two")).unwrap();
        give(&directory.join("two"), ATTACKER);
    }
    match attack.by {
        Attacker => drop(run(test, ATTACKER, attack.name, &directory)),
        Service => drop(run(test, service, attack.name, &directory)),
        Root => (attack.plant)(&directory),
    }
    let (planted, victim_before) = (foreign(&directory, service), state(&victim(&directory)));
    let names = log_directory::names(&directory);
    let told = run(test, service, "", &directory.join(attack.log));

    let name = attack.name;
    assert_eq!(foreign(&directory, service), planted, "{name}: what others planted has changed\n{told}");
    assert_eq!(state(&victim(&directory)), victim_before, "{name}: the victim has changed\n{told}");
    let mut expected = vec!["old".to_owned()];
    match attack.outcome {
        Refused(why) => {
            assert!(told.starts_with("refused: ") && told.contains(why), "{name}: {told}");
            assert!(told.contains("orders.log"), "{name}: the error names no path: {told}");
            let is_empty = |found: fs::Metadata| found.is_file() && found.len() == 0;
            let is_left = fs::symlink_metadata(directory.join("orders.log")).is_ok_and(is_empty);
            assert!(!is_left, "{name}: an empty file is left");
        }
        Works(complaint) => {
            assert!(!told.contains("refused: "), "{name}: {told}");
            assert!(told.contains(complaint), "{name}: expected a complaint with `{complaint}`: {told}");
            assert_eq!(told.matches("complaint: ").count(), usize::from(!complaint.is_empty()), "{name}: {told}");
            expected = (1..=LINES).map(|n| format!("line {n}")).chain(expected).collect();
        }
    }
    let places = [directory.clone(), private(&directory)];
    assert_eq!(lines(&places, service), expected, "{name}: {:?}\n{told}", log_directory::names(&directory));
    for path in places.iter().flat_map(|place| fs::read_dir(place).unwrap()).map(|entry| entry.unwrap().path()) {
        let found = fs::symlink_metadata(&path).unwrap();
        let is_new = !names.iter().any(|name| path.ends_with(name)) && found.is_file() && found.uid() == service;
        let is_made_here = path.to_string_lossy().ends_with(".gz") || path.ends_with(".orders.log.lock");
        if is_new && is_made_here {
            let most = if name.contains("all may write") { 0o664 } else { 0o600 };
            assert_eq!(found.mode() & 0o7777 & !most, 0, "{name}: {} has the mode {:o}", path.display(), found.mode());
        }
    }
}

/// The child's part: plants what a row says, or is the service.
fn be_child() -> ! {
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    match std::env::var(ROW).unwrap().as_str() {
        "" => serve(&path),
        row => (ATTACKS.iter().find(|attack| attack.name == row).unwrap().plant)(&path),
    }
    child_done()
}

/// Plays the rows that need no second user, or all.
fn play_all(test: &str, needs: impl Fn(&Attack) -> bool) {
    let rows: Vec<_> = ATTACKS.iter().filter(|attack| needs(attack)).collect();
    assert!(!rows.is_empty());
    rows.iter().for_each(|attack| play(test, attack));
}

#[test]
fn promise_53_files_that_another_user_planted_are_never_trusted() {
    let test = this_test!();
    if is_child() {
        be_child();
    }
    if may_play_users(test) {
        play_all(test, |attack| attack.by != Service || attack.name.starts_with("a chain of directories"));
    }
}

#[test]
fn promise_53_own_files_in_an_unexpected_state_are_handled() {
    let test = this_test!();
    if is_child() {
        be_child();
    }
    play_all(test, |attack| attack.by == Service && !attack.name.starts_with("a chain of directories"));
}

/// The whole way: the attacker has a shell of the service's user only if a setuid file of it exists.
#[test]
fn promise_53_no_setuid_file_of_the_service_comes_to_be() {
    let test = this_test!();
    if is_child() {
        let path = PathBuf::from(std::env::var_os(PATH).unwrap());
        match std::env::var(ROW).unwrap().as_str() {
            "attacker" => (1..=20).for_each(|n| {
                setuid(&path.join(format!("orders.202001{n:02}T000000Z-000001.log")));
                setuid(&path.join(format!(".orders.202001{n:02}T000000Z-000001.log.gz.tmp")));
            }),
            _ => serve(&path.join("orders.log")),
        }
        child_done();
    }
    if !may_play_users(test) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o1777);
    for (user, row) in [(ATTACKER, "attacker"), (SERVICE, "serve"), (SERVICE, "serve")] {
        run(test, user, row, directory.path());
    }
    for entry in fs::read_dir(directory.path()).unwrap() {
        let found = entry.unwrap().metadata().unwrap();
        assert!(found.uid() == ATTACKER || found.mode() & 0o7077 == 0, "{found:?}");
    }
    assert!(File::open(directory.path().join("orders.log")).is_ok());
}
