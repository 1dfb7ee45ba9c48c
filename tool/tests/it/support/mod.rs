//! What the tests of the library have, too: a PostgreSQL server.
#![allow(dead_code)]

#[path = "../../../../tests/it/support/postgres.rs"]
pub(crate) mod postgres;
#[path = "../../../../tests/it/support/users.rs"]
pub(crate) mod users;
#[path = "../../../../tests/it/support/wait.rs"]
pub(crate) mod wait;
