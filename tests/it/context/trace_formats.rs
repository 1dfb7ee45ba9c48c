//! The headers of other tracing systems, against the examples of their specifications.

use proptest::prelude::*;
use spanline::propagate::{Format, TraceContext};

const ALL: [Format; 7] =
    [Format::W3c, Format::B3, Format::B3Multi, Format::CloudTrace, Format::XRay, Format::Sentry, Format::Datadog];

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn read(format: Format, headers: Pairs<'_>) -> Result<TraceContext, String> {
    TraceContext::from_headers_in(&[format], headers.iter().copied()).map_err(|error| error.to_string())
}

fn written(context: &TraceContext, format: Format) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    context.inject_in(&[format], |name, value| headers.push((name, value.to_owned())));
    headers
}

/// Reads headers and checks trace, span and sampling.
#[track_caller]
fn assert_read(format: Format, headers: Pairs<'_>, trace: &str, span: Option<&str>, is_sampled: bool) {
    let context = read(format, headers).unwrap_or_else(|error| panic!("{headers:?}: {error}"));
    let seen =
        (context.trace_id().map(|id| id.to_string()), context.span_id().map(|id| id.to_string()), context.is_sampled());
    assert_eq!(seen, (Some(trace.to_owned()), span.map(str::to_owned), is_sampled), "{headers:?}");
}

#[track_caller]
fn assert_rejected(format: Format, values: &[&str]) {
    let header = written(&TraceContext::from_traceparent(PARENT).unwrap(), format)[0].0;
    for value in values {
        let error = read(format, &[(header, value)]).expect_err(value);
        assert!(error.contains(header), "{value}: {error}");
    }
}

const PARENT: &str = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01";

/// Source: <https://github.com/openzipkin/b3-propagation>, its example of an outgoing request and the text on `b3`.
#[test]
fn b3_is_read_in_both_forms() {
    let (trace, span) = ("80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1");
    let multi = [
        ("X-B3-TraceId", trace),
        ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
        ("X-B3-SpanId", span),
        ("X-B3-Sampled", "1"),
    ];
    for format in [Format::B3, Format::B3Multi] {
        assert_read(format, &multi, trace, Some(span), true);
        assert_read(
            format,
            &[("X-B3-TraceId", trace), ("X-B3-SpanId", span), ("X-B3-Sampled", "0")],
            trace,
            Some(span),
            false,
        );
        assert_read(
            format,
            &[("X-B3-TraceId", trace), ("X-B3-SpanId", span), ("X-B3-Flags", "1")],
            trace,
            Some(span),
            true,
        );
        let single = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
        assert_read(format, &[("b3", single)], trace, Some(span), true);
        assert_read(format, &[("b3", &single[..49])], trace, Some(span), true);
        assert_read(format, &[("b3", &format!("{}-0", &single[..49]))], trace, Some(span), false);
        assert_read(format, &[("b3", &format!("{}-d", &single[..49]))], trace, Some(span), true);
        // The single header wins, and an id of 64 bits is the low half.
        let both = [("b3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1"), multi[0], multi[2]];
        assert_read(format, &both, "000000000000000064fe8b2a57d3eff7", Some(span), true);
    }
    // A decision without ids.
    assert!(read(Format::B3, &[("b3", "0")]).unwrap().is_empty());
    assert!(read(Format::B3, &[("x-b3-traceid", trace)]).unwrap_err().contains("only one of"));
    assert!(read(Format::B3, &[multi[0], multi[2], ("x-b3-sampled", "2")]).unwrap_err().contains("neither 0 nor 1"));
    let again = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-1";
    assert_rejected(
        Format::B3,
        &[
            "",
            "2",
            "80f198ee56343ba864fe8b2a57d3eff7",
            "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-2",
            "80f198ee56343ba864fe8b2a57d3eff-e457b5a2e4d86bd1",
            "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd",
            "00000000000000000000000000000000-e457b5a2e4d86bd1",
            "80f198ee56343ba864fe8b2a57d3eff7-0000000000000000",
            "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-0",
            again,
        ],
    );
}

/// Source: <https://cloud.google.com/trace/docs/trace-context>: `105445aa7843bc8bf206b12000100000/1;o=1`.
#[test]
fn the_header_of_google_cloud_is_read() {
    let trace = "105445aa7843bc8bf206b12000100000";
    fn header(value: &str) -> [(&str, &str); 1] {
        [("X-Cloud-Trace-Context", value)]
    }
    assert_read(
        Format::CloudTrace,
        &header("105445aa7843bc8bf206b12000100000/1;o=1"),
        trace,
        Some("0000000000000001"),
        true,
    );
    assert_read(
        Format::CloudTrace,
        &header("105445aa7843bc8bf206b12000100000/18446744073709551615;o=0"),
        trace,
        Some("ffffffffffffffff"),
        false,
    );
    for without_span in ["", "/", "/;o=1", "/;o=", ";o=1", ";o="] {
        assert_read(Format::CloudTrace, &header(&format!("{trace}{without_span}")), trace, None, true);
    }
    assert_read(Format::CloudTrace, &header("105445aa7843bc8bf206b12000100000/0;o=1"), trace, None, true);
    assert_rejected(
        Format::CloudTrace,
        &[
            "",
            "1/1",
            "105445aa7843bc8bf206b12000100000/+1",
            "105445aa7843bc8bf206b12000100000/18446744073709551616",
            "105445aa7843bc8bf206b12000100000/1;o=2",
            "105445aa7843bc8bf206b12000100000/1;",
            "00000000000000000000000000000000/1",
            "105445aa-7843-bc8b-f206-b12000100000/1",
        ],
    );
}

/// Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html> and, for `Self`,
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>.
#[test]
fn the_header_of_aws_is_read() {
    fn header(value: &str) -> [(&str, &str); 1] {
        [("X-Amzn-Trace-Id", value)]
    }
    let (trace, span) = ("5759e988bd862e3fe1be46a994272793", Some("53995c3f42cd8ad8"));
    let example = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    assert_read(Format::XRay, &header(example), trace, span, true);
    assert_read(Format::XRay, &header(&example.replace("Sampled=1", "Sampled=0; Lineage=1:2:3")), trace, span, false);
    assert_read(Format::XRay, &header("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?"), trace, None, true);
    let balancer = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
    assert_read(Format::XRay, &header(balancer), "67891233abcdef012345678912345678", None, true);
    assert!(read(Format::XRay, &header("Self=1-67891234-12456789abcdef012345678")).unwrap().is_empty());
    assert_rejected(
        Format::XRay,
        &[
            "Root",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-5759e98-8bd862e3fe1be46a994272793",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=1",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=2",
        ],
    );
}

/// Source: <https://develop.sentry.dev/sdk/telemetry/traces/>: `traceid-spanid-sampled`, the last part optional.
#[test]
fn the_header_of_sentry_is_read() {
    fn header(value: &str) -> [(&str, &str); 1] {
        [("sentry-trace", value)]
    }
    let (trace, span) = ("771a43a4192642f0b136d5159a501700", Some("b7ad6b7169203331"));
    for (more, is_sampled) in [("", true), ("-1", true), ("-0", false)] {
        let value = format!("{trace}-b7ad6b7169203331{more}");
        assert_read(Format::Sentry, &header(&value), trace, span, is_sampled);
    }
    assert_rejected(
        Format::Sentry,
        &[
            "",
            "771a43a4192642f0b136d5159a501700",
            "771a43a4192642f0b136d5159a501700-b7ad6b7169203331-2",
            "771a43a4192642f0b136d5159a501700-b7ad6b7169203331-1-1",
            "771a43a4192642f0-b7ad6b7169203331-1",
        ],
    );
}

/// Source: <https://docs.datadoghq.com/real_user_monitoring/>, whose example pads the trace `8448eb211c80319c` to 128
/// bits, and <https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/> for the halves of 128 bits.
#[test]
fn datadogs_headers_are_read() {
    let (low, parent) = (0x8448_eb21_1c80_319c_u64.to_string(), 0xb7ad_6b71_6920_3331_u64.to_string());
    let ids = [("x-datadog-trace-id", low.as_str()), ("x-datadog-parent-id", parent.as_str())];
    let span = Some("b7ad6b7169203331");
    let with = |more: &[(&'static str, &'static str)]| [&ids[..], more].concat();
    assert_read(Format::Datadog, &ids, "00000000000000008448eb211c80319c", span, true);
    for (priority, is_sampled) in [("-1", false), ("0", false), ("1", true), ("2", true)] {
        let headers = with(&[
            ("x-datadog-sampling-priority", priority),
            ("x-datadog-tags", "_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000"),
        ]);
        assert_read(Format::Datadog, &headers, "640cfd8d000000008448eb211c80319c", span, is_sampled);
    }
    assert_read(Format::Datadog, &ids[..1], "00000000000000008448eb211c80319c", None, true);
    assert!(read(Format::Datadog, &ids[1..]).unwrap().is_empty());
    assert!(read(Format::Datadog, &with(&[("x-datadog-sampling-priority", "3")])).is_err());
    assert!(read(Format::Datadog, &with(&[("x-datadog-tags", "_dd.p.tid=640cfd8d")])).is_err());
    assert_rejected(Format::Datadog, &["", "0", "-1", "8448eb211c80319c", "18446744073709551616"]);
}

#[test]
fn each_format_reads_what_it_writes() {
    for parent in [PARENT, "00-000000000000000064fe8b2a57d3eff7-0000000000000001-00"] {
        let context = TraceContext::from_traceparent(parent).unwrap().with_request_id("r-1").unwrap();
        for format in ALL {
            let headers = written(&context, format);
            let again = TraceContext::from_headers_in(&[format], headers.iter().map(|(name, value)| (name, value)));
            assert_eq!(again.unwrap(), context, "{headers:?}");
        }
    }
    let exact = |format| written(&TraceContext::from_traceparent(PARENT).unwrap(), format);
    assert_eq!(exact(Format::B3), [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1".to_owned())]);
    let xray = "Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Parent=e457b5a2e4d86bd1;Sampled=1";
    assert_eq!(exact(Format::XRay), [("x-amzn-trace-id", xray.to_owned())]);
    let cloud = format!("80f198ee56343ba864fe8b2a57d3eff7/{};o=1", 0xe457_b5a2_e4d8_6bd1_u64);
    assert_eq!(exact(Format::CloudTrace), [("x-cloud-trace-context", cloud)]);
}

#[test]
fn the_first_format_that_names_a_trace_counts() {
    let headers = [("traceparent", PARENT), ("sentry-trace", "771a43a4192642f0b136d5159a501700-b7ad6b7169203331")];
    let trace = |formats: &[Format]| {
        TraceContext::from_headers_in(formats, headers).unwrap().trace_id().map(|id| id.to_string())
    };
    assert_eq!(trace(&[Format::W3c, Format::Sentry]).unwrap(), "80f198ee56343ba864fe8b2a57d3eff7");
    assert_eq!(trace(&[Format::B3, Format::Sentry, Format::W3c]).unwrap(), "771a43a4192642f0b136d5159a501700");
    assert_eq!(trace(&[Format::Datadog]), None);
    assert_eq!(trace(&[]), None);
}

#[test]
fn a_header_that_is_doubled_or_endless_is_rejected() {
    let headers = [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1"); 2];
    let error = TraceContext::from_headers_in(&[Format::B3], headers).unwrap_err().to_string();
    assert!(error.contains("more than once"), "{error}");
    let error = read(Format::XRay, &[("x-amzn-trace-id", &"a=b;".repeat(10_000))]).unwrap_err();
    assert!(error.contains("longer than 1024 bytes") && error.len() < 300, "{error}");
}

proptest! {
    /// Any bytes are read or rejected, and what was read is written and read again as the same.
    #[test]
    fn headers_of_any_bytes_are_read_or_rejected_in_each_format(
        values in prop::collection::vec("[0-9a-fS;=/,.?_%-]{0,70}|\\PC{0,20}", 6),
        which in 0_usize..7,
    ) {
        let names = [
            &["traceparent"][..],
            &["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"],
            &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"],
            &["x-cloud-trace-context"],
            &["x-amzn-trace-id"],
            &["sentry-trace"],
            &["x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags"],
        ];
        let headers = names[which].iter().copied().zip(&values);
        if let Ok(context) = TraceContext::from_headers_in(&[ALL[which]], headers) {
            let again = TraceContext::from_headers_in(&[ALL[which]], written(&context, ALL[which])).unwrap();
            prop_assert!(again == context || again.is_empty() && context.span_id().is_none());
        }
    }
}
