//! Keys in `spanline follow`, on a pseudo-terminal.

use std::fs;
use std::process::Stdio;

use rustix::process::Signal;

use crate::Dir;
use crate::follow_support::append;
use crate::keys_support::{COLUMNS, ROWS, Session};
use crate::terminal::Terminal;

const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARN", "ERROR"];

/// A line whose number decides its level, its request, its trace and its status.
fn line(number: usize) -> String {
    let (level, request, status) = (LEVELS[number % 4], number % 3, 200 + 100 * (number % 4));
    format!(
        r#"{{"timestamp":"2026-11-20T10:00:{:02}Z","level":"{level}","target":"t","message":"step {number}.","request_id":"r-{request}","trace_id":"{:032x}","status":{status}}}"#,
        number % 60,
        request + 1,
    ) + "\n"
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(line).collect()
}

/// Follows a log of lines with these numbers.
fn follow(dir: &Dir, numbers: std::ops::Range<usize>) -> Session {
    dir.put("a.log", lines(numbers));
    let session = Session::start(dir, &["a.log"]);
    session.until_status("No filter applied · ");
    session
}

#[test]
fn a_filter_takes_effect_while_it_is_typed() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..12);
    session.until_shown(&["step 0.", "step 11.", "12 of 12 lines"], &[]);
    session.press("/step 1");
    // An expression that is not complete: the word before stays.
    session.until_shown(&["/step 1 ", "column 6: "], &[]);
    assert!(session.status().starts_with("Filter: step · 12 of 12 lines"), "{}", session.status());
    session.press("\x15");
    session.until_status("No filter applied");
    session.press("status >");
    session.until_shown(&["/status > ", "column 9: expected", "step 0."], &[]);
    session.until_status("Filter: status · ");
    session.press("= 500");
    session.until_shown(&["step 3.", "step 7.", "step 11."], &["step 0.", "step 4.", "step 10."]);
    session.until_status("Filter: status >= 500 · 3 of 12 lines");
    append(&dir.path().join("a.log"), &lines(12..16));
    session.until_shown(&["step 15.", "4 of 16 lines"], &["step 12.", "step 14."]);
    session.press("\r");
    session.until_shown(&["step 15."], &["/status"]);
    // Escape goes back to the filter that was there.
    session.press("/ and step");
    session.until_shown(&["/status >= 500 and step "], &[]);
    session.press("\x1b");
    session.until_shown(&["step 3."], &["/status"]);
    session.until_status("Filter: status >= 500 · 4 of 16 lines");
    session.press("/\x15STEP\t1\x7f\x7f\r");
    session.until_status("Filter: STE · ");
    session.press("/\x15\"step 15\"\r");
    session.until_shown(&["step 15.", "1 of 16 lines"], &["step 11."]);
    session.press("/\x15\r");
    session.until_status("No filter applied · 16 of 16 lines");
    session.press("q");
    session.end_restored();
}

#[test]
fn a_key_goes_through_the_levels() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..8);
    for (level, count) in [("DEBUG", 8), ("INFO", 6), ("WARN", 4), ("ERROR", 2)] {
        session.press("l");
        session.until_status(&format!("No filter applied · {level} and above · {count} of 8 lines"));
    }
    session.until_shown(&["step 3.", "step 7."], &["step 0.", "step 6."]);
    session.press("l");
    session.until_status("No filter applied · 8 of 8 lines");
    session.press("q");
    session.end_restored();
}

#[test]
fn lines_of_a_pause_are_counted_and_shown_after_it() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..4);
    session.press("p");
    session.until_status("No filter applied · paused, 0 new · 4 of 4 lines");
    append(&dir.path().join("a.log"), &lines(4..7));
    session.until_status("No filter applied · paused, 3 new · 4 of 4 lines");
    session.until_shown(&["step 3."], &["step 4."]);
    session.press("p");
    session.until_shown(&["step 3.", "step 4.", "step 6.", "7 of 7 lines"], &["paused"]);
    session.press("q");
    session.end_restored();
}

#[test]
fn lines_are_grouped_by_request() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..7);
    append(&dir.path().join("a.log"), "a text\n");
    session.press("g");
    session.until_shown(&["no request: 1 line", "request r-1: 2 lines", "request r-0: 3 lines"], &[]);
    let contents = session.contents();
    let places = ["no request", "a text", "request r-1", "step 1.", "step 4.", "request r-2", "step 5.", "request r-0"];
    let places: Vec<_> = places.iter().map(|text| contents.find(text).unwrap()).collect();
    assert!(places.is_sorted(), "{contents}");
    session.press("g");
    session.until_shown(&["step 0."], &["request r-1: "]);
    session.press("q");
    let (status, stderr) = session.end();
    assert_eq!((status, stderr.as_str()), (0, "spanline: 1 line was no record: 0 broken, 1 of plain text\n"));
}

#[test]
fn the_trace_of_the_selected_line_is_drawn() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..7);
    session.press("t");
    // That of the last line.
    session.until_shown(&["r-0", &format!("{:032x}", 1), "3 lines", "From the lines that are kept."], &["r-1"]);
    session.until_status("No filter applied");
    session.press("q");
    session.until_shown(&["step 0.", "step 6."], &["From the lines"]);
    session.press("\x1b[A\x1b[At");
    session.until_shown(&["r-1", "From the lines that are kept."], &["r-0"]);
    session.press("q?");
    session.until_shown(&["Keys", "pause"], &["step 6."]);
    session.press("q");
    append(&dir.path().join("a.log"), "{\"message\":\"alone\"}\n");
    session.press("\x1b[F");
    session.until_shown(&["alone"], &["Keys"]);
    session.press("t");
    session.until_shown(&["this line has no id of a trace, a request or a span"], &[]);
    session.press("q");
    session.end_restored();
}

#[test]
fn lines_are_scrolled_and_stay_where_they_are() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..200);
    session.until_shown(&["step 199.", "step 177."], &["step 176."]);
    session.press("\x1b[H");
    session.until_shown(&["step 0.", "step 22."], &["step 23."]);
    append(&dir.path().join("a.log"), &lines(200..203));
    session.until_shown(&["203 of 203 lines", "step 0."], &["step 202."]);
    session.press("\x1b[B\x1b[6~");
    session.until_shown(&["step 23."], &["step 0."]);
    session.press("\x1b[5~\x1b[5~");
    session.until_shown(&["step 0."], &["step 23."]);
    session.press("\x1b[F");
    session.until_shown(&["step 202."], &["step 179.", "End follows"]);
    append(&dir.path().join("a.log"), &lines(203..204));
    session.until_shown(&["step 203."], &["step 180."]);
    session.press("q");
    session.end_restored();
}

#[test]
fn the_terminal_is_restored_however_it_ends() {
    let dir = Dir::new();
    for end in ["q", "\x03", "/abc\x03", "?\x03"] {
        let mut session = follow(&dir, 0..4);
        assert!(!session.is_restored() && session.look(vt100::Screen::alternate_screen));
        session.press(end);
        session.end_restored();
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut session = follow(&dir, 0..4);
        session.signal(signal);
        session.end_restored();
    }
}

#[test]
fn a_stopped_process_gives_the_terminal_back_and_takes_it_again() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..4);
    let stat = format!("/proc/{}/stat", session.child.id());
    let stops: [fn(&Session); 2] = [|session| session.signal(Signal::TSTP), |session| session.press("\x1a")];
    for stop in stops {
        stop(&session);
        session.until("it is stopped", |_| fs::read_to_string(&stat).unwrap().contains(") T "));
        session.until("the terminal is as it was before", Session::is_restored);
        session.signal(Signal::CONT);
        session.until("it goes on", |session| !session.is_restored());
        session.until_shown(&["step 0.", "step 3."], &[]);
        session.until_status("No filter applied");
    }
    session.press("l");
    session.until_status("No filter applied · DEBUG and above");
    session.press("q");
    session.end_restored();
}

#[test]
fn a_quit_signal_restores_the_terminal() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..4);
    session.signal(Signal::QUIT);
    assert_eq!(session.end(), (-1, String::new()));
    session.until("the terminal is as it was before", Session::is_restored);
}

/// Nobody would let it go on.
#[test]
fn without_a_shell_a_stop_is_not_obeyed_and_the_screen_is_drawn_again() {
    let dir = Dir::new();
    dir.put("a.log", lines(0..4));
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_spanline"), "follow", "a.log"]).current_dir(dir.path());
    let mut session = Session::of(command);
    session.until_status("No filter applied · ");
    let begins = |session: &Session| session.bytes().windows(8).filter(|bytes| bytes == b"\x1b[?1049h").count();
    for (turn, key) in ["\x1a", "\x1a"].into_iter().enumerate() {
        session.press(key);
        session.until("the screen is drawn again", |session| begins(session) == turn + 2);
        session.until_status("No filter applied · ");
    }
    session.press("q");
    session.end_restored();
}

#[test]
fn any_size_of_the_terminal_is_drawn() {
    let dir = Dir::new();
    let mut session = follow(&dir, 0..40);
    session.press("/st");
    for (rows, columns) in [(3, 20), (1, 1), (2, 3), (1, 200), (60, 1), (4, 7)] {
        session.resize(rows, columns);
        let status: String = "Filter: st · 40 of 40 lines · ? help".chars().take(usize::from(columns)).collect();
        session.until_status(status.trim_end());
    }
    session.resize(3, 20);
    session.until("the input is shown", |session| session.contents().contains("/st"));
    session.resize(ROWS, COLUMNS);
    session.until_shown(&["step 39.", "step 18.", "/st"], &[]);
    session.press("\r\x1b[H");
    session.resize(5, 30);
    session.until_shown(&["step 0."], &["step 39."]);
    session.press("q");
    session.end_restored();
}

#[test]
fn nothing_that_a_log_or_a_filter_has_controls_the_terminal() {
    let dir = Dir::new();
    let hostile = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u{9b}2J\u{202e}\r\x08";
    let json =
        serde_json::json!({ "level": "error", "message": hostile, "request_id": hostile, "key\x1b[2J": hostile });
    dir.put("a.log", format!("{hostile}text\n{json}\n{}日本語 👩‍👩‍👧 e\u{301}\n\u{0}\u{7f}\n", "日".repeat(90)));
    let mut session = Session::start(&dir, &["a.log"]);
    session.until_shown(&["text", "日本語 👩👩👧 e\u{301}", "4 of 4 lines"], &[]);
    session.press("g");
    session.until_shown(&["request \\u{1b}]0;owned"], &[]);
    session.press("gt/\u{202e}x\r");
    session.press("q");
    session.until("it ended", |session| !session.look(vt100::Screen::alternate_screen));
    session.end();
    let text = String::from_utf8_lossy(&session.bytes()).into_owned();
    for text_of_log in ["\x1b]", "\x07", "\u{9b}", "\u{202e}", "\x08", "owned\x1b[2J"] {
        assert!(!text.contains(text_of_log), "{text_of_log:?}");
    }
}

#[test]
fn problems_are_shown_on_the_screen_and_reported_at_the_end() {
    let dir = Dir::new();
    let mut session = Session::start(&dir, &["later.log"]);
    session.until_shown(&["found no log at later.log yet; waiting for it"], &[]);
    append(&dir.path().join("later.log"), &line(1));
    session.until_shown(&["step 1."], &[]);
    session.press("q");
    let (status, stderr) = session.end();
    assert_eq!((status, stderr.as_str()), (0, "spanline: found no log at later.log yet; waiting for it\n"));
}

#[test]
fn without_a_terminal_for_keys_or_with_a_format_for_programs_lines_are_printed() {
    let dir = Dir::new();
    dir.put("a.log", lines(0..4));
    for args in [
        &["--plain"][..],
        &["--format", "json"],
        &["--count", "--limit", "2"],
        &["--limit", "4"],
        &["--context", "1"],
        &["--", "sh", "-c", "echo done"],
    ] {
        let mut session = Session::start(&dir, &[&["a.log"], args].concat());
        session.until("something is printed", |session| {
            let text = String::from_utf8_lossy(&session.bytes()).into_owned();
            text.contains("step 3.") || text.contains("2\r\n") || text.contains("done")
        });
        assert!(session.is_restored(), "{args:?}");
        session.signal(Signal::TERM);
        session.end();
        assert!(!String::from_utf8_lossy(&session.bytes()).contains("\x1b[?1049h"), "{args:?}");
    }
    let terminal = Terminal::new(COLUMNS);
    let mut command = dir.command(&["follow", "a.log", "-"]);
    command.env("TERM", "xterm").stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = terminal.spawn(&mut command);
    let mut screen = terminal.screen();
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("step 3.") {
        let mut bytes = [0; 4096];
        let count = std::io::Read::read(&mut screen, &mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..count]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!String::from_utf8_lossy(&shown).contains("\x1b[?1049h"));
}

#[test]
fn the_newest_lines_are_kept_and_filtered_again() {
    let dir = Dir::new();
    dir.put("a.log", lines(0..12_000));
    let mut session = Session::start(&dir, &["a.log", "--from-start"]);
    session.until_status("No filter applied · 10000 of 10000 lines");
    session.press("/\"step 1999.\"\r");
    session.until_status("Filter: \"step 1999.\" · 0 of 10000 lines");
    session.press("/\x15\"step 2000.\"\r");
    session.until_shown(&["step 2000.", "1 of 10000 lines"], &[]);
    session.press("q");
    session.end_restored();
    let session = Session::start(&dir, &["a.log"]);
    session.until_status("No filter applied · 1000 of 1000 lines");
    let session = Session::start(&dir, &["a.log", "-n", "7"]);
    session.until_status("No filter applied · 7 of 7 lines");
}
