//! The locks and the clock of the queue: the standard library's. `.ci/model` builds the queue with others, which try out
//! in what order threads may come.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::time::Instant;
