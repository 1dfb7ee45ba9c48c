//! The client of the control sockets: finds the processes, asks all of them at the same time, and prints a row for each.

mod ask;
mod find;
mod rows;
mod select;

#[cfg(feature = "config")]
pub(crate) use ask::config_request;
pub(crate) use ask::{Reply, ask_all, request};
pub(crate) use find::Process;
pub(crate) use rows::{finish, pid_of, print, table};
pub(crate) use select::Select;
