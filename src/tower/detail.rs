//! Detail for one request, which a header asks for and the program grants.
//!
//! The grant is on the node of the request's span. Filters ask for it in call sites that they alone would hide.

use std::fmt;
use std::sync::Arc;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, request};
use tracing::{Level, Span};

use super::hooks::caught;
use crate::context::Grant;
use crate::error::Error;
use crate::filter::{Directives, FilterSetting, IntoFilter, allow_grants};
use crate::layer::{grant, with_current};

/// More lines about one request: a level, or levels of targets.
///
/// [`ServerLayer::detail_header`](super::ServerLayer::detail_header) grants it.
///
/// ```
/// use spanline::tower::Detail;
///
/// Detail::new("debug")?;
/// Detail::new("info,orders::db=trace,hyper=off")?;
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Detail(Arc<Directives>);

impl Detail {
    /// Reads a level for all targets, or directives as in a [filter](crate::Builder::filter).
    ///
    /// # Errors
    /// There is a mistake in a directive, or a directive for spans: the request is the span.
    pub fn new(filter: impl IntoFilter) -> Result<Self, Error> {
        let directives = FilterSetting::new(filter).parse()?;
        if directives.names_spans() {
            return Err(Error::invalid(
                "detail for a request cannot name spans; expected a level or targets, as in `info,orders::db=debug`",
            ));
        }
        Ok(Self(Arc::new(directives)))
    }
}

/// What a request was granted, and by which value.
struct Granted {
    detail: Detail,
    value: HeaderValue,
}

/// Does not show the value, which may be a secret.
impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("detail", &self.detail).finish_non_exhaustive()
    }
}

impl Grant for Granted {
    fn enables(&self, target: &str, level: Level) -> bool {
        self.detail.0.enables(target, level)
    }

    fn token(&self) -> &[u8] {
        self.value.as_bytes()
    }
}

/// Decides about a value of the header.
type Check = dyn Fn(&HeaderValue, &request::Parts) -> Option<Detail> + Send + Sync;

/// A header that asks for detail, and the program's decision.
#[derive(Clone)]
pub(super) struct DetailHeader {
    name: HeaderName,
    check: Arc<Check>,
}

impl DetailHeader {
    pub(super) fn new(
        name: HeaderName,
        check: impl Fn(&HeaderValue, &request::Parts) -> Option<Detail> + Send + Sync + 'static,
    ) -> Self {
        Self { name, check: Arc::new(check) }
    }

    /// Grants the span of a request what its header asks for, if the program agrees. Two values are none.
    pub(super) fn grant(&self, parts: &mut request::Parts, span: &Span) {
        if let Entry::Occupied(mut values) = parts.headers.entry(&self.name) {
            // A program that logs the headers does not show them.
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
        let mut values = parts.headers.get_all(&self.name).iter();
        let (Some(value), None) = (values.next().cloned(), values.next()) else { return };
        if let Some(detail) = caught(|| (self.check)(&value, parts)).flatten() {
            let most = detail.0.max_level();
            if grant(span, &(Arc::new(Granted { detail, value }) as Arc<dyn Grant>)) {
                allow_grants(most);
            }
        }
    }
}

/// Makes the value for the next service from the one that granted the detail.
type MakeValue = dyn Fn(&HeaderValue) -> Option<HeaderValue> + Send + Sync;

/// A header that passes on the detail.
#[derive(Clone)]
pub(super) struct PassedDetail {
    name: HeaderName,
    make: Arc<MakeValue>,
}

impl fmt::Debug for PassedDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassedDetail").field(&self.name).finish()
    }
}

impl PassedDetail {
    pub(super) fn new(
        name: HeaderName,
        make: impl Fn(&HeaderValue) -> Option<HeaderValue> + Send + Sync + 'static,
    ) -> Self {
        Self { name, make: Arc::new(make) }
    }

    /// Adds the header if the current request was granted detail.
    pub(super) fn inject(&self, headers: &mut HeaderMap) {
        let granted = with_current(|context| context.granted().map(Arc::clone)).flatten();
        let Some(granted) = granted else { return };
        let received = HeaderValue::from_bytes(granted.token()).ok();
        if let Some(mut value) = received.and_then(|value| caught(|| (self.make)(&value)).flatten()) {
            value.set_sensitive(true);
            headers.insert(self.name.clone(), value);
        }
    }
}
