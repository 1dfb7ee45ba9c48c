//! The control socket: a Unix socket through which the process's own user and root ask about a running log and change it.
//!
//! A request and an answer are each a line of JSON; `docs/control.md` describes them.
//!
//! - `place` finds the directory and the name, and removes what dead processes have left.
//! - `socket` opens and closes it, and `server` moves bytes: nothing there waits for a peer.
//! - `credentials` says who a peer is, `request` reads what it wants, and `answer` does it. A request that cannot be read
//!   changes nothing.
//! - `configure` takes whole configurations.
//!
//! All of it runs on the thread `spanline-control`.

mod answer;
mod configure;
mod connection;
mod credentials;
mod place;
mod request;
mod server;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod socket;

pub(super) use server::Server;
pub(super) use socket::Socket;
