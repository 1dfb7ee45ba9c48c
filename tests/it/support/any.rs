//! Values of all types that a field can have, and the JSON expected for them.

use base64::Engine as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::stage::Given;

/// A value of any of the types that a field can have.
#[derive(Clone, Debug)]
pub(crate) enum Any {
    Empty,
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(String),
    Bytes(Vec<u8>),
    Debug(String),
    Error(String),
    Json(Value),
    /// JSON that another writer made.
    Raw(Box<RawValue>),
}

impl Any {
    pub(crate) fn given<R>(&self, with: impl FnOnce(Given<'_>) -> R) -> R {
        match self {
            Any::Empty => with(None),
            Any::Bool(value) => with(Some(value)),
            Any::I64(value) => with(Some(value)),
            Any::U64(value) => with(Some(value)),
            Any::I128(value) => with(Some(value)),
            Any::U128(value) => with(Some(value)),
            Any::F64(value) => with(Some(value)),
            Any::Str(value) => with(Some(value)),
            Any::Bytes(value) => with(Some(&value.as_slice())),
            Any::Debug(value) => with(Some(&tracing::field::debug(value))),
            Any::Error(value) => {
                let error = std::io::Error::other(value.clone());
                with(Some(&(&error as &(dyn std::error::Error + 'static))))
            }
            Any::Json(value) => with(Some(&spanline::json(value))),
            Any::Raw(value) => with(Some(&spanline::json(value))),
        }
    }

    /// The JSON expected in the line, or `None` if the field is left out.
    pub(crate) fn expected(&self) -> Option<Value> {
        let wide = |number: String| match (number.parse::<i64>(), number.parse::<u64>()) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => json!(number),
        };
        Some(match self {
            Any::Empty => return None,
            Any::Bool(value) => json!(value),
            Any::I64(value) => json!(value),
            Any::U64(value) => json!(value),
            Any::I128(value) => wide(value.to_string()),
            Any::U128(value) => wide(value.to_string()),
            Any::F64(value) if value.is_nan() => json!("NaN"),
            Any::F64(f64::INFINITY) => json!("Infinity"),
            Any::F64(f64::NEG_INFINITY) => json!("-Infinity"),
            Any::F64(value) => json!(value),
            Any::Str(value) => json!(value),
            Any::Bytes(value) => json!(base64::engine::general_purpose::STANDARD.encode(value)),
            Any::Debug(value) => json!(format!("{value:?}")),
            Any::Error(value) => json!({"message": value, "chain": []}),
            Any::Json(value) => value.clone(),
            Any::Raw(value) => serde_json::from_str(value.get()).unwrap(),
        })
    }
}

/// Calls `with` with the values as tracing wants them.
pub(crate) fn with_given<R>(values: &[(String, Any)], with: impl FnOnce(&[Given<'_>]) -> R) -> R {
    fn each<R>(left: &[(String, Any)], given: Vec<Given<'_>>, with: impl FnOnce(&[Given<'_>]) -> R) -> R {
        match left.split_first() {
            None => with(&given),
            Some(((_, value), left)) => value.given(|one| {
                let mut given: Vec<Given<'_>> = given;
                given.push(one);
                each(left, given, with)
            }),
        }
    }
    each(values, Vec::new(), with)
}

pub(crate) fn names(fields: &[(String, Any)]) -> Vec<&str> {
    fields.iter().map(|(name, _)| name.as_str()).collect()
}
