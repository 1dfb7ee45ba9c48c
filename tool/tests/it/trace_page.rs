//! `spanline trace --html`: one file that needs nothing else, in which no text of a log is markup.

use std::fs;

use serde_json::Value;

use crate::Dir;
use crate::trace::{TRACE, dir, trace};

fn page(dir: &Dir, args: &[&str]) -> String {
    let run = trace(dir, &[args, &["--html", "-"]].concat());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    run.stdout
}

#[test]
fn the_page_loads_nothing_and_runs_only_its_script() {
    let page = page(&dir(), &[TRACE, "logs"]);
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src &#39;none&#39;; style-src &#39;sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for outside in
        ["http:", "https:", "//", " src=", "url(", "@import", " style=", " onclick", "<link", "<iframe", "<img"]
    {
        let markup = page.split("<script>").next().unwrap();
        assert!(!markup.contains(outside), "{outside}");
    }
}

#[test]
fn the_page_is_a_whole_table_without_its_script() {
    let page = page(&dir(), &[TRACE, "logs"]);
    for expected in [
        "<span class=\"service\">stock</span> <span class=\"name\">request</span> <span class=\"about\">POST /stock 503</span>",
        "<span class=\"message\">request failed</span> <span class=\"cause\">cannot call stock: status 503: for url</span>",
        "<span class=\"level\">DEBUG</span> <span class=\"message\">placing</span>",
        "begins 10.0 ms before its parent: the clocks of warehouse and stock differ",
        "gap: request → reserve",
        "prefers-color-scheme: dark",
        "<form id=\"tools\" class=\"tools\" role=\"search\" hidden>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert_eq!(page.matches("<tr ").count(), page.matches("</tr>").count() - 1, "all but the head");
    assert!(!page.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap().contains(" hidden"));
}

#[test]
fn no_text_of_a_log_is_markup() {
    let dir = Dir::new();
    let evil = r#"</script><script>document.body.append('NEVER-RUN')</script><img src=x onerror=alert(1)>\"'&\u2028\u202e<!--"#;
    dir.put(
        "x.log",
        format!(
            "{{\"time\":\"2026-11-20T10:00:00Z\",\"level\":\"ERROR\",\"msg\":\"{evil}\",\"error\":\"{evil}\",\"service\":\"{evil}\",\"method\":\"{evil}\",\"route\":\"{evil}\",\"request_id\":\"r{evil}\",\"trace_id\":\"{TRACE}\",\"span_id\":\"{evil}\",\"spans\":[\"{evil}\"]}}\n"
        ),
    );
    let page = page(&dir, &[TRACE, "x.log"]);
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains(['\u{2028}', '\u{202e}']));
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert!(data["0"]["name"].as_str().unwrap().starts_with("</script><script>"), "{data}");
}

#[test]
fn a_file_is_replaced_only_if_that_is_asked_for() {
    let dir = dir();
    let run = |args: &[&str]| trace(&dir, &[&[TRACE, "logs", "--html", "page.html"], args].concat());
    let done = run(&[]);
    assert_eq!((done.status, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""));
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    dir.put("page.html", "mine");
    let done = run(&[]);
    let message = "spanline: write page.html: the file exists; pass --force to replace it\n";
    assert_eq!((done.status, done.stderr.as_str()), (1, message));
    assert_eq!(fs::read_to_string(dir.path().join("page.html")).unwrap(), "mine");
    assert_eq!(run(&["--force"]).status, 0);
    assert_eq!(fs::read_to_string(dir.path().join("page.html")).unwrap(), page);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
    let done = trace(&dir, &[TRACE, "logs", "--html", "missing/page.html"]);
    assert_eq!(done.status, 1);
    assert!(done.stderr.starts_with("spanline: write missing/page.html: "), "{}", done.stderr);
    assert_eq!(trace(&dir, &[TRACE, "logs", "--html", "a.html", "--json"]).status, 2);
    assert_eq!(trace(&dir, &["r-7", "logs", "--html", "none.html"]).status, 1);
    assert!(!dir.path().join("none.html").exists());
}

/// A link may lead to a file of somebody else, and a device is no place for a page.
#[cfg(unix)]
#[test]
fn only_a_regular_file_is_replaced() {
    let dir = dir();
    dir.put("target.html", "theirs");
    std::os::unix::fs::symlink("target.html", dir.path().join("link.html")).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(dir.path().join("socket.html")).unwrap();
    for name in ["link.html", "socket.html", "logs"] {
        for args in [&[][..], &["--force"]] {
            let run = trace(&dir, &[&[TRACE, "logs", "--html", name], args].concat());
            let expected = "expected a new file or a regular one, found something else; `-` is stdout";
            assert_eq!((run.status, run.stderr), (1, format!("spanline: write {name}: {expected}\n")), "{args:?}");
        }
    }
    drop(listener);
    assert_eq!(fs::read_to_string(dir.path().join("target.html")).unwrap(), "theirs");
    assert!(dir.path().join("link.html").is_symlink());
}
