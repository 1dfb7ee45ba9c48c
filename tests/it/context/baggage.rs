//! W3C baggage: allowed keys become fields and go on; everything else is left alone.

use serde_json::json;
use spanline::propagate::{from_baggage, to_baggage};
use tracing::info;

use crate::support::stage::lines;

fn fields(allowed: &[&str], headers: &[&str]) -> serde_json::Value {
    let variables = from_baggage(allowed, headers).unwrap();
    let mut line = lines(|| variables.in_scope(|| info!("x"))).remove(0);
    let line = line.as_object_mut().unwrap();
    line.retain(|name, _| allowed.contains(&name.as_str()) || name.starts_with("key"));
    json!(line)
}

/// Source: <https://www.w3.org/TR/baggage/>, section 3.3.3 and the examples of section 3.3.
#[test]
fn allowed_members_are_decoded_and_others_skipped() {
    let example = "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue";
    assert_eq!(fields(&["key1", "key2"], &[example]), json!({"key1": "value1", "key2": "value2"}));
    let example = "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false";
    let all = json!({"userId": "Am\u{e9}lie", "serverNode": "DF 28", "isProduction": "false"});
    assert_eq!(fields(&["userId", "serverNode", "isProduction"], &[example]), all);
    assert_eq!(fields(&["userId", "a"], &["userId=1", "a=x=y,userId=2"]), json!({"userId": "2", "a": "x=y"}));
    assert_eq!(fields(&["a"], &["", " , ,A=1"]), json!({}));
}

#[test]
fn hostile_baggage_is_rejected_or_cut() {
    let long = format!("a={}", "v".repeat(1000));
    assert_eq!(fields(&["a"], &[&long])["a"].as_str().unwrap().len(), 256);
    assert_eq!(fields(&["a"], &["a=%00%0a%22,b=\"}"]), json!({"a": "\u{0}\n\""}));
    let many = vec!["k=v"; 65].join(",");
    let endless = format!("a={}", "v".repeat(9000));
    for (bad, why) in [("a", "no `=`"), (many.as_str(), "64 members"), (endless.as_str(), "8192 bytes")] {
        let error = from_baggage(&["a"], [bad]).unwrap_err().to_string();
        assert!(error.starts_with("baggage: ") && error.contains(why) && error.len() < 300, "{error}");
    }
    assert!(from_baggage(&["a"], ["a=1", &endless]).is_err());
}

#[test]
fn current_fields_are_sent_and_read_again() {
    lines(|| {
        assert_eq!(to_baggage(&["tenant"]), None);
        let text = "a,b;c=d \u{e9}%\n";
        let scope = spanline::with("tenant", text).and("attempt", 2).and("secret", "hidden");
        scope.in_scope(|| {
            let _span = tracing::info_span!("work", order = 7).entered();
            let sent = to_baggage(&["order", "tenant", "attempt", "missing"]).unwrap();
            assert_eq!(sent, "order=7,tenant=a%2Cb%3Bc%3Dd%20%C3%A9%25%0A,attempt=2");
            assert_eq!(fields(&["tenant"], &[&sent]), json!({"tenant": text}));
            spanline::with("big", "\u{e9}".repeat(5000)).in_scope(|| {
                assert_eq!(to_baggage(&["big", "order"]).unwrap(), "order=7");
            });
        });
    });
}
