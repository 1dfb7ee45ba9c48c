//! Events by service: those of the log itself, and those of other services whose records it passes on.
//!
//! The log's own events are counted by its queues: see `queue::emitted`. Only records of other services are counted here.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use tracing::Level;

use crate::fork::{AtFork, Paused, Rank};
use crate::metrics::{ByLevel, ServiceMetrics};
use crate::sync;

/// The number of other services that are told apart. What a peer sends must not take memory or make series without limit.
const MAX_SERVICES: usize = 256;

/// A longer name counts as [`OTHER`].
const MAX_NAME_BYTES: usize = 128;

/// Services for which there is no room.
const OTHER: &str = "other";

/// Events of other services, by name.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<BTreeMap<Box<str>, ByLevel>>);

impl Services {
    /// Counts an event of another service, once, however many outputs it goes to.
    ///
    /// Its queues must not count it too: push it by `Outputs::push_by` with `is_first` false for each.
    pub(crate) fn count(&self, service: &str, level: Level) {
        let mut counts = sync::lock(&self.0);
        let name = match counts.len() {
            _ if service.len() > MAX_NAME_BYTES => OTHER,
            MAX_SERVICES.. if !counts.contains_key(service) => OTHER,
            _ => service,
        };
        match counts.get_mut(name) {
            Some(count) => count.add(level, 1),
            None => counts.entry(name.into()).or_default().add(level, 1),
        }
    }

    /// Returns the events of all services. `own` are those of the log, whose service is `name`.
    pub(crate) fn with_own(&self, name: &str, own: ByLevel) -> Vec<ServiceMetrics> {
        let mut counts = sync::lock(&self.0).clone();
        let count = counts.entry(name.into()).or_default();
        *count = count.plus(own);
        counts.into_iter().map(|(service, events)| ServiceMetrics { service: service.into(), events }).collect()
    }
}

/// A child counts from zero.
impl AtFork for Services {
    fn rank(&self) -> Rank {
        Rank::Services
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut counts = sync::lock(&self.0);
        Box::new(move || counts.clear())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_all_services_are_one() {
        let services = Services::default();
        (0..MAX_SERVICES + 10).for_each(|number| services.count(&format!("service-{number}"), Level::INFO));
        services.count("service-0", Level::WARN);
        services.count(&"long".repeat(MAX_NAME_BYTES), Level::WARN);
        let mut own = ByLevel::default();
        own.add(Level::ERROR, 3);
        let all = services.with_own("service-1", own);
        let of = |name: &str| all.iter().find(|one| one.service == name).map(|one| one.events).unwrap();
        assert_eq!(all.len(), MAX_SERVICES + 1);
        assert_eq!((of(OTHER).level(Level::INFO), of(OTHER).level(Level::WARN)), (10, 1));
        assert_eq!((of("service-0").level(Level::INFO), of("service-0").level(Level::WARN)), (1, 1));
        assert_eq!((of("service-1").level(Level::INFO), of("service-1").level(Level::ERROR)), (1, 3));
    }
}
