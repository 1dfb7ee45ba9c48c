//! What the user adds and decides. A hook that panics has said nothing, so that it harms no request.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{HeaderName, request, response};

use super::exchange::Finished;
use crate::context::Dynamic;
use crate::record::{Value, discard};

/// Fields that a hook adds to a request's span or to its line.
#[derive(Debug, Default)]
pub struct Fields {
    pub(super) fields: Dynamic,
}

impl Fields {
    /// Adds a field, under the rules of any other; of equal names the last counts.
    pub fn add<'v>(&mut self, name: &str, value: impl Into<Value<'v>>) {
        self.fields.put(name, &value.into());
    }
}

type Route = dyn Fn(&request::Parts) -> Option<String> + Send + Sync;
type OnRequest = dyn Fn(&request::Parts, &mut Fields) + Send + Sync;
type OnResponse = dyn Fn(&response::Parts, &mut Fields) + Send + Sync;
type LogWhen = dyn Fn(&Finished<'_>) -> bool + Send + Sync;

/// What a [`ServerLayer`](super::ServerLayer) was told.
#[derive(Clone)]
pub(super) struct Hooks {
    pub(super) request_id: HeaderName,
    pub(super) route: Option<Arc<Route>>,
    pub(super) on_request: Option<Arc<OnRequest>>,
    pub(super) on_response: Option<Arc<OnResponse>>,
    pub(super) log_when: Option<Arc<LogWhen>>,
}

impl Default for Hooks {
    fn default() -> Self {
        let request_id = HeaderName::from_static("x-request-id");
        Self { request_id, route: None, on_request: None, on_response: None, log_when: None }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl Hooks {
    /// The route that was matched, as the hook or the framework says.
    pub(super) fn route(&self, parts: &request::Parts) -> Option<String> {
        match &self.route {
            Some(hook) => caught(|| hook(parts)).flatten(),
            #[cfg(feature = "axum")]
            None => super::in_axum::matched_route(parts),
            #[cfg(not(feature = "axum"))]
            None => None,
        }
    }

    pub(super) fn request_fields(&self, parts: &request::Parts) -> Dynamic {
        added(self.on_request.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields)))
    }

    pub(super) fn response_fields(&self, parts: &response::Parts) -> Dynamic {
        added(self.on_response.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields)))
    }

    /// Whether a line is wanted; in doubt it is.
    pub(super) fn wants(&self, finished: &Finished<'_>) -> bool {
        self.log_when.as_ref().is_none_or(|hook| caught(|| hook(finished)).unwrap_or(true))
    }
}

fn added(hook: Option<impl FnOnce(&mut Fields)>) -> Dynamic {
    let mut fields = Fields::default();
    if let Some(hook) = hook {
        let _ = caught(|| hook(&mut fields));
    }
    fields.fields
}

fn caught<T>(hook: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(discard).ok()
}
