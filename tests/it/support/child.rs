//! Tests that install a subscriber for the whole process, or end it, run in a process of their own.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

const CHILD: &str = "SPANLINE_TEST_CHILD";

/// After this long a child counts as hung: no promise, only an end.
const HUNG: Duration = Duration::from_secs(120);

/// Runs `inside` in a process of its own, which runs the test `name` (with its module) once more: there `inside` is
/// called and `None` returned, here what the child printed. A child that fails fails the test.
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

/// The log lines on a child's stdout; the first may stand behind what the test's own runner says.
pub(crate) fn stdout_lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().filter_map(|line| Some(line[line.find("{\"timestamp\":")?..].to_owned())).collect()
}
