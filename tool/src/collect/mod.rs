//! `spanline collect`: receives lines from other programs, and writes them to outputs of the library.
//!
//! ```text
//!  a task per connection                        │ one thread
//!                                               │
//!  socket ─► Splitter ─► parse ─► Batch ────────┼─► Writer ─► relay to all outputs ─► flush
//!              (bounded in bytes)               │                                       │
//!  socket ◄─ acknowledgement ◄──────────────────┼─────────── Outcome ◄──────────────────┘
//! ```
//!
//! 1. [`Settings`] is the command line: where to listen, where to write, limits. [`Listener`] binds a socket.
//! 2. A connection is split into frames ([`splitter`]) and parsed ([`parse`]). Nothing else reads what a sender sent. What
//!    cannot be parsed becomes a record about it ([`refused`]), so that it is written like any other line.
//! 3. A [`Batch`](batch::Batch) waits in memory that all senders share and that is bounded. Each connection has one batch
//!    under way and one behind it, so all get the same share of the outputs.
//! 4. The [`Writer`](writer::Writer) relays the batches that wait, flushes once, and compares what the outputs dropped.
//! 5. Only then a sender is told that its lines are written. If they are not, it is told so, or hears nothing.

mod accept;
mod address;
mod batch;
mod bodies;
mod bytes;
mod connections;
mod counts;
mod datagrams;
mod documents;
mod files;
mod http;
mod kernel_drops;
mod limits;
mod listener;
mod outputs;
mod parse;
mod patience;
mod refused;
mod reporter;
mod requests;
mod security;
mod senders;
mod server;
mod settings;
mod splitter;
mod stop;
mod stream;
mod token;
#[cfg(unix)]
mod unix_socket;
mod writer;

pub(crate) use server::run;
pub(crate) use settings::Settings;
