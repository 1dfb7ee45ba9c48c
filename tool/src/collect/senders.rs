//! How many senders there were: connections that sent lines, and addresses where each request or datagram may have another one.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::counts::Counts;

/// Addresses that are told apart.
const MAX_ADDRESSES: usize = 10_000;

/// Counts the addresses that sent lines.
#[derive(Debug)]
pub(super) struct Senders {
    /// `None` is that of Unix sockets.
    known: Mutex<HashSet<Option<IpAddr>>>,
    counts: Arc<Counts>,
}

impl Senders {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self { known: Mutex::default(), counts }
    }

    /// Lines have come from this address.
    #[expect(clippy::disallowed_methods, reason = "the library's way past poisoning is private")]
    pub(super) fn saw(&self, address: Option<IpAddr>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_ADDRESSES && known.insert(address) {
            self.counts.senders.add(1);
        }
    }
}
