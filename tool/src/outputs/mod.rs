//! Where lines go, as a command line names it: `files:logs`, `console`, `sqlite:log.db`, `postgres://…`, `clickhouse://…`.

mod target;

pub(crate) use target::{Making, Target, targets};
