//! What is switched on.

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

/// What is switched on, besides what every line has.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) pid: bool,
    pub(super) hostname: bool,
    pub(super) thread_id: bool,
    pub(super) thread_name: bool,
    pub(super) file: bool,
    pub(super) line: bool,
    pub(super) module: bool,
    /// Whether the log is set up for backtraces; known with the first record.
    pub(super) backtrace: bool,
    pub(super) held_back: bool,
    pub(super) span_fields: SpanFields,
}
