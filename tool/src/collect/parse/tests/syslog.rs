//! Syslog in its many forms.

use spanline::record::Timestamp;

use super::super::syslog::syslog_in;
use super::{AT, Field, Incoming, NOW, zone};

fn read(message: &str) -> Incoming {
    syslog_in(message.as_bytes(), NOW, &zone())
}

/// `second`: whether the time is that of the golden lines, in seconds; else it is now.
#[track_caller]
fn check(message: &str, second: bool, head: &str, fields: &str) {
    let incoming = read(message);
    assert_eq!(incoming.head(), head);
    assert_eq!(incoming.shown(), fields);
    let expected = if second { AT } else { NOW };
    assert_eq!(incoming.time.as_nanos() / 1_000_000_000, expected.as_nanos() / 1_000_000_000);
}

#[test]
fn messages_of_the_librarys_sink_are_read() {
    check(
        "<15>1 2026-11-20T10:15:38.123456Z host orders 4711 paid [opentelemetry trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\" \
         span_id=\"00f067aa0ba902b7\"][spanline@32473 level=\"TRACE\" target=\"orders::db\" service=\"orders\" \
         request_id=\"r-\\\"1\\\"\\]\\\\\" spans=\"a:b\"] \u{feff}für 5 € n=1",
        true,
        "TRACE orders::db für 5 € n=1 orders 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7",
        "facility=1 hostname=host pid=4711 msgid=paid request_id=r-\"1\"]\\ spans=a:b",
    );
}

#[test]
fn messages_of_rfc_5424_are_read() {
    // The RFC's own examples.
    check(
        "<34>1 2026-11-20T10:15:38.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
        true,
        "ERROR  'su root' failed for lonvick on /dev/pts/8 su - -",
        "facility=4 hostname=mymachine.example.com msgid=ID47 level_name=CRITICAL",
    );
    check(
        "<165>1 2026-11-20T11:15:38.000003+01:00 192.0.2.1 evntslog 0x1f - [exampleSDID@32473 iut=\"3\" iut=\"4\"][empty]",
        true,
        "INFO  - evntslog - -",
        "facility=20 hostname=192.0.2.1 procid=0x1f exampleSDID@32473.iut=3 exampleSDID@32473.iut=4 empty={} level_name=NOTICE",
    );
    check("<13>1 - - - - - -", false, "INFO  - - - -", "facility=1 level_name=NOTICE");
    check("<14>1 - - - - - - ", false, "INFO  - - - -", "facility=1");
    // Broken structured data is text, and a broken time a field.
    check("<14>1 - h a - - [x y=\"z] text\n", false, "INFO  [x y=\"z] text a - -", "facility=1 hostname=h");
    check(
        "<14>1 2026-13-20T10:15:38Z h a - - - text",
        false,
        "INFO  text a - -",
        "facility=1 timestamp=2026-13-20T10:15:38Z hostname=h",
    );
    check("<14>1 - h a - - [x y=\"\\n\\]\"] t", false, "INFO  t a - -", "facility=1 hostname=h x.y=\\n]");
}

#[test]
fn messages_of_rfc_3164_are_read() {
    let all = [
        ("<14>Nov 20 11:15:38 host orders[4711]: hi", "INFO  hi orders - -", "facility=1 hostname=host pid=4711"),
        ("<14>Nov 20 11:15:38 orders[4711]: hi", "INFO  hi orders - -", "facility=1 pid=4711"),
        ("<14>Nov 20 11:15:38 host orders: hi\n", "INFO  hi orders - -", "facility=1 hostname=host"),
        ("<14>Nov 20 11:15:38.123 10.0.0.99 Use the BFG!", "INFO  Use the BFG! - - -", "facility=1 hostname=10.0.0.99"),
        ("Nov 20 11:15:38 host CRON[a-1]: (root) CMD", "INFO  (root) CMD CRON - -", "hostname=host procid=a-1"),
        ("<12>2026-11-20T11:15:38.123456+01:00 host orders: hi", "WARN  hi orders - -", "facility=1 hostname=host"),
        ("<14>*Nov 20 2026 11:15:38.123: %SYS-5: x", "INFO  x %SYS-5 - -", "facility=1"),
        ("<14>Nov 20 11:15:38 host", "INFO  - - - -", "facility=1 hostname=host"),
        ("<14>Nov 20 11:15:38  nginx: hi", "INFO  hi nginx - -", "facility=1"),
    ];
    for (message, head, fields) in all {
        check(message, true, head, fields);
    }
}

#[test]
fn other_texts_are_messages() {
    check("<14>orders[1]: hi", false, "INFO  hi orders - -", "facility=1 pid=1");
    check("<14>http://x/ y", false, "INFO  http://x/ y - - -", "facility=1");
    check("<14>hello there", false, "INFO  hello there - - -", "facility=1");
    check("error: hello", false, "INFO  error: hello - - -", "");
    check("<999>hello", false, "INFO  <999>hello - - -", "");
    check("<14>1 hello", false, "INFO  1 hello - - -", "facility=1");
    check("<14>Nov 31 11:15:38 host x: y", false, "INFO  Nov 31 11:15:38 host x: y - - -", "facility=1");
    check("", false, "INFO  - - - -", "");
}

#[test]
fn bytes_that_are_not_utf_8_are_kept() {
    let message = b"<14>Nov 20 11:15:38 host orders: f\xfcr";
    let incoming = syslog_in(message, NOW, &zone());
    assert_eq!(incoming.message.as_deref(), Some("f\u{fffd}r"));
    assert_eq!(incoming.all("original"), [&Field::Bytes(message.to_vec())]);
}

#[test]
fn the_year_is_the_one_that_makes_the_time_nearest() {
    let at = |now: &str, message: &str| {
        let now: Timestamp = now.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
        syslog_in(message.as_bytes(), now, &chrono::Utc).time.to_string()
    };
    assert_eq!(at("2027-01-01T00:00:10Z", "<14>Dec 31 23:59:59 h t: x"), "2026-12-31T23:59:59.000000Z");
    assert_eq!(at("2026-12-31T23:59:59Z", "<14>Jan  1 00:00:10 h t: x"), "2027-01-01T00:00:10.000000Z");
    assert_eq!(at("2026-03-01T00:00:10Z", "<14>Feb 29 00:00:10 h t: x"), "2028-02-29T00:00:10.000000Z");
    assert_eq!(at("2024-03-01T00:00:10Z", "<14>Feb 29 23:00:10 h t: x"), "2024-02-29T23:00:10.000000Z");
}
