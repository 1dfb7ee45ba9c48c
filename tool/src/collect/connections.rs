//! Counts connections, and turns away what is beyond the limits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::Counts;
use super::limits::Limits;

/// The open connections of all listeners.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    room: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max_per_address: usize,
    counts: Arc<Counts>,
}

/// Room for one connection.
pub(super) type Room = OwnedSemaphorePermit;

/// One open connection. It counts until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    all: Connections,
    address: Option<IpAddr>,
    _room: Room,
}

impl Connections {
    pub(super) fn new(limits: &Limits, counts: Arc<Counts>) -> Self {
        Self {
            room: Arc::new(Semaphore::new(limits.max_connections)),
            addresses: Arc::default(),
            max_per_address: limits.max_connections_per_address,
            counts,
        }
    }

    /// Waits for room for one more.
    pub(super) async fn room(&self) -> Option<Room> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Takes in a connection, unless its address has enough of them. `address`: the network of IPv6; none for a Unix socket.
    pub(super) fn open(&self, room: Room, address: Option<IpAddr>) -> Option<Open> {
        if let Some(address) = address {
            let mut addresses = self.addresses();
            let open = addresses.entry(address).or_default();
            if *open >= self.max_per_address {
                self.counts.turned_away.add(1);
                return None;
            }
            *open += 1;
        }
        self.counts.connections.add(1);
        Some(Open { all: self.clone(), address, _room: room })
    }

    #[expect(clippy::disallowed_methods, reason = "the library's way past poisoning is private")]
    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all.counts.connections.subtract(1);
        if let Some(address) = self.address
            && let Entry::Occupied(mut open) = self.all.addresses().entry(address)
        {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}
