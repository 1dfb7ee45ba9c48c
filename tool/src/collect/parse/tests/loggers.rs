//! Lines of other loggers, as their documentation shows them.

use tracing::Level;

use super::{AT, Field, NOW, read};

#[track_caller]
fn check(line: &str, head: &str, fields: &str) {
    let incoming = read(line);
    assert_eq!(incoming.head(), head);
    assert_eq!(incoming.shown(), fields);
    assert_eq!(incoming.time.as_nanos() / 1_000_000, AT.as_nanos() / 1_000_000);
}

#[test]
fn tracing_subscribers_json_is_read() {
    check(
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"INFO","fields":{"message":"hi","n":1},"target":"app","span":{"name":"s"},"spans":[{"name":"s"}],"threadId":"ThreadId(1)"}"#,
        "INFO app hi - - -",
        r#"n=1 span={"name":"s"} spans=[{"name":"s"}] threadId=ThreadId(1)"#,
    );
    // `flatten_event(true)`.
    check(
        r#"{"timestamp":"2026-11-20T10:15:38.123456Z","level":"WARN","message":"hi","n":1.0,"target":"app"}"#,
        "WARN app hi - - -",
        "n=1.0",
    );
}

#[test]
fn lines_of_the_journal_and_of_syslog_ng_are_read() {
    // `journalctl -o json`, with some of its fields
    check(
        r#"{"_HOSTNAME":"h","PRIORITY":"4","__REALTIME_TIMESTAMP":"1795169738123456","SYSLOG_IDENTIFIER":"sshd","_PID":"7","MESSAGE":"hi"}"#,
        "WARN  hi sshd - -",
        "_HOSTNAME=h _PID=7",
    );
    // `$(format-json --scope rfc5424 --key ISODATE)`
    let line = r#"{"PROGRAM":"sshd","PRIORITY":"notice","PID":"7","MESSAGE":"hi","ISODATE":"2026-11-20T11:15:38+01:00","HOST":"h"}"#;
    let incoming = read(line);
    assert_eq!(
        (incoming.head().as_str(), incoming.shown().as_str()),
        ("INFO  hi sshd - -", "PID=7 HOST=h level_name=NOTICE")
    );
    assert_eq!(incoming.time.as_nanos() / 1_000_000_000, AT.as_nanos() / 1_000_000_000);
}

#[test]
fn loggers_of_go_are_read() {
    // zap
    check(
        r#"{"level":"dpanic","ts":1795169738.123456,"logger":"db","caller":"a/b.go:7","msg":"hi","status":200}"#,
        "ERROR db hi - - -",
        "caller=a/b.go:7 status=200 level_name=FATAL",
    );
    // slog, with its offset
    check(
        r#"{"time":"2026-11-20T11:15:38.123456789+01:00","level":"WARN","msg":"hi","name":"x"}"#,
        "WARN  hi - - -",
        "name=x",
    );
    // zerolog, logrus
    check(r#"{"level":"warn","time":1795169738123,"message":"hi","error":"e"}"#, "WARN  hi - - -", "error=e");
    // hclog
    check(
        r#"{"@level":"info","@message":"hi","@module":"raft","@timestamp":"2026-11-20T10:15:38.123456Z","x":null}"#,
        "INFO raft hi - - -",
        "x=null",
    );
}

#[test]
fn loggers_of_the_jvm_and_of_dotnet_are_read() {
    // Log4j's JsonLayout
    check(
        r#"{"instant":{"epochSecond":1795169738,"nanoOfSecond":123456000},"thread":"main","level":"FATAL","loggerName":"com.x.A","message":"hi","contextMap":{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","user":"u"},"threadId":1}"#,
        "ERROR com.x.A hi - 4bf92f3577b34da6a3ce929d0e0e4736 -",
        "thread=main user=u threadId=1 level_name=FATAL",
    );
    // logstash-logback-encoder
    check(
        r#"{"@timestamp":"2026-11-20T11:15:38.123+0100","@version":"1","message":"hi","logger_name":"com.x.A","thread_name":"main","level":"INFO","level_value":20000}"#,
        "INFO com.x.A hi - - -",
        "@version=1 thread_name=main level_value=20000",
    );
    // ECS, nested
    check(
        r#"{"@timestamp":"2026-11-20T10:15:38.123Z","log.level":"info","message":"hi","ecs":{"version":"1.6.0"},"log":{"logger":"app","origin":{"line":7}},"service":{"name":"s"},"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"}}"#,
        "INFO app hi s 4bf92f3577b34da6a3ce929d0e0e4736 -",
        r#"ecs={"version":"1.6.0"} log.origin={"line":7}"#,
    );
    // Serilog's compact format
    check(
        r#"{"@t":"2026-11-20T10:15:38.1234560Z","@mt":"Hello, {User}","@l":"Verbose","@x":"E","@tr":"4bf92f3577b34da6a3ce929d0e0e4736","@sp":"00f067aa0ba902b7","User":"u","SourceContext":"A.B"}"#,
        "TRACE A.B Hello, {User} - 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7",
        "@x=E User=u",
    );
}

#[test]
fn loggers_of_python_and_node_are_read() {
    // python-json-logger: the zone of `asctime` is the sender's, so the text stays
    check(
        r#"{"asctime":"2026-11-20 11:15:38,123","levelname":"CRITICAL","name":"app.db","message":"hi","taskName":null}"#,
        "ERROR app.db hi - - -",
        "asctime=2026-11-20 11:15:38,123 taskName=null level_name=CRITICAL",
    );
    // logging.handlers, as a dictionary
    check(
        r#"{"name":"app","msg":"hi","args":null,"levelname":"WARNING","levelno":30,"created":1795169738.1234567,"process":1}"#,
        "WARN app hi - - -",
        "args=null levelno=30 process=1",
    );
    // structlog
    check(
        r#"{"user":"u","event":"hi","level":"warning","logger":"app","timestamp":"2026-11-20T10:15:38.123456Z"}"#,
        "WARN app hi - - -",
        "user=u",
    );
    // loguru
    check(
        r#"{"text":"x","record":{"level":{"icon":"-","name":"WARNING","no":30},"message":"hi","name":"__main__","time":{"repr":"2026-11-20 10:15:38.123154+00:00","timestamp":1.5}}}"#,
        "WARN __main__ hi - - -",
        r#"text=x level={"icon":"-","name":"WARNING","no":30} time={"repr":"2026-11-20 10:15:38.123154+00:00","timestamp":1.5}"#,
    );
    // bunyan, pino, winston
    check(
        r#"{"name":"orders","hostname":"h","pid":1,"component":"db","level":60,"msg":"hi","time":"2026-11-20T10:15:38.123Z","v":0}"#,
        "ERROR db hi orders - -",
        "hostname=h pid=1 level_name=FATAL",
    );
    check(
        r#"{"level":35,"time":1795169738123,"pid":1,"hostname":"h","name":"orders","msg":"hi","reqId":7}"#,
        "INFO  hi orders - -",
        "level=35 pid=1 hostname=h request_id=7",
    );
    check(
        r#"{"level":"silly","message":"hi","service":"orders","timestamp":"2026-11-20T10:15:38.123Z"}"#,
        "INFO  hi orders - -",
        "level=silly",
    );
}

#[test]
fn loggers_of_clouds_are_read() {
    check(
        r#"{"severity":"NOTICE","time":"2026-11-20T10:15:38.123456Z","message":"hi","logging.googleapis.com/trace":"projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736","logging.googleapis.com/labels":{"a":"b"},"httpRequest":{"status":200}}"#,
        "INFO  hi - 4bf92f3577b34da6a3ce929d0e0e4736 -",
        r#"logging.googleapis.com/trace=projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736 a=b httpRequest={"status":200} level_name=NOTICE"#,
    );
    check(
        r#"{"timestamp":"2026-11-20T10:15:38.123Z","status":"error","message":"hi","logger.name":"app","dd.trace_id":"17911839290282890590","dd.span_id":8196980753821780}"#,
        "ERROR app hi - 0000000000000000f893a2eefb32555e 001d1f1c4e0ff054",
        "",
    );
    check(
        r#"{"version":"1.1","host":"h","short_message":"hi","timestamp":1795169738.123,"level":1,"_user_id":9,"_version":"2","__x":1}"#,
        "ERROR  hi - - -",
        "host=h user_id=9 version=2 _x=1 level_name=ALERT",
    );
    check(
        r#"{"time":1795169738.123,"host":"h","source":"s","sourcetype":"t","event":"hi","fields":{"a":1}}"#,
        "INFO  hi s - -",
        "host=h sourcetype=t a=1",
    );
    // Docker
    check(
        r#"{"log":"hi","stream":"stderr","time":"2026-11-20T10:15:38.123456789Z"}"#,
        "INFO  hi - - -",
        "stream=stderr",
    );
}

#[test]
fn what_cannot_be_read_stays_a_field_and_now_is_used() {
    let incoming = read(
        r#"{"timestamp":"yesterday","level":"loud","target":7,"message":["a"],"service":"","trace_id":"x","span_id":null,"trace_id":"y"}"#,
    );
    assert_eq!((incoming.time, incoming.level), (NOW, Level::INFO));
    assert_eq!(incoming.head(), "INFO  - - - -");
    assert_eq!(
        incoming.shown(),
        r#"timestamp=yesterday level=loud target=7 message=["a"] service= trace_id=x span_id=null trace_id=y"#
    );
    // The next key that can be read counts.
    let incoming =
        read(r#"{"timestamp":"yesterday","time":1795169738.123456,"level":30,"severity":"err","msg":"hi","log":"x"}"#);
    assert_eq!((incoming.time, incoming.level, incoming.message.as_deref()), (AT, Level::ERROR, Some("hi")));
    assert_eq!(incoming.shown(), "timestamp=yesterday level=30 log=x");
}

#[test]
fn equal_keys_are_all_kept_and_the_first_counts() {
    let incoming = read(r#"{"message":"a","message":"b","x":1,"x":{"x":1,"x":2},"level":"warn","level":"error"}"#);
    assert_eq!(incoming.head(), "WARN  a - - -");
    assert_eq!(incoming.shown(), r#"message=b x=1 x={"x":1,"x":2} level=error"#);
}

#[test]
fn values_keep_their_digits_and_their_text() {
    let line = r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":340282366920938463463374607431768211455,"d":1.10,"e":1e400,"f":0.1,"g":"\ud800","h":[1.50, {"i":1E5}]}"#;
    let incoming = read(line);
    assert_eq!(incoming.fields[0].1, Field::U64(u64::MAX));
    assert_eq!(
        incoming.shown(),
        r#"a=18446744073709551615 b=-9223372036854775808 c=340282366920938463463374607431768211455 d=1.10 e=1e400 f=0.1 g=\ud800 h=[1.50, {"i":1E5}]"#
    );
}
