//! `X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>. A load
//! balancer adds `Self=…`, and services add other members. They are skipped.

use super::Ids;
use super::format::Found;
use crate::context::{SpanId, TraceId};

pub(super) const HEADER: &str = "x-amzn-trace-id";

pub(super) fn read(text: &str) -> Found {
    let (mut trace, mut span, mut is_sampled) = (None, None, true);
    for member in text.split(';').map(str::trim).filter(|member| !member.is_empty()) {
        let (key, value) = member.split_once('=').ok_or("a member has no `=`")?;
        match key {
            "Root" if trace.is_some() => return Err("it has more than one Root"),
            "Root" => trace = Some(root(value).ok_or("Root is not `1-`, 8 hex digits, `-` and 24 hex digits")?),
            "Parent" => span = Some(SpanId::parse(value).ok_or("Parent is not 16 hex digits, or all zeros")?),
            "Sampled" => match value {
                "1" | "?" | "" => {}
                "0" => is_sampled = false,
                _ => return Err("Sampled is none of 0, 1 and ?"),
            },
            _ => {}
        }
    }
    Ok(trace.map(|trace| Ids { trace, span, is_sampled }))
}

fn root(text: &str) -> Option<TraceId> {
    let (time, rest) = text.strip_prefix("1-")?.split_once('-')?;
    let is_whole = time.len() == 8 && rest.len() == 24 && !rest.contains('-');
    TraceId::parse(&format!("{time}{rest}")).filter(|_| is_whole)
}

pub(super) fn text(ids: Ids) -> String {
    let trace = ids.trace.to_string();
    let (time, rest) = trace.split_at(8);
    let parent = ids.span.map(|span| format!(";Parent={span}")).unwrap_or_default();
    format!("Root=1-{time}-{rest}{parent};Sampled={}", ids.flags())
}
