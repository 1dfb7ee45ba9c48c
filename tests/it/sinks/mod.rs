//! Outputs and sinks: isolation, the appender, synchronous outputs.

pub(crate) mod acknowledge;
pub(crate) mod appender;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod datagrams;
pub(crate) mod echo;
pub(crate) mod echo_limit;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod external;
#[cfg(feature = "spool")]
pub(crate) mod fallback;
#[cfg(unix)]
pub(crate) mod fork;
pub(crate) mod genuine_lines;
pub(crate) mod hostile;
#[cfg(all(feature = "otlp", feature = "zstd", feature = "prometheus", target_os = "linux"))]
pub(crate) mod hostile_servers;
#[cfg(all(feature = "http", feature = "gzip", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http;
#[cfg(all(feature = "otlp", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http_answers;
#[cfg(all(feature = "http", feature = "gzip", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http_outages;
#[cfg(all(feature = "http", feature = "gzip", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http_presets;
#[cfg(all(feature = "otlp", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http_servers;
pub(crate) mod isolation;
pub(crate) mod journal;
#[cfg(all(target_os = "linux", feature = "journald"))]
pub(crate) mod journald;
pub(crate) mod logging_sinks;
#[cfg(all(feature = "otlp", feature = "zstd", feature = "prometheus"))]
pub(crate) mod otlp;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod outages;
pub(crate) mod peer;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_upkeep;
pub(crate) mod profile;
pub(crate) mod protocol;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod reconnects;
#[cfg(all(
    feature = "otlp",
    feature = "zstd",
    feature = "prometheus",
    feature = "postgres",
    feature = "sqlite",
    feature = "spool",
    target_os = "linux"
))]
pub(crate) mod restarts;
pub(crate) mod routes;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod server;
pub(crate) mod spool;
#[cfg(all(feature = "spool", unix))]
pub(crate) mod spool_removed;
#[cfg(feature = "spool")]
pub(crate) mod spooling;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_files;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_refusals;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_retention;
pub(crate) mod static_fields;
#[cfg(all(feature = "otlp", feature = "postgres", feature = "spool", feature = "tls", target_os = "linux"))]
pub(crate) mod stuck;
pub(crate) mod synchronous;
#[cfg(all(feature = "syslog", feature = "tls", target_os = "linux"))]
pub(crate) mod syslog;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod tcp;
pub(crate) mod terminals;
#[cfg(all(feature = "tls", target_os = "linux"))]
pub(crate) mod tls;
#[cfg(all(feature = "net", target_os = "linux"))]
pub(crate) mod unix_streams;
