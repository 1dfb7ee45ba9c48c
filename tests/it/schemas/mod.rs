//! All schemas: golden files, the published rules, hostile records, edits. [`built_in`] lists them.

mod back_ends_names;
mod console;
mod custom;
mod documentation;
mod edits;
mod golden;
mod hostile;
mod intake;
mod levels;
mod logfmt;
mod panicking;
mod published;
mod relayed;
#[cfg(feature = "axum")]
mod requests;
mod static_fields;
mod template;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use spanline::Output;
use spanline::schema::{BuiltIn, Schema, built_in, by_name};
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use crate::support::places::target;
use crate::support::stage::fixed;
use crate::support::strict;

fn schema(name: &str) -> Box<dyn Schema> {
    by_name(name).unwrap()
}

/// What `run` logs, by a schema, of the service `orders`.
fn lines_by(schema: impl Schema, run: impl FnOnce()) -> Vec<String> {
    output_lines(|output| output.schema(schema), run)
}

fn output_lines(set: impl FnOnce(Output) -> Output, run: impl FnOnce()) -> Vec<String> {
    let memory = Memory::new();
    let builder = fixed().service("orders").static_field("version", "1.2.3").static_field("env", "test");
    let (layer, guard) = builder.output(set(Output::new(memory.clone()))).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    memory.lines()
}

/// Reads lines as strict JSON.
fn read(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| strict::line(line)).collect()
}

/// Returns a viewer that the gate installs; `None` where it is not installed and this is not the gate.
fn viewer(path: &str) -> Option<PathBuf> {
    let viewer = target().join(path);
    (viewer.exists() || std::env::var_os("CI").is_some()).then_some(viewer)
}

/// Returns what a viewer makes of lines.
fn seen_by(viewer: &Path, arguments: &[&str], lines: &[String]) -> String {
    let mut child = Command::new(viewer)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_schema_is_found_by_its_name() {
    for BuiltIn { name, .. } in built_in() {
        let lines = lines_by(schema(name), || tracing::info!(user_id = 42, "order loaded"));
        let text = lines.join("\n");
        assert!(text.contains("order loaded") && text.contains("user_id") && text.contains("42"), "{name}: {text}");
    }
    let error = by_name("elastic").err().unwrap();
    assert!(error.is_invalid() && error.to_string().contains("`elastic`") && error.to_string().contains("ecs"));
}
