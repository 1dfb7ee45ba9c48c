//! The loggers whose JSON lines are understood: under which keys they have what a record has.
//!
//! A dialect is recognised by keys that its lines always have, and before users' fields. Keys such as `name` and `status` have a meaning in some of
//! them only, and are a user's fields elsewhere. [`ANY`] is for all other lines.
//!
//! Sources: the schemas of the library; tracing-subscriber's `fmt/format/json.rs`; zap's `config.go`; Go's `log/slog`;
//! Serilog's compact format, <https://github.com/serilog/serilog-formatting-compact>; Python's `LogRecord` attributes and
//! python-json-logger; Loguru's `serialize`; Log4j's `JsonLayout`; logstash-logback-encoder; hclog's `intlogger.go`.

use super::level::Numbers;

/// Where a line has what. A key is that of a member, or `object>key` for one inside an object of [`Dialect::objects`].
/// Of several keys, the first one that can be read counts.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// A line is of the dialect if it has all keys of one of these.
    marks: &'static [&'static [&'static str]],
    /// Whether a line is of the dialect only if its `level` is a number.
    has_numbers_only: bool,
    pub(crate) keys: Keys,
    pub(crate) numbers: Numbers,
    /// Whether ids of traces and spans may be decimal.
    pub(crate) has_decimal_ids: bool,
    /// Objects whose members are members of the line.
    pub(crate) objects: &'static [Object],
    /// Members with the service's name once more.
    pub(crate) repeats_service: &'static [&'static str],
    /// Members that only name the format, with their values.
    pub(crate) constants: &'static [(&'static str, &'static str)],
    /// A mark of users' fields, which is not part of their names.
    pub(crate) prefix: &'static str,
}

/// The keys of each part of a record.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) time: &'static [&'static str],
    pub(crate) level: &'static [&'static str],
    pub(crate) message: &'static [&'static str],
    pub(crate) target: &'static [&'static str],
    pub(crate) service: &'static [&'static str],
    pub(crate) trace: &'static [&'static str],
    pub(crate) span: &'static [&'static str],
    /// Other keys for what is the field `request_id`.
    pub(crate) request: &'static [&'static str],
}

/// An object whose members are members of the line.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: &'static str,
    /// Whether the object's key is a part of their names.
    pub(crate) is_named: bool,
}

const fn plain(key: &'static str) -> Object {
    Object { key, is_named: false }
}

const fn named(key: &'static str) -> Object {
    Object { key, is_named: true }
}

const FIELDS: &[Object] = &[plain("fields")];

const TRACE: &[&str] = &["trace_id", "traceId", "traceID", "trace.id", "otelTraceID"];
const SPAN: &[&str] = &["span_id", "spanId", "spanID", "span.id", "otelSpanID"];
const REQUEST: &[&str] = &["requestId", "requestID", "req_id", "reqId"];

/// Any line.
#[rustfmt::skip]
const ANY: Dialect = Dialect {
    marks: &[&[]],
    has_numbers_only: false,
    keys: Keys {
        time: &["timestamp", "@timestamp", "time", "ts", "datetime"],
        level: &["level", "severity", "log.level", "loglevel", "lvl", "@level"],
        message: &["message", "msg", "@message", "fields>message", "event", "short_message", "log"],
        target: &["target", "logger", "logger_name", "loggerName", "log.logger", "@module"],
        service: &["service", "service.name", "service_name", "serviceName"],
        trace: TRACE,
        span: SPAN,
        request: REQUEST,
    },
    numbers: Numbers::Unknown,
    has_decimal_ids: false,
    objects: FIELDS,
    repeats_service: &[],
    constants: &[],
    prefix: "",
};

/// The dialect of lines that are of no other.
pub(crate) static UNKNOWN: Dialect = ANY;

/// The dialects.
#[rustfmt::skip]
static DIALECTS: [Dialect; 16] = [
    // `Flat`, `Nested`, and tracing-subscriber's own.
    Dialect {
        marks: &[&["timestamp", "level", "target"]],
        keys: Keys {
            time: &["timestamp"],
            level: &["level"],
            message: &["message", "fields>message"],
            target: &["target"],
            service: &["service"],
            trace: &["trace_id"],
            span: &["span_id"],
            request: &[],
        },
        ..ANY
    },
    // `Lambda`, and Lambda's runtimes.
    Dialect {
        marks: &[&["timestamp", "level", "logger"], &["timestamp", "level", "requestId"], &["timestamp", "level", "AWSRequestId"]],
        keys: Keys {
            time: &["timestamp"],
            level: &["level"],
            message: &["message", "msg", "event"],
            target: &["logger"],
            service: &["service"],
            trace: TRACE,
            span: SPAN,
            request: &["requestId", "AWSRequestId"],
        },
        ..ANY
    },
    // `Ecs`, and Elastic's own loggers, some of which nest.
    Dialect {
        marks: &[&["@timestamp", "ecs.version"], &["@timestamp", "log.level"], &["@timestamp", "ecs"]],
        keys: Keys {
            time: &["@timestamp"],
            level: &["log.level", "log>level"],
            message: &["message"],
            target: &["log.logger", "log>logger"],
            service: &["service.name", "service>name"],
            trace: &["trace.id", "trace>id"],
            span: &["span.id", "span>id"],
            request: &[],
        },
        objects: &[plain("labels"), named("log"), named("service"), named("trace"), named("span")],
        repeats_service: &["event.dataset"],
        ..ANY
    },
    // `Gcp`, and Google's own loggers.
    Dialect {
        marks: &[&["severity", "time"], &["severity", "timestamp"], &["logging.googleapis.com/severity", "time"]],
        keys: Keys {
            time: &["time", "timestamp"],
            level: &["severity", "logging.googleapis.com/severity"],
            message: &["message", "msg"],
            target: &["target", "logger"],
            service: &["serviceContext>service", "service"],
            trace: &["logging.googleapis.com/trace", "trace_id"],
            span: &["logging.googleapis.com/spanId", "span_id"],
            request: &[],
        },
        objects: &[plain("fields"), plain("serviceContext"), plain("logging.googleapis.com/labels")],
        ..ANY
    },
    // `Datadog`, and what Datadog's tracers add to lines.
    Dialect {
        marks: &[&["status", "timestamp", "logger.name"], &["status", "timestamp", "dd.service"]],
        keys: Keys {
            time: &["timestamp"],
            level: &["status"],
            message: &["message"],
            target: &["logger.name"],
            service: &["service", "dd.service"],
            trace: &["dd.trace_id"],
            span: &["dd.span_id"],
            request: &[],
        },
        has_decimal_ids: true,
        repeats_service: &["dd.service"],
        ..ANY
    },
    // `Gelf`, and all senders of it.
    Dialect {
        marks: &[&["version", "short_message"]],
        keys: Keys {
            time: &["timestamp"],
            level: &["level"],
            message: &["short_message"],
            target: &["_logger", "_LoggerName"],
            service: &["_service"],
            trace: &["_trace_id"],
            span: &["_span_id"],
            request: &[],
        },
        numbers: Numbers::Syslog,
        objects: &[],
        constants: &[("version", "\"1.1\"")],
        prefix: "_",
        ..ANY
    },
    // `Splunk`, and all senders to its HTTP Event Collector.
    Dialect {
        marks: &[&["event", "sourcetype"], &["event", "time", "host"]],
        keys: Keys {
            time: &["time", "event>timestamp"],
            level: &["event>severity", "event>level"],
            message: &["event>message", "event"],
            target: &["event>logger"],
            service: &["source"],
            trace: &["event>trace_id"],
            span: &["event>span_id"],
            request: &[],
        },
        objects: &[plain("event"), plain("fields")],
        ..ANY
    },
    // Serilog's compact format.
    Dialect {
        marks: &[&["@t"]],
        keys: Keys {
            time: &["@t"],
            level: &["@l"],
            message: &["@m", "@mt"],
            target: &["SourceContext"],
            service: &["service.name", "Application"],
            trace: &["@tr"],
            span: &["@sp"],
            request: &["RequestId"],
        },
        objects: &[],
        ..ANY
    },
    // Log4j.
    Dialect {
        marks: &[&["loggerName", "level"]],
        keys: Keys {
            time: &["timeMillis", "timestamp", "@timestamp"],
            level: &["level"],
            message: &["message"],
            target: &["loggerName"],
            service: &["service", "contextMap>service"],
            trace: &["contextMap>trace_id", "contextMap>traceId", "trace_id"],
            span: &["contextMap>span_id", "contextMap>spanId", "span_id"],
            request: &["contextMap>requestId"],
        },
        objects: &[plain("contextMap")],
        ..ANY
    },
    // Python's logging.
    Dialect {
        marks: &[&["levelname"], &["levelno"]],
        keys: Keys {
            time: &["created", "timestamp", "@timestamp", "time", "asctime"],
            level: &["levelname", "levelno"],
            message: &["message", "msg"],
            target: &["name"],
            service: &["service", "service.name", "otelServiceName"],
            trace: TRACE,
            span: SPAN,
            request: REQUEST,
        },
        numbers: Numbers::Python,
        ..ANY
    },
    // Loguru.
    Dialect {
        marks: &[&["text", "record"]],
        keys: Keys {
            time: &["record>time"],
            level: &["record>level"],
            message: &["record>message"],
            target: &["record>name"],
            service: &[],
            trace: &[],
            span: &[],
            request: &[],
        },
        objects: &[plain("record")],
        ..ANY
    },
    // `Bunyan`, and bunyan.
    Dialect {
        marks: &[&["v", "name", "level", "time"], &["name", "hostname", "pid", "level"]],
        has_numbers_only: true,
        keys: NODE,
        numbers: Numbers::Bunyan,
        constants: &[("v", "0")],
        ..ANY
    },
    // `Pino`, and pino.
    Dialect {
        marks: &[&["time", "level", "msg"], &["time", "level", "pid", "hostname"]],
        has_numbers_only: true,
        keys: NODE,
        numbers: Numbers::Bunyan,
        ..ANY
    },
    // `journalctl -o json`.
    Dialect {
        marks: &[&["MESSAGE", "__REALTIME_TIMESTAMP"]],
        keys: Keys {
            time: &["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"],
            level: &["PRIORITY"],
            message: &["MESSAGE"],
            target: &["TARGET"],
            service: &["SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT"],
            trace: &["TRACE_ID"],
            span: &["SPAN_ID"],
            request: &["REQUEST_ID"],
        },
        numbers: Numbers::Syslog,
        ..ANY
    },
    // syslog-ng's `$(format-json --scope rfc5424)`.
    Dialect {
        marks: &[&["MESSAGE", "PROGRAM"], &["MESSAGE", "ISODATE"]],
        keys: Keys {
            time: &["ISODATE", "DATE"],
            level: &["PRIORITY", "LEVEL"],
            message: &["MESSAGE"],
            target: &[],
            service: &["PROGRAM"],
            trace: TRACE,
            span: SPAN,
            request: REQUEST,
        },
        ..ANY
    },
    // Pino that names its levels.
    Dialect { marks: &[&["time", "level", "pid", "hostname", "msg"]], keys: NODE, ..ANY },
];

const NODE: Keys = Keys {
    time: &["time"],
    level: &["level"],
    message: &["msg"],
    target: &["component", "logger"],
    service: &["name"],
    trace: TRACE,
    span: SPAN,
    request: &["req_id", "reqId"],
};

impl Dialect {
    /// Returns the dialect of lines that no mark tells from others.
    #[cfg(feature = "find")]
    pub(crate) const fn of_keys(keys: Keys, numbers: Numbers) -> Self {
        Self { keys, numbers, objects: &[], ..ANY }
    }

    /// Returns the dialect of a line, or [`ANY`]. See [`find`](Self::find).
    #[cfg(feature = "collect")]
    pub(crate) fn of(place: impl Fn(&str) -> Option<usize>, has_number: bool) -> &'static Self {
        Self::find(place, has_number).map_or(&UNKNOWN, |(_, dialect)| dialect)
    }

    /// Finds the dialect of a line: the one whose marks are complete first, because users' fields come last. Returns also the
    /// place of its last mark: the keys up to there decide.
    ///
    /// `place`: that of a key among the line's members. `has_number`: whether its `level` is a number.
    pub(crate) fn find(place: impl Fn(&str) -> Option<usize>, has_number: bool) -> Option<(usize, &'static Self)> {
        let complete =
            |marks: &&[&str]| marks.iter().map(|mark| place(mark)).try_fold(0, |last, at| Some(at?.max(last)));
        let found = DIALECTS.iter().filter(|dialect| has_number || !dialect.has_numbers_only).filter_map(|dialect| {
            let first = dialect.marks.iter().filter_map(complete).min()?;
            Some((first, dialect))
        });
        found.min_by_key(|(first, _)| *first)
    }
}
