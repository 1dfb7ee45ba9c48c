//! `spanline stats --html`: one file that needs nothing else, in which no text of a log is markup.

use std::fs;

use crate::Dir;

fn page(dir: &Dir, args: &[&str]) -> String {
    let run = dir.run(&[&["stats", "--html", "-"], args].concat());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    run.stdout
}

fn dir() -> Dir {
    let dir = Dir::new();
    let line = |second: u32, level: &str, service: &str, rest: &str| {
        format!(
            r#"{{"timestamp":"2026-11-20T10:00:{second:02}Z","level":"{level}","target":"t","message":"paid","service":"{service}"{rest}}}"#
        ) + "\n"
    };
    let text: String = (0..50).map(|second| line(second, "INFO", "orders", r#","ms":7,"trace_id":"a1""#)).collect();
    let lost = r#","target":"spanline","dropped":12,"reason":"queue_full""#;
    dir.put("a.log", text + &line(50, "ERROR", "stock", r#","error":"no stock""#) + &line(51, "WARN", "stock", lost));
    dir
}

#[test]
fn the_page_loads_nothing_and_runs_only_its_script() {
    let page = page(&dir(), &["a.log", "--field", "ms"]);
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src &#39;none&#39;; style-src &#39;sha256-"), "{policy}");
    for outside in
        ["http:", "https:", "//", " src=", "url(", "@import", " style=", " onclick", "<link", "<iframe", "<img"]
    {
        let markup = page.split("<script>").next().unwrap();
        assert!(!markup.contains(outside), "{outside}");
    }
}

#[test]
fn the_page_has_every_answer_without_its_script() {
    let page = page(&dir(), &["a.log", "--field", "ms", "--by", "service"]);
    for expected in [
        "52 lines in 1 file",
        "<dt>errors</dt><dd>1</dd>",
        "<dt>traces</dt><dd>1</dd>",
        "<dt>lost lines</dt><dd>12</dd>",
        "<tr><td>orders</td><td>0</td><td>0</td><td>50</td><td>0</td><td>0</td><td>50</td>",
        "<tr><td>stock</td><td>0</td><td>0</td><td>0</td><td>1</td><td>1</td><td>2</td>",
        "<td class=\"words\">paid</td>",
        "<span class=\"level\">ERROR</span> <span class=\"service\">stock</span> <span class=\"message\">paid</span>",
        "<dt>error</dt><dd>no stock</dd>",
        "<tr><td>orders</td><td>50</td><td>7</td><td>7</td><td>7</td>",
        "<tr><td>stock</td><td>queue_full</td><td>12</td></tr>",
        "ns for each line",
        "prefers-color-scheme: dark",
        "<form id=\"tools\" class=\"tools\" role=\"search\" hidden>",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    for tag in ["section", "table", "tr", "td", "svg", "g", "details", "dl", "div", "p"] {
        let begun = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(begun, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn no_text_of_a_log_is_markup() {
    let dir = Dir::new();
    let evil = r#"</script><script>document.body.append('NEVER-RUN')</script><img src=x onerror=alert(1)>\"'&\u2028\u202e<!--"#;
    let line = format!(
        r#"{{"time":"2026-11-20T10:00:00Z","level":"ERROR","msg":"{evil}","error":"{evil}","service":"{evil}","target":"{evil}","{evil}":1,"x":{{"{evil}":"{evil}"}}}}"#
    );
    let lost = format!(
        r#"{{"time":"2026-11-20T10:00:00Z","level":"WARN","msg":"m","service":"{evil}","target":"spanline","dropped":1,"reason":"{evil}"}}"#
    );
    dir.put("x.log", format!("{line}\n{lost}\n<b>text</b>\n"));
    let page = page(&dir, &["x.log", "--field", "dropped", "--by", "reason"]);
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (1, 1));
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("<b>text"));
    assert!(!page.contains(['\u{2028}', '\u{202e}']));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;"));
}

#[test]
fn a_file_is_replaced_only_if_that_is_asked_for() {
    let dir = dir();
    dir.put("page.html", "mine");
    let done = dir.run(&["stats", "a.log", "--html", "page.html"]);
    let message = "spanline: write page.html: the file exists; pass --force to replace it\n";
    assert_eq!((done.status, done.stdout.as_str(), done.stderr.as_str()), (1, "", message));
    assert_eq!(fs::read_to_string(dir.path().join("page.html")).unwrap(), "mine");
    assert_eq!(dir.run(&["stats", "a.log", "--html", "page.html", "--force"]).status, 0);
    assert!(fs::read_to_string(dir.path().join("page.html")).unwrap().starts_with("<!doctype html>"));
    assert_eq!(dir.run(&["stats", "a.log", "--html", "-", "--json"]).status, 2);
}
