#![doc = include_str!("../README.md")]

mod appender;
mod builder;
mod complaint;
mod context;
mod error;
mod filter;
mod layer;
mod metrics;
mod queue;
mod record;
pub mod rotation;
pub mod schema;
pub mod sink;
mod worker;

pub use appender::{Appender, LineWriter};
pub use builder::{
    Builder, DEFAULT_MAX_BYTES, DEFAULT_MAX_LINE_BYTES, DEFAULT_SHUTDOWN_CAP, DEFAULT_SHUTDOWN_TIMEOUT, Guard, Handle,
    Output, Unwritten, builder, init,
};
pub use context::{Context, ContextKey, SpanId, SpanView, TraceId};
pub use error::Error;
pub use layer::{Layer, SpanExt};
pub use metrics::{ByLevel, Dropped, Metrics, OutputMetrics, Reason};
pub use queue::{DEFAULT_MAX_WAIT, Overflow};
pub use record::{ErrorChain, Json, Record, Thread, Timestamp, Value, json};
pub use schema::{Color, Console, Flat, Schema};
pub use sink::{Memory, RollingFile, Sink, Stderr, Stdout, Writer};
