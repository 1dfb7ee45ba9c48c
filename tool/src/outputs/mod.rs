//! Where lines go, as a command line names it: `files:logs`, `console`, `sqlite:log.db`, `postgres://…`, `clickhouse://…`.

mod target;

#[cfg(all(unix, feature = "follow"))]
pub(crate) use target::databases;
pub(crate) use target::{Making, Target, targets};
