//! What the readers make of the library's own lines, of other loggers' lines, and of hostile input.

use std::path::Path;

use chrono::FixedOffset;
use spanline::record::Timestamp;

use super::field::Field;
use super::incoming::Incoming;
use super::json::json_in;

mod golden;
mod hostile;
mod loggers;
mod otlp;
mod own_sinks;
mod relay;
mod syslog;

/// The time that lines get which have none.
const NOW: Timestamp = Timestamp::from_nanos(1_795_300_000_000_000_000);

/// The time of the golden lines, and of most others: 2026-11-20T10:15:38.123456Z.
const AT: Timestamp = Timestamp::from_nanos(1_795_169_738_123_456_000);

/// One hour east of UTC.
fn zone() -> FixedOffset {
    FixedOffset::east_opt(3600).unwrap()
}

fn read(line: &str) -> Incoming {
    json_in(line.as_bytes(), NOW, &zone()).unwrap()
}

fn golden(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/schemas").join(name);
    std::fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect()
}

impl Incoming {
    /// Returns the values of a field.
    fn all(&self, name: &str) -> Vec<&Field> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value).collect()
    }

    /// Returns the fields as `name=value`, in their order.
    fn shown(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| match value {
            Field::Text(text) => format!("{name}={text}"),
            Field::Json(json) => format!("{name}={json}"),
            Field::Bool(on) => format!("{name}={on}"),
            Field::I64(number) => format!("{name}={number}"),
            Field::U64(number) => format!("{name}={number}"),
            Field::F64(number) => format!("{name}={number:?}"),
            Field::Error(error) => format!("{name}={error}"),
            Field::Bytes(bytes) => format!("{name}={bytes:?}"),
        });
        fields.collect::<Vec<_>>().join(" ")
    }

    /// Returns what is no field: level, target, message, service, trace and span.
    fn head(&self) -> String {
        let id = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
        let (message, service) = (self.message.as_deref().unwrap_or("-"), self.service.as_deref().unwrap_or("-"));
        let (trace, span) = (id(self.trace_id.map(|id| id.to_string())), id(self.span_id.map(|id| id.to_string())));
        format!("{} {} {message} {service} {trace} {span}", self.level, self.target)
    }
}
