//! Lines in a table of a PostgreSQL database.
//!
//! # Delivery
//! A batch is one transaction with one COPY, in text format, so that the server reads each value as the type that its column
//! has. A line is written when its transaction is committed.
//!
//! # Exactly once
//! If the connection is lost during the COMMIT, its outcome is unknown. So each transaction first counts up a row of the
//! table of senders, which belongs to this sink alone. That locks the row. After such a loss, the next connection locks it,
//! which waits for the old transaction, and reads whether it was committed. Without the table of senders, such a batch is
//! sent again. Asking for the status of the transaction's id would need no table, but a server that crashes may use an id
//! twice.
//!
//! # Blocking
//! The client library runs on a runtime of one thread, the worker, and only during a call. A call ends after a tenth of a
//! second, and the next one goes on with what runs: connecting, asking, or a batch, whose lines are in flight meanwhile. Each
//! of them has a deadline. So a server that is stuck holds up no order, and a spool around the sink gets its turn.
//!
//! `address` reads the URL, `table` has the SQL, `copy` encodes rows, `session` is one connection, `upkeep` makes partitions
//! and deletes old rows, and `postgres` has the settings and the sink's protocol.

mod address;
mod copy;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod postgres;
mod session;
mod table;
mod upkeep;

pub use postgres::Postgres;
