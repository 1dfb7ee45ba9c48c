//! Several processes write to one path.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use crate::files::child_process::child;
use crate::support::log_directory::Dir;

#[test]
fn promise_26_four_processes_on_one_path_lose_and_tear_nothing() {
    const EACH: usize = 5_000;
    let dir = Dir::new();
    let start = |id: usize| {
        let mut command = child("one_of_four", &dir.path());
        command.env("ID", id.to_string()).env("EACH", EACH.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let mut children: Vec<Child> = (0..4).map(start).collect();
    // All wait for their input to end, so that none has finished before the last one starts.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let mut next = BTreeMap::new();
    for line in dir.lines() {
        let parts = line.strip_prefix("process ").and_then(|rest| rest.split_once(" line "));
        let Some((id, n)) = parts else { panic!("a line of nobody's: {line:?}") };
        let expected = next.entry(id.to_owned()).or_insert(0);
        assert_eq!(n.trim_end_matches('.').parse::<usize>().unwrap(), *expected, "{line}");
        *expected += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [EACH; 4]);
    assert!(dir.segments().len() > 20, "{:?}", dir.segments());
}
