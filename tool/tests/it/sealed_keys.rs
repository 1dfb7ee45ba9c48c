//! Where keys for sealed logs come from: `spanline keygen`, and the options of `open` and `verify`.

use std::fs::{self, File};
#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::process::Stdio;

use spanline::RollingFile;
use spanline::sealed::{Key, Recipients};

#[cfg(unix)]
use crate::sealed_support::mode;
use crate::sealed_support::{ALL, Sealed, Writer, restrict};
use crate::{done, failed, printed};

#[test]
fn keygen_makes_a_key_that_only_its_owner_can_read() {
    let sealed = Sealed::new();
    let run = sealed.run(&["keygen", "-o", "new"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    let recipient = run.stderr.strip_prefix("spanline: public half: ").unwrap();
    assert_eq!(sealed.run(&["keygen", "--public", "new"]), printed(recipient));
    let text = fs::read_to_string(sealed.dir.path().join("new")).unwrap();
    assert_eq!(text.lines().next().unwrap(), format!("# public key: {}", recipient.trim()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::metadata(sealed.dir.path().join("new")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    }
    let again = sealed.run(&["keygen", "-o", "new"]);
    assert!(again.status == 1 && again.stderr.ends_with("; no key is overwritten\n"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(sealed.dir.path().join("new")).unwrap(), text);
    let missing = sealed.run(&["keygen", "-o", "missing/new"]);
    assert!(missing.status == 1 && missing.stderr.starts_with("spanline: create missing/new: "), "{}", missing.stderr);
}

#[test]
fn keygen_prints_a_key_that_opens_what_is_sealed_for_its_public_half() {
    let sealed = Sealed::new();
    let run = sealed.run(&["keygen"]);
    sealed.dir.put("input", &run.stdout);
    let input = File::open(sealed.dir.path().join("input")).unwrap();
    let public = done(sealed.dir.command(&["keygen", "--public", "-"]).stdin(input).output().unwrap());
    assert_eq!(run.stderr, format!("spanline: public half: {}", public.stdout));
    let recipients = Recipients::parse(&public.stdout).unwrap();
    let writer = Writer::new(RollingFile::new(sealed.dir.path().join("audit.log")).seal_to(recipients));
    writer.log(&["1"]);
    writer.guard.close().unwrap();
    let input = File::open(sealed.dir.path().join("input")).unwrap();
    let opened = done(sealed.dir.command(&["open", "audit.log", "--key", "-"]).stdin(input).output().unwrap());
    assert_eq!(opened, printed("1\n"));
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    sealed.dir.put("recipient", &sealed.recipient);
    sealed.dir.put("cut", "AGE-SECRET-KEY-1KGRKPMX3TMWXG5X9AVYXFY7");
    sealed.dir.put("empty", "");
    sealed.dir.put("bytes", b"\xff\xfe");
    sealed.dir.put("large", vec![b'#'; 2 << 20]);
    ["recipient", "cut", "empty", "bytes", "large"].iter().for_each(|name| restrict(&sealed.dir, name));
    for name in ["recipient", "cut", "empty", "bytes", "large", "missing", "."] {
        for command in ["open", "verify"] {
            let run = sealed.run(&[command, "audit.log", "--key", name]);
            assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{name}");
            assert!(run.stderr.contains(name) && !run.stderr.contains("KGRKPMX3"), "{name}: {}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        }
        let run = sealed.run(&["keygen", "--public", name]);
        assert!(run.status == 1 && !run.stderr.contains("KGRKPMX3"), "{name}: {}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_key_comes_from_a_file_a_descriptor_a_variable_or_a_command() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let shell = |script: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_spanline")]).current_dir(sealed.dir.path());
        done(command.output().unwrap())
    };
    assert_eq!(shell("exec \"$0\" open audit.log --key-fd 7 7<key"), printed(ALL));
    assert_eq!(shell("cat key | \"$0\" open audit.log --key-fd 0"), printed(ALL));
    assert_eq!(shell("AUDIT=$(cat key) exec \"$0\" open audit.log --key-env AUDIT"), printed(ALL));
    assert_eq!(shell("exec \"$0\" open audit.log --key-command 'cat key'"), printed(ALL));
    assert_eq!(shell("exec \"$0\" open audit.log --key-command cat <key"), printed(ALL));
    for (option, expected) in [
        ("--key-fd 77", "spanline: read descriptor 77: No such file or directory (os error 2)\n"),
        ("--key-env MISSING", "spanline: read the variable MISSING: it is not set\n"),
        (
            "--key-command 'cat key; exit 3'",
            "spanline: read the command `cat key; exit 3`: it failed with exit status: 3\n",
        ),
        (
            "--key-command 'yes'",
            "spanline: read the command `yes`: expected a key or a passphrase, found more than 1 MiB\n",
        ),
    ] {
        let run = shell(&format!("exec \"$0\" open audit.log {option}"));
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (1, "", expected));
    }
    let run = shell("exec \"$0\" open audit.log --key-fd x");
    assert_eq!(run.status, 2, "{}", run.stderr);
}

#[test]
fn of_several_keys_each_opens_its_files() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let other = Sealed::new();
    other.write("other.log");
    for file in other.files("other.log") {
        fs::copy(other.dir.path().join(&file), sealed.dir.path().join(&file)).unwrap();
    }
    fs::copy(other.dir.path().join("key"), sealed.dir.path().join("other")).unwrap();
    let run = sealed.run(&["open", "audit.log", "other.log", "--key", "other", "--key", "key"]);
    assert_eq!(run, printed(&ALL.repeat(2)));
    let run = sealed.run(&["open", "audit.log", "other.log", "--key", "key"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.lines().count()), (1, ALL, 4));
}

#[test]
fn a_passphrase_opens_logs_and_key_files() {
    let sealed = Sealed::new();
    let recipients = Recipients::passphrase("correct horse").unwrap();
    let writer = Writer::new(RollingFile::new(sealed.dir.path().join("phrase.log")).seal_to(recipients));
    writer.log(&["1"]);
    writer.guard.close().unwrap();
    sealed.write("audit.log");
    let key = fs::read(sealed.dir.path().join("key")).unwrap();
    let mut recipient = age::scrypt::Recipient::new("correct horse".to_owned().into());
    recipient.set_work_factor(10);
    sealed.dir.put("sealed.key", age::encrypt(&recipient, &key).unwrap());
    restrict(&sealed.dir, "sealed.key");
    let run = |args: &[&str]| {
        let mut command = sealed.dir.command(args);
        command.env("RIGHT", "correct horse").env("WRONG", "battery").env("EMPTY", "");
        done(command.output().unwrap())
    };
    assert_eq!(run(&["open", "phrase.log", "--passphrase-env", "RIGHT"]), printed("1\n"));
    let both = ["--passphrase-env", "WRONG", "--passphrase-env", "RIGHT"];
    assert_eq!(run(&[&["open", "phrase.log"], &both[..]].concat()), printed("1\n"));
    assert_eq!(run(&[&["open", "audit.log", "--key", "sealed.key"], &both[..]].concat()), printed(ALL));
    #[cfg(unix)]
    assert_eq!(run(&["open", "phrase.log", "--passphrase-command", "echo correct horse"]), printed("1\n"));
    let failure = |args: &[&str], expected: &str| {
        let run = run(args);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""));
        assert!(run.stderr.contains(expected) && !run.stderr.contains("battery"), "{}", run.stderr);
    };
    failure(&["open", "phrase.log", "--passphrase-env", "WRONG"], "; it is sealed for passphrase\n");
    failure(&["open", "phrase.log", "--passphrase-env", "EMPTY"], "expected a passphrase, found nothing");
    failure(
        &["open", "audit.log", "--key", "sealed.key"],
        "its file is sealed with a passphrase; pass `--passphrase-fd`",
    );
    failure(&["open", "audit.log", "--key", "sealed.key", "--passphrase-env", "WRONG"], "spanline: sealed.key: key: ");
    failure(&["keygen", "--public", "sealed.key"], "sealed with a passphrase; `age --decrypt FILE |");
    sealed.dir.put("armored", "-----BEGIN AGE ENCRYPTED FILE-----\n");
    failure(&["open", "audit.log", "--key", "armored"], "it is armored; pass `--key-command 'age --decrypt FILE'`");
}

#[test]
fn without_the_right_key_the_error_names_the_recipients() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let (other, _) = Key::generate();
    sealed.dir.put("other", other.as_bytes());
    restrict(&sealed.dir, "other");
    let file = &sealed.files("audit.log")[0];
    let names = &sealed.recipient;
    let expected = format!(
        "spanline: open {file}: expected a key: `Lines::key`, or the command `spanline open --key`; it is sealed for {names}\n"
    );
    assert_eq!(sealed.run(&["open", file]), failed(&expected));
    assert_eq!(sealed.run(&["cat", file]), failed(&expected));
    #[cfg(feature = "find")]
    {
        assert_eq!(sealed.run(&["find", file]), failed(&expected));
        fs::copy(sealed.dir.path().join(file), sealed.dir.path().join("renamed.gz")).unwrap();
        assert_eq!(sealed.run(&["find", "renamed.gz"]), failed(&expected.replace(file, "renamed.gz")));
        let input = File::open(sealed.dir.path().join("renamed.gz")).unwrap();
        let run = done(sealed.dir.command(&["find"]).stdin(input).output().unwrap());
        assert_eq!(run, failed(&expected.replace(file, "stdin")));
    }
    let expected = format!("spanline: open {file}: this key is not one of its recipients; it is sealed for {names}\n");
    assert_eq!(sealed.run(&["open", file, "--key", "other"]), failed(&expected));
    let run = sealed.run(&["verify", file, "--key", "other"]);
    assert!(run.status == 1 && run.stdout.contains("unreadable") && run.stdout.contains(names), "{}", run.stdout);
    sealed.edit(file, |bytes| bytes[17] = 2);
    let run = sealed.run(&["open", file, "--key", "key"]);
    let expected = format!("it has version 2 of the format; this program reads up to 1; it is sealed for {names}\n");
    assert!(run.status == 1 && run.stderr.ends_with(&expected), "{}", run.stderr);
    sealed.edit(file, |bytes| {
        bytes[17] = 1;
        bytes.truncate(200);
    });
    let run = sealed.run(&["open", file, "--key", "key"]);
    let expected = format!("its header is cut after 200 bytes; it is sealed for {names}\n");
    assert!(run.status == 1 && run.stderr.ends_with(&expected), "{}", run.stderr);
    let run = sealed.run(&["verify", "audit.log"]);
    assert!(run.status == 1 && run.stdout.contains("its header is cut after 200"), "{}", run.stdout);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_a_warning() {
    let sealed = Sealed::new();
    sealed.write("audit.log");
    mode(&sealed.dir, "key", 0o644);
    let run = sealed.run(&["open", "audit.log", "--key", "key"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ALL));
    let expected = "spanline: warning: key is open to other users (mode 0644); change it with `chmod 600`\n";
    assert_eq!(run.stderr, expected);
    let redirected = File::create(sealed.dir.path().join("new")).unwrap();
    mode(&sealed.dir, "new", 0o640);
    let run = done(sealed.dir.command(&["keygen"]).stdout(redirected).output().unwrap());
    let start = "spanline: warning: the file behind stdout is open to other users (mode 0640)";
    assert!(run.status == 0 && run.stderr.starts_with(start), "{}", run.stderr);
}

/// As Ctrl-C does, whose signal is ignored where tests run in the background.
#[cfg(unix)]
#[test]
fn a_signal_to_the_group_ends_the_tool_and_its_key_command() {
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    let sealed = Sealed::new();
    sealed.write("audit.log");
    let mut command = sealed.dir.command(&["open", "audit.log", "--key-command", "echo ready >&2; exec sleep 60"]);
    let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    // The command is gone, too: nobody has the other end of the pipe.
    line.clear();
    assert_eq!(output.read_line(&mut line).unwrap(), 0);
}
