//! A follower reports what it cannot open, and tries it again; it cuts lines that are too long if it has to.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use spanline::read::Follow;

use super::following::{Seen, append, from_end, lines, next, seen};
use super::reading::Dir;
use crate::support::wait::PATIENCE;

#[test]
fn a_line_beyond_the_limit_can_be_cut() {
    let dir = Dir::new();
    dir.put("orders.log", "");
    for limit in [5, 200_000] {
        let mut follow = from_end(&dir).max_line_bytes(limit).cut_long_lines();
        let long = "x".repeat(limit + 70_000);
        append(&dir.path(), &format!("a\n{}\n{long}\n{long}", &long[..limit]));
        let cut = Seen::Line(long[..limit].to_owned());
        for (expected, is_cut) in
            [(Seen::Line("a".into()), false), (cut.clone(), false), (cut.clone(), true), (cut, true)]
        {
            assert_eq!((next(&mut follow, Duration::ZERO), follow.is_cut()), (Some(expected), is_cut), "{limit}");
        }
        // The rest of a line that has no newline yet.
        append(&dir.path(), &format!("{long}\nafter\n"));
        assert_eq!(seen(&mut follow), lines(&["after"]));
        assert!(!follow.is_cut());
    }
}

/// A directory, a FIFO, a link: each is reported once, and what was there before or comes later is followed.
#[cfg(unix)]
#[test]
fn what_cannot_be_opened_for_a_while_is_reported_and_tried_again() {
    let dir = Dir::new();
    let (path, kept) = (dir.path(), dir.join("kept"));
    dir.put("orders.log", "1\n");
    let mut follow = Follow::from_start(dir.log()).unwrap();
    assert_eq!(seen(&mut follow), lines(&["1"]));
    let refused = |follow: &mut Follow| {
        let error = follow.wait(PATIENCE).unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "{error}");
        assert!(error.to_string().contains("open "), "{error}");
        assert_eq!(seen(follow), []);
    };
    let hide = || fs::create_dir(&path).unwrap();
    let link = || std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let show: fn(&Path) = |path| fs::remove_file(path).or_else(|_| fs::remove_dir(path)).unwrap();
    for (turn, hide) in [&hide as &dyn Fn(), &link].into_iter().enumerate() {
        // The same file comes back, with the same lines.
        fs::rename(&path, &kept).unwrap();
        hide();
        refused(&mut follow);
        show(&path);
        fs::rename(&kept, &path).unwrap();
        append(&path, &format!("same {turn}\n"));
        assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line(format!("same {turn}"))));
        assert_eq!(seen(&mut follow), []);
        // Another one comes, which may have the number of what was there meanwhile.
        fs::remove_file(&path).unwrap();
        hide();
        refused(&mut follow);
        show(&path);
        append(&path, &format!("other {turn}\n"));
        assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line(format!("other {turn}"))));
        assert_eq!(seen(&mut follow), []);
    }
    // It was there before the log.
    fs::remove_file(&path).unwrap();
    dir.put("orders.log.1", "closed\n");
    let log = dir.log();
    hide();
    let mut follow = Follow::from_start(log).unwrap();
    assert_eq!(seen(&mut follow).len(), 2);
    show(&path);
    append(&path, "first\n");
    assert_eq!(next(&mut follow, PATIENCE), Some(Seen::Line("first".into())));
}
