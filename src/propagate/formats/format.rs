//! The list of formats, and which headers each of them has.

use super::{Ids, Why, b3, cloud_trace, datadog, sentry, xray};

/// A format of trace headers.
///
/// [`TraceContext::from_headers_in`](super::super::TraceContext::from_headers_in) and
/// [`inject_in`](super::super::TraceContext::inject_in) take lists of them. So do the layers of `spanline::tower`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// W3C Trace Context: `traceparent` and `tracestate`.
    W3c,
    /// B3 of Zipkin: reads the header `b3` or the headers `x-b3-…`, and writes `b3`.
    B3,
    /// B3 of Zipkin: reads the same, and writes the headers `x-b3-…`.
    B3Multi,
    /// `x-cloud-trace-context` of Google Cloud.
    CloudTrace,
    /// `x-amzn-trace-id` of AWS X-Ray and its load balancers.
    XRay,
    /// `sentry-trace`.
    Sentry,
    /// The headers `x-datadog-…`, with the high half of the trace id in `x-datadog-tags`.
    Datadog,
}

/// The value of each header of a format, in the order of [`Format::headers`]; `None` where it is absent.
pub(in super::super) type Headers<'a> = [Option<&'a str>; 5];

/// What a format's headers say.
pub(in super::super) type Found = Result<Option<Ids>, Why>;

impl Format {
    /// Returns the names of its headers, in lower case.
    pub(crate) fn headers(self) -> &'static [&'static str] {
        match self {
            Self::W3c => &["traceparent", "tracestate"],
            Self::B3 | Self::B3Multi => b3::HEADERS,
            Self::CloudTrace => &[cloud_trace::HEADER],
            Self::XRay => &[xray::HEADER],
            Self::Sentry => &[sentry::HEADER],
            Self::Datadog => datadog::HEADERS,
        }
    }

    /// Returns whether it is not written where only the trace is known.
    #[cfg(feature = "tower")]
    pub(crate) fn needs_span(self) -> bool {
        !matches!(self, Self::CloudTrace | Self::XRay | Self::Datadog)
    }

    /// Reads the ids. `W3c` is read elsewhere, because it has more than ids.
    pub(in super::super) fn read(self, headers: &Headers<'_>) -> Found {
        let only = |read: fn(&str) -> Found| headers[0].map_or(Ok(None), read);
        match self {
            Self::W3c => Ok(None),
            Self::B3 | Self::B3Multi => b3::read(headers),
            Self::CloudTrace => only(cloud_trace::read),
            Self::XRay => only(xray::read),
            Self::Sentry => only(sentry::read),
            Self::Datadog => datadog::read(headers),
        }
    }

    /// Writes the ids as headers.
    pub(in super::super) fn write(self, ids: Ids, put: &mut dyn FnMut(&'static str, &str)) {
        match self {
            Self::W3c => {}
            Self::B3 => b3::write(ids, put),
            Self::B3Multi => b3::write_multi(ids, put),
            Self::CloudTrace => put(cloud_trace::HEADER, &cloud_trace::text(ids)),
            Self::XRay => put(xray::HEADER, &xray::text(ids)),
            Self::Sentry => sentry::write(ids, put),
            Self::Datadog => datadog::write(ids, put),
        }
    }
}
