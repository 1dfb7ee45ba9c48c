//! `spanline open` and `verify` on logs that the library has sealed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use spanline::sealed::Signer;
use spanline::{Output, RollingFile};
use tracing_subscriber::layer::SubscriberExt;

use crate::sealed_support::{ALL, Sealed, WAIT, Writer};
use crate::{Dir, done, printed};

#[test]
fn open_prints_the_lines_of_all_chains_in_the_order_written() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    assert_eq!(sealed.run(&["open", "audit.log", "--key", "key"]), printed(ALL));
    let files = sealed.files("audit.log");
    assert_eq!(files.len(), 4);
    assert_eq!(sealed.run(&["open", &files[1], "--key", "key"]), printed("3\n4\n"));
    let mut args = vec!["open", "--key", "key"];
    args.extend(files.iter().map(String::as_str));
    assert_eq!(sealed.run(&args), printed(ALL));
}

#[test]
fn plain_files_of_the_log_are_printed_as_they_are() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    sealed.dir.put("audit.2020-01-01T000000-000000.log", b"\xff\x1b[2J\n\ntorn");
    let run = sealed.dir.command(&["open", "audit.log", "--key", "key"]).output().unwrap();
    assert_eq!(run.stdout, [b"\xff\x1b[2J\n\ntorn\n", ALL.as_bytes()].concat());
    let warning = "spanline: warning: audit.2020-01-01T000000-000000.log is not sealed, as other files of its log are; \
                   anybody may have written it\n";
    assert_eq!((run.status.code(), String::from_utf8(run.stderr).unwrap().as_str()), (Some(0), warning));
    let run = sealed.dir.command(&["open", "audit.2020-01-01T000000-000000.log"]).output().unwrap();
    assert_eq!((run.status.code(), run.stdout), (Some(0), b"\xff\x1b[2J\n\ntorn".to_vec()));
    let run = sealed.run(&["verify", "audit.log"]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    let expected = "\n  expected a sealed file, found other bytes at its start\n";
    assert!(run.stdout.contains(expected), "{}", run.stdout);
}

#[test]
fn what_stands_behind_damage_is_printed() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let file = &sealed.files("audit.log")[1];
    sealed.damage(file);
    let run = sealed.run(&["open", "audit.log", "--key", "key"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, "1\n2\n4\n5\n6\n7\n8\n"));
    let start = format!("spanline: read {file}: block 0, at byte ");
    assert!(run.stderr.starts_with(&start) && run.stderr.ends_with(", was changed\n"), "{}", run.stderr);
    let run = sealed.run(&["verify", "audit.log"]);
    assert!(run.status == 1 && run.stdout.contains("\n  block 0, at byte "), "{}", run.stdout);
}

/// Replaces digits, so that a time or a number is the same in each run.
fn without_digits(text: &str) -> String {
    text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect()
}

#[test]
fn verify_prints_a_row_for_each_file_of_a_whole_log() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let row = "sealed          0  0000-00-00T00:00:00Z  0000-00-00T00:00:00Z  audit";
    let closed = format!("{row}.0000-00-00T000000-000000.log\n").repeat(3);
    let heading = "STATE       LINES  FIRST                 LAST                  FILE\n";
    let expected = format!("{heading}{closed}{row}.log\n");
    for key in [&[][..], &["--key", "key"]] {
        let run = sealed.run(&[&["verify", "audit.log"], key].concat());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert_eq!(without_digits(&run.stdout), expected);
    }
    let files = sealed.files("audit.log");
    // As the shell expands `audit*`, in any order; and each alone.
    let mut args = vec!["verify"];
    args.extend(files.iter().map(String::as_str));
    args.swap(1, 4);
    assert_eq!(without_digits(&sealed.run(&args).stdout), expected);
    for file in &files {
        let run = sealed.run(&["verify", file]);
        assert!(run.status == 0 || file == "audit.log", "{}", run.stdout);
    }
    let run = sealed.run(&["verify", &files[0], &files[2]]);
    assert!(run.status == 1 && run.stdout.contains(&format!("{} is missing", files[1])), "{}", run.stdout);
    sealed.write("other.log");
    let run = sealed.run(&["verify", "."]);
    assert_eq!((run.status, run.stdout.lines().count()), (0, 11), "{}", run.stdout);
}

#[test]
fn verify_names_what_is_missing_in_80_columns() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let files = sealed.files("audit.log");
    fs::remove_file(sealed.dir.path().join(&files[1])).unwrap();
    sealed.edit(&files[3], |bytes| bytes.truncate(bytes.len() - 170));
    let run = sealed.run(&["verify", "audit.log", "--key", "key"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let text = run.stdout.replace("\n    ", " ");
    assert!(text.contains(&format!("\n  {} is missing: {} follows it\n", files[1], files[2])), "{text}");
    assert!(text.contains("unsealed        1"), "{text}");
    assert!(text.contains("ended without a seal, 1 line readable: a crash ended it, or somebody has cut it"), "{text}");
    for line in run.stdout.lines().filter(|line| line.starts_with(' ')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn verify_prints_json() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    sealed.write("other.log");
    let files = sealed.files("audit.log");
    sealed.damage(&files[2]);
    let run = sealed.run(&["verify", ".", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let logs: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logs.len(), 2);
    assert_eq!((&logs[0]["log"], &logs[0]["whole"]), (&"audit.log".into(), &false.into()));
    assert_eq!((&logs[1]["log"], &logs[1]["whole"]), (&"other.log".into(), &true.into()));
    let file = &logs[0]["files"][2];
    assert_eq!((&file["file"], &file["state"], &file["lines"]), (&(*files[2]).into(), &"sealed".into(), &1.into()));
    assert!(file["problems"][0].as_str().unwrap().ends_with("was changed"), "{file}");
    assert_eq!(file["chain"].as_str().unwrap().len(), 32);
    assert_eq!(file["first"].as_str().unwrap().len(), "2026-11-30T00:00:00.000000000Z".len());
}

#[test]
fn a_head_that_is_kept_elsewhere_shows_a_missing_end() {
    let sealed = Sealed::new();
    let head = sealed.write("audit.log");
    let verify = |expected: &str| sealed.run(&["verify", "audit.log", "--expect", expected]);
    assert_eq!(verify(&head).status, 0);
    let line = format!("{{\"target\":\"spanline::sealed\",\"head\":\"{head}\"}}\n");
    sealed.dir.put("heads", format!("{line}other\n{line}"));
    assert_eq!(verify("heads").status, 0);
    let last = sealed.dir.path().join("audit.log");
    let kept = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();
    assert_eq!(sealed.run(&["verify", "audit.log"]).status, 0);
    for expected in [&*head, "heads"] {
        let run = verify(expected);
        assert_eq!(run.status, 1);
        let text = run.stdout.replace("\n    ", " ");
        assert!(text.contains(&format!("\n  the segment of the head {head} is not there\n")), "{text}");
    }
    fs::write(&last, kept).unwrap();
    for wrong in ["missing", "key", "spanline-head:1:x"] {
        let run = verify(wrong);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.lines().count()), (1, "", 1), "{}", run.stderr);
    }
    sealed.write("other.log");
    assert_eq!(sealed.run(&["verify", ".", "--expect", &head]).status, 2);
}

/// A service that keeps the heads of its sealed log in another one, as JSON and as one head on each line.
#[test]
fn heads_in_another_log_stay_true_when_retention_removes_files() {
    let sealed = Sealed::new();
    let mut heads = Vec::new();
    let service = || {
        let audit = RollingFile::new(sealed.dir.path().join("audit.log")).seal_to(sealed.recipients());
        let audit = Output::new(audit.rotate_bytes(1 << 20).keep_files(2)).name("audit");
        let other = RollingFile::new(sealed.dir.path().join("other.log")).seal_to(sealed.recipients());
        let log = RollingFile::new(sealed.dir.path().join("service.log")).rotate_bytes(1000);
        let builder = spanline::builder().output(audit).output(Output::new(other).name("other"));
        builder.output(Output::new(log).name("service")).build().unwrap()
    };
    for start in 0..4 {
        let (layer, guard) = service();
        let handle = guard.handle();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for line in 0..2 {
                tracing::info!(start, line, "an order was changed");
                handle.flush(WAIT).unwrap();
                // The worker logs these lines where the log is that of the whole process.
                for (name, head) in handle.seal_heads() {
                    let log = format!("{name}.log");
                    tracing::info!(target: "spanline::sealed", head, log, "a sealed segment begins");
                    heads.extend((name == "audit").then_some(head));
                }
                // What a user sends is no head: within a message, within a field, or as a line of JSON there.
                let planted = "spanline-head:1:00000000000000000000000000000000:7:aa";
                let json = format!("{{\"target\":\"spanline::sealed\",\"head\":\"{planted}\"}}");
                let nested: serde_json::Value = serde_json::from_str(&json).unwrap();
                tracing::info!(
                    head = planted,
                    user = json,
                    nested = spanline::json(&nested),
                    "{planted} head={planted}"
                );
                handle.rotate(WAIT).unwrap();
            }
        });
        guard.close().unwrap();
    }
    assert!(sealed.files("audit.log").len() <= 3 && sealed.files("service.log").len() > 1);
    sealed.dir.put("heads", heads.join("\n"));
    for expected in ["service.log", "heads"] {
        let run = sealed.run(&["verify", "audit.log", "--expect", expected]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{expected}: {}", run.stdout);
    }
    sealed.files("audit.log").iter().skip(1).for_each(|file| fs::remove_file(sealed.dir.path().join(file)).unwrap());
    for expected in ["service.log", "heads"] {
        let run = sealed.run(&["verify", "audit.log", "--expect", expected]);
        assert!(run.status == 1 && run.stdout.contains("the segment of the head"), "{expected}: {}", run.stdout);
    }
    sealed.dir.put("text", "2026-11-20 audit spanline::sealed head=spanline-head:1:00:7:aa\n");
    let run = sealed.run(&["verify", "audit.log", "--expect", "text"]);
    let expected = "spanline: read text: found no head of audit.log; expected lines of JSON with the target \
                    `spanline::sealed` and the field `head`, or a head on each line\n";
    assert_eq!((run.status, run.stderr.as_str()), (1, expected));
}

#[test]
fn a_verifier_accepts_only_the_chains_of_its_signer() {
    let sealed = Sealed::new();
    let made = sealed.run(&["keygen", "--signer", "-o", "signer"]);
    let verifier = made.stderr.trim().strip_prefix("spanline: public half: ").unwrap().to_owned();
    assert_eq!(sealed.run(&["keygen", "--public", "signer"]), printed(&format!("{verifier}\n")));
    let signer = Signer::parse(fs::read_to_string(sealed.dir.path().join("signer")).unwrap()).unwrap();
    let file = RollingFile::new(sealed.dir.path().join("audit.log")).seal_to(sealed.recipients()).sign_with(signer);
    let writer = Writer::new(file);
    writer.log(&["1"]);
    writer.rotate();
    writer.log(&["2"]);
    writer.guard.close().unwrap();
    sealed.dir.put("verifier", format!("# of the service\n{verifier}\n"));
    let verify = |verifier: &str| sealed.run(&["verify", "audit.log", "--verifier", verifier]);
    assert_eq!((verify(&verifier).status, verify("verifier").status, verify("signer").status), (0, 0, 0));
    // Somebody else goes on with the log.
    let writer = sealed.writer("audit.log");
    writer.log(&["3"]);
    writer.guard.close().unwrap();
    assert_eq!(sealed.run(&["verify", "audit.log"]).status, 0);
    let run = verify(&verifier);
    assert_eq!((run.status, run.stdout.matches("not certified by the signer").count()), (1, 1), "{}", run.stdout);
    let other = Signer::generate().unwrap().verifier().to_string();
    assert_eq!(verify(&other).stdout.replace("\n    ", " ").matches("not certified by the signer").count(), 3);
    for wrong in ["missing", "key", "spanline-verifier-1-x"] {
        let run = verify(wrong);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.lines().count()), (1, "", 1), "{}", run.stderr);
    }
}

#[test]
fn a_log_that_is_being_written_is_whole() {
    let sealed = Sealed::new();
    let writer = sealed.writer("audit.log");
    writer.log(&["1", "2"]);
    writer.rotate();
    writer.log(&["3"]);
    assert_eq!(sealed.run(&["open", "audit.log", "--key", "key"]), printed("1\n2\n3\n"));
    let run = sealed.run(&["verify", "audit.log"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.lines().last().unwrap().starts_with("open            1  "), "{}", run.stdout);
    writer.guard.close().unwrap();
}

#[cfg(unix)]
#[test]
fn no_name_controls_the_terminal() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let name = "a\x1b[2J\r\u{202e}.log";
    fs::rename(sealed.dir.path().join("audit.log"), sealed.dir.path().join(name)).unwrap();
    let is_safe = |text: &str| !text.chars().any(|char| (char.is_control() && char != '\n') || char == '\u{202e}');
    for args in
        [&["verify", name][..], &["verify", name, "--json"], &["open", name], &["open", "audit.log", "--key", name]]
    {
        let run = sealed.run(args);
        assert_eq!(run.status, 1);
        assert!(is_safe(&run.stdout) && is_safe(&run.stderr), "{run:?}");
    }
    let run = sealed.run(&["verify", name]);
    assert!(run.stdout.contains("its writer's log is audit.log"), "{}", run.stdout);
}

#[test]
fn a_reader_of_the_lines_that_stops_early_is_no_failure() {
    let sealed = Sealed::new();
    let writer = sealed.writer("audit.log");
    let line = "x".repeat(100);
    let lines = vec![&*line; 20_000];
    writer.log(&lines);
    writer.guard.close().unwrap();
    let mut command = sealed.dir.command(&["open", "audit.log", "--key", "key"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first.trim_end(), line);
    assert_eq!(done(child.wait_with_output().unwrap()), printed(""));
}

#[test]
fn the_help_has_states_and_exit_statuses() {
    for command in ["keygen", "open", "verify"] {
        let run = Dir::new().run(&[command, "--help"]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(run.stdout.contains("\nExit status:\n  0  "), "{}", run.stdout);
    }
}

#[test]
fn open_shows_sealed_fields_in_plain_logs_and_finds_moved_ones() {
    let sealed = Sealed::new();
    let path = sealed.dir.path().join("plain.log");
    let builder = spanline::builder().output(Output::new(RollingFile::new(&path)));
    let (layer, guard) = builder.seal_fields(["diagnosis"], sealed.recipients()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::Registry::default().with(layer), || {
        tracing::info!(diagnosis = "measles", room = 7, "admitted");
    });
    guard.close().unwrap();
    let stored = fs::read_to_string(&path).unwrap();
    assert!(stored.contains("\"diagnosis\":\"sealed:v1:") && !stored.contains("measles"), "{stored}");
    let run = sealed.run(&["open", "plain.log", "--key", "key"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains(r#""diagnosis":"measles""#), "{}", run.stdout);
    assert_eq!(sealed.run(&["open", "plain.log"]).stdout, stored);
    fs::write(&path, stored.replace("\"diagnosis\"", "\"cause\"")).unwrap();
    let run = sealed.run(&["open", "plain.log", "--key", "key"]);
    assert!(run.status == 1 && run.stderr.contains("diagnosis"), "{}", run.stderr);
}
