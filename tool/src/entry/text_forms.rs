//! Where lines that are not JSON have what a record has.

use crate::loggers::{Dialect, Keys, Numbers};

const NONE: &[&str] = &[];

/// Plain text, and broken lines: all of the line is the message.
pub(super) static TEXT: Dialect = Dialect::of_keys(
    Keys {
        time: NONE,
        level: NONE,
        message: &["message"],
        target: NONE,
        service: NONE,
        trace: NONE,
        span: NONE,
        request: NONE,
    },
    Numbers::Unknown,
);

/// [`Logfmt`](spanline::schema::Logfmt), and other writers of such pairs.
pub(super) static LOGFMT: Dialect = Dialect::of_keys(
    Keys {
        time: &["ts", "time", "timestamp", "t", "@timestamp"],
        level: &["level", "lvl", "severity", "log.level"],
        message: &["msg", "message"],
        target: &["target", "logger"],
        service: &["service", "service.name", "service_name", "app"],
        trace: &["trace_id", "traceId", "traceID", "trace.id"],
        span: &["span_id", "spanId", "spanID", "span.id"],
        request: NONE,
    },
    Numbers::Unknown,
);

/// RFC 5424. The library's own element tells TRACE from DEBUG.
pub(super) static SYSLOG: Dialect = Dialect::of_keys(
    Keys {
        time: &["time"],
        level: &["level", "priority"],
        message: &["message"],
        target: &["target"],
        service: &["service", "app_name"],
        trace: &["trace_id"],
        span: &["span_id"],
        request: &["requestId"],
    },
    Numbers::Syslog,
);

/// `epoch-seconds | level | message | service | trace`.
pub(super) static PIPE: Dialect = Dialect::of_keys(
    Keys {
        time: &["time"],
        level: &["level"],
        message: &["message"],
        target: NONE,
        service: &["service"],
        trace: &["trace_id"],
        span: NONE,
        request: NONE,
    },
    Numbers::Unknown,
);
