//! Sealed logs in `find`, `stats`, `hist`, `doctor`, `trace` and `cat`: the answers are those for the same lines in plain files.

use std::fmt::Write;
use std::fs;
use std::process::Stdio;

use serde_json::Value;
use spanline::sealed::{Key, Recipients};

use crate::sealed_support::{Sealed, Writer, restrict};
use crate::{Done, done};

/// Lines of two services, with traces, errors, one that is no record, and one that is broken.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for second in 0..40 {
        let (level, service) = (["INFO", "WARN", "ERROR"][second % 3], ["orders", "stock"][second % 2]);
        let mut line = format!(r#"{{"timestamp":"2026-11-20T10:00:{second:02}Z","level":"{level}","target":"t","#);
        let (trace, elapsed) = (second % 4, second * 7 % 31);
        write!(line, r#""message":"step {second}","service":"{service}","trace_id":"{trace:032x}1","#).unwrap();
        write!(line, r#""request_id":"r-{trace}","elapsed_ms":{elapsed}}}"#).unwrap();
        lines.push(line);
    }
    lines.push("a text".to_owned());
    lines.push("{\"message\":\"broken".to_owned());
    lines
}

fn written(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Writes lines to a sealed log of three files.
fn seal(sealed: &Sealed, lines: &[String]) {
    let writer = sealed.writer("audit.log");
    for (number, part) in lines.chunks(lines.len() / 3 + 1).enumerate() {
        if number > 0 {
            writer.rotate();
        }
        for few in part.chunks(5) {
            writer.log(&few.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    writer.guard.close().unwrap();
}

const COMMANDS: [&[&str]; 12] = [
    &["cat"],
    &["find"],
    &["find", "--level", "error", "--format", "pretty"],
    &["find", "--where", "elapsed_ms > 20", "--count"],
    &["find", "--grep", "step 1", "--context", "1"],
    &["stats", "--json", "--field", "elapsed_ms", "--by", "service"],
    &["hist"],
    &["hist", "--json"],
    &["doctor", "--json"],
    &["trace", "r-1"],
    &["trace", "r-2", "--json"],
    &["trace", "r-3", "--html", "-"],
];

/// Runs a command on a log.
fn ask(sealed: &Sealed, command: &[&str], log: &str, keys: &[&str]) -> Done {
    let Done { stdout, stderr, status } = sealed.run(&[command, &[log], keys].concat());
    let stdout = match serde_json::from_str(&stdout) {
        Ok(answer) => comparable(answer).to_string(),
        Err(_) => stdout,
    };
    Done { stdout, stderr, status }
}

/// Leaves out how long it took, and the names of files.
fn comparable(mut answer: Value) -> Value {
    if let Some(run) = answer.get_mut("run").and_then(Value::as_object_mut) {
        run.retain(|key, _| ["lines", "bytes", "broken", "plain_text"].contains(&key.as_str()));
    }
    for finding in answer.get_mut("findings").and_then(Value::as_array_mut).into_iter().flatten() {
        finding["example"] = finding["example"]["line"].take();
    }
    answer
}

#[test]
fn every_command_gives_the_same_answer_as_for_the_plain_log() {
    let sealed = Sealed::new();
    let lines = lines();
    seal(&sealed, &lines);
    assert_eq!(sealed.files("audit.log").len(), 3);
    sealed.dir.put("plain.log", written(&lines));
    for command in COMMANDS {
        let plain = ask(&sealed, command, "plain.log", &[]);
        assert!(!plain.stdout.is_empty(), "{command:?}: {}", plain.stderr);
        assert_eq!(ask(&sealed, command, "audit.log", &["--key", "key"]), plain, "{command:?}");
        // A key is not in the way of a plain log.
        assert_eq!(ask(&sealed, command, "plain.log", &["--key", "key"]), plain, "{command:?}");
    }
    let find = |log: &str| ask(&sealed, &["find", "--level", "error"], log, &["--key", "key"]).stdout;
    assert_eq!(find("."), find("plain.log").lines().flat_map(|line| [line, "\n", line, "\n"]).collect::<String>());
}

#[test]
fn keys_come_from_everywhere_that_open_takes_them_from() {
    let sealed = Sealed::new();
    let lines = lines();
    seal(&sealed, &lines);
    let key = fs::read_to_string(sealed.dir.path().join("key")).unwrap();
    sealed.dir.put("other", Key::generate().0.as_bytes());
    restrict(&sealed.dir, "other");
    for keys in [&["--key-env", "KEY"][..], &["--key-command", "cat key"], &["--key", "other", "--key", "key"]] {
        let mut command = sealed.dir.command(&[&["find", "audit.log", "--count"], keys].concat());
        assert_eq!(done(command.env("KEY", &key).output().unwrap()).stdout, "42\n", "{keys:?}");
    }
    let phrase = Recipients::passphrase("sesame").unwrap();
    let writer = Writer::new(spanline::RollingFile::new(sealed.dir.path().join("phrase.log")).seal_to(phrase));
    writer.log(&["{\"message\":\"one\"}"]);
    writer.guard.close().unwrap();
    let run = sealed.run(&["find", "phrase.log", "--passphrase-command", "echo sesame"]);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.status), ("{\"message\":\"one\"}\n", "", 0));
}

#[test]
fn stdin_may_be_sealed_and_cannot_have_the_key_too() {
    let sealed = Sealed::new();
    let lines = lines();
    let writer = sealed.writer("audit.log");
    writer.log(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    writer.guard.close().unwrap();
    let stdin = |args: &[&str], from: &str| {
        let file = fs::File::open(sealed.dir.path().join(from)).unwrap();
        done(sealed.dir.command(args).stdin(Stdio::from(file)).output().unwrap())
    };
    let keys = &["--key", "key"][..];
    assert_eq!(stdin(&[&["cat", "-"], keys].concat(), "audit.log").stdout, written(&lines));
    assert_eq!(stdin(&[&["find"], keys].concat(), "audit.log").stdout, written(&lines));
    let stats: Value =
        serde_json::from_str(&stdin(&[&["stats", "--json"], keys].concat(), "audit.log").stdout).unwrap();
    assert_eq!(stats["lines"], 42);
    let trace = stdin(&[&["trace", "r-1", "-"], keys].concat(), "audit.log");
    assert_eq!((trace.status, trace.stdout.contains("r-1")), (0, true), "{}", trace.stderr);
    for command in [&["find", "-"][..], &["cat", "-"], &["stats", "-"], &["trace", "r-1", "-"]] {
        let run = stdin(&[command, &["--key", "-"]].concat(), "key");
        let expected = "spanline: --key -: stdin cannot have a key and lines; pass the paths of the logs\n";
        assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.status), ("", expected, 1), "{command:?}");
    }
    assert_eq!(stdin(&["find", "audit.log", "--count", "--key", "-"], "key").stdout, "42\n");
}

#[test]
fn without_the_key_the_files_are_named_and_nothing_is_said_to_be_there() {
    let sealed = Sealed::new();
    seal(&sealed, &lines());
    sealed.dir.put("other", Key::generate().0.as_bytes());
    restrict(&sealed.dir, "other");
    for command in COMMANDS {
        for (keys, expected) in [(&[][..], "expected a key"), (&["--key", "other"], "it is sealed for")] {
            let run = ask(&sealed, command, "audit.log", keys);
            assert_eq!(run.status, 1, "{command:?}");
            for file in sealed.files("audit.log") {
                assert!(run.stderr.contains(&format!("open {file}: ")), "{command:?}: {}", run.stderr);
            }
            assert!(run.stderr.contains(expected), "{command:?} {keys:?}: {}", run.stderr);
            assert!(!run.stdout.contains("step 1"), "{command:?}: {}", run.stdout);
        }
    }
    let run = sealed.run(&["find", "audit.log", "--key", "missing"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.lines().count()), (1, "", 1), "{}", run.stderr);
}

#[test]
fn damage_is_reported_and_what_verifies_is_read() {
    let sealed = Sealed::new();
    let lines = lines();
    seal(&sealed, &lines);
    let files = sealed.files("audit.log");
    let whole = fs::read(sealed.dir.path().join(&files[1])).unwrap();
    type Edit = fn(&mut Vec<u8>);
    let flip: Edit = |bytes| {
        let block = bytes.windows(8).position(|window| window == b"\xfesealed\n").unwrap();
        bytes[block + 110] ^= 1;
    };
    // Without its seal and the end of its last block.
    let truncate: Edit = |bytes| bytes.truncate(bytes.len() - 400);
    for (edit, lost, said) in [(flip, 15..20, "was changed"), (truncate, 25..30, "ended without a seal")] {
        fs::write(sealed.dir.path().join(&files[1]), &whole).unwrap();
        sealed.edit(&files[1], edit);
        let opened = sealed.run(&["open", "audit.log", "--key", "key"]);
        let left = opened.stdout.lines().count();
        assert!(left < lines.len() && left >= lines.len() - lost.len(), "{left}: {}", opened.stderr);
        sealed.dir.put("left.log", &opened.stdout);
        for command in COMMANDS {
            let run = ask(&sealed, command, "audit.log", &["--key", "key"]);
            let plain = ask(&sealed, command, "left.log", &[]);
            assert_eq!(run.stdout, plain.stdout, "{command:?}");
            assert_eq!(run.status, 1, "{command:?}");
            let place = format!("spanline: read {}: ", files[1]);
            assert!(run.stderr.contains(&place) && run.stderr.contains(said), "{command:?}: {}", run.stderr);
        }
    }
}

#[test]
fn plain_compressed_and_sealed_files_of_one_log_are_read_in_order() {
    let sealed = Sealed::new();
    let lines = lines();
    seal(&sealed, &lines[20..]);
    sealed.dir.put("audit.2020-01-01T000000-000000.log", written(&lines[..10]));
    let zstd = zstd::encode_all(written(&lines[10..20]).as_bytes(), 1).unwrap();
    sealed.dir.put("audit.2020-01-02T000000-000000.log.zst", zstd);
    // Somebody has compressed a sealed file.
    let files = sealed.files("audit.log");
    let path = sealed.dir.path().join(&files[2]);
    let gzip = sealed.dir.path().join(format!("{}.gz", files[2]));
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(gzip).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &fs::read(&path).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(path).unwrap();
    sealed.dir.put("plain.log", written(&lines));
    for command in COMMANDS {
        let run = ask(&sealed, command, "audit.log", &["--key", "key"]);
        let plain = ask(&sealed, command, "plain.log", &[]);
        assert_eq!((&run.stdout, run.status), (&plain.stdout, plain.status), "{command:?}: {}", run.stderr);
        for name in ["audit.2020-01-01T000000-000000.log", "audit.2020-01-02T000000-000000.log.zst"] {
            let warning = format!("spanline: warning: {name} is not sealed, as other files of its log are");
            assert!(run.stderr.contains(&warning), "{command:?}: {}", run.stderr);
        }
    }
    let run = sealed.run(&["find", "audit.log"]);
    assert_eq!((run.status, run.stdout), (1, written(&lines[..20])), "{}", run.stderr);
}
