//! Tests that install a global subscriber, or end their process, run in a separate process.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

const CHILD: &str = "SPANLINE_TEST_CHILD";

/// After this time a child counts as hung.
const HUNG: Duration = Duration::from_secs(120);

/// Runs `inside` in a child process.
///
/// The child runs the test `name` again. There, this calls `inside` and returns `None`. In the parent, it returns what the
/// child printed. A child that fails fails the test.
#[track_caller]
pub(crate) fn child(name: &str, variables: &[(&str, &str)], inside: impl FnOnce()) -> Option<Output> {
    if std::env::var(CHILD).as_deref() == Ok(name) {
        inside();
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, name);
    command.env_remove("RUST_LOG").envs(variables.iter().copied());
    let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = process.id();
    let (sender, receiver) = channel();
    std::thread::spawn(move || sender.send(process.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(HUNG) else {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        panic!("{name} hangs");
    };
    let output = output.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed in its own process\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "no test is called {name}\n{stdout}");
    Some(output)
}

/// The log lines on a child's stdout. The first may follow output of the test harness.
pub(crate) fn stdout_lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().filter_map(|line| Some(line[line.find("{\"timestamp\":")?..].to_owned())).collect()
}
