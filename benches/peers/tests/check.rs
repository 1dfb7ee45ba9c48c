//! The harness itself: every peer says what it has to, and wrong arguments are refused.

use std::process::{Command, Output};

fn peers(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peers")).args(args).output().expect("the program runs")
}

#[test]
fn every_peer_writes_the_whole_line() {
    let output = peers(&["--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wrong_arguments_show_the_usage() {
    for args in [["--only", "nobody"], ["--work", "W9"], ["--fast", "-x"]] {
        let output = peers(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--help"), "{args:?}");
    }
}

#[test]
fn what_is_measured_is_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let (json, svg) = (path("values.json"), path("picture.svg"));
    let (json_text, svg_text) = (json.to_string_lossy(), svg.to_string_lossy());
    let output = peers(&["--quick", "--only", "floor-hand", "--work", "W1e", "--json", &json_text, "--svg", &svg_text]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("| floor-hand "));
    let rows: serde_json::Value = serde_json::from_slice(&std::fs::read(json).expect("the values")).expect("JSON");
    assert_eq!(rows[0]["peer"], "floor-hand");
    assert_eq!(rows[0]["metric"], "caller_mean");
    assert!(rows[0]["value"].as_f64().expect("a number") > 0.0);
    assert!(!svg.exists(), "nothing of the picture was measured");
}
