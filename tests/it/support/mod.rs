//! What the tests share: log directories, faulty sinks, child processes, judges and generators.

pub(crate) mod any;
pub(crate) mod child;
#[cfg(all(unix, feature = "control"))]
pub(crate) mod control;
pub(crate) mod failed;
pub(crate) mod faults;
#[cfg(unix)]
pub(crate) mod fork;
pub(crate) mod golden;
#[cfg(target_os = "linux")]
pub(crate) mod growth;
#[cfg(feature = "axum")]
pub(crate) mod http;
#[cfg(all(feature = "http", feature = "gzip", feature = "zstd", feature = "prometheus"))]
pub(crate) mod http_server;
pub(crate) mod ledger;
pub(crate) mod log_directory;
pub(crate) mod places;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod sample;
#[cfg(target_os = "linux")]
pub(crate) mod seccomp;
pub(crate) mod stage;
pub(crate) mod strict;
#[cfg(unix)]
pub(crate) mod users;
pub(crate) mod wait;
pub(crate) mod witness;
