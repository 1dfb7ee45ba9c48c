//! Several processes write to one path.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use crate::files::child_process::{assert_lines_of, run_together};
use crate::support::log_directory::Dir;

#[cfg(unix)]
#[test]
fn promise_26_four_processes_on_one_path_lose_and_tear_nothing() {
    const EACH: usize = 5_000;
    let dir = Dir::new();
    run_together("one_of_four", &dir.path(), 4, EACH);
    assert_lines_of(&dir.lines(), 4, EACH);
    assert!(dir.segments().len() > 20, "{:?}", dir.segments());
}
