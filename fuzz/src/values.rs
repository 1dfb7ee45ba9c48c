//! Any value reads back as it went in, from an event and from a span.

use std::cell::OnceCell;

use serde_json::Value;
use spanline::schema::Flat;
use spanline::sink::Memory;
use spanline::{Output, Redact};
use tracing::{Dispatch, Level};

use crate::input::{ended, expected, value};
use crate::support::any::Any;
use crate::support::stage::{Site, fixed};
use crate::support::strict;

struct Log {
    dispatch: Dispatch,
    memory: Memory,
    event: &'static Site,
    span: &'static Site,
}

impl Log {
    fn new() -> Self {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(Flat::new());
        // Names are secret in texts that look like JSON, too.
        let builder = fixed().without_log().redact(Redact::none()).output(output);
        let (dispatch, _) = ended(builder).unwrap();
        let event = Site::event("values", Level::INFO, &["v"]);
        Self { dispatch, memory, event, span: Site::span("values", "values", &["w"]) }
    }
}

pub fn values(data: &[u8]) {
    thread_local! {
        static LOG: OnceCell<Log> = const { OnceCell::new() };
    }
    let any = value(data);
    LOG.with(|log| {
        let Log { dispatch, memory, event, span } = log.get_or_init(Log::new);
        tracing::dispatcher::with_default(dispatch, || {
            any.given(|given| {
                let span = span.open(&[given]);
                (0..2).for_each(|_| span.in_scope(|| event.log(&[given])));
            });
        });
        let text = String::from_utf8(memory.take()).unwrap();
        let lines: Vec<_> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), 2, "{text}");
        let expected = expected(&any);
        for text in lines {
            let line = strict::line(text);
            for (name, expected) in ["v", "w"].into_iter().zip(std::iter::repeat(&expected)) {
                if let Some(expected) = expected {
                    assert_eq!(line.get(name), expected.as_ref(), "{text}");
                }
            }
            if let (Any::F64(number), Some(Value::Number(read))) = (&any, line.get("v")) {
                assert_eq!(read.as_f64().map(f64::to_bits), Some(number.to_bits()), "{text}");
            }
        }
    });
}
