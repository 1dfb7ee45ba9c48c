//! Which of the spans' fields are in a line.

/// Which of the spans' fields go into the line. The ids and `request_id` always do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanFields {
    /// All fields.
    #[default]
    All,
    /// The fields with these names.
    Named(Vec<String>),
    /// No fields except the ids.
    IdsOnly,
}

impl SpanFields {
    pub(super) fn lifts(&self, name: &str) -> bool {
        match self {
            SpanFields::All => true,
            SpanFields::Named(names) if names.iter().any(|other| other == name) => true,
            _ => matches!(name, "request_id" | "trace_id" | "traceparent"),
        }
    }
}
