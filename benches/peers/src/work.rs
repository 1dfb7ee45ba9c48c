//! What is logged: the values of one order and its request, the same for every peer.

use std::hint::black_box;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The target of every line.
pub const TARGET: &str = "orders";
/// The message of every line; lines are counted by it.
pub const MESSAGE: &str = "order loaded";
/// Events in a W1c cycle.
pub const EVENTS_PER_CYCLE: u64 = 5;
/// Events of a request.
pub const EVENTS_PER_REQUEST: u64 = 3;

/// The fields of the event.
pub struct Order {
    pub user_id: u64,
    pub elapsed_ms: f64,
    pub cached: bool,
    pub sku: &'static str,
}

/// The fields of the outer span, `request`.
pub struct Request {
    pub request_id: &'static str,
    pub trace_id: &'static str,
    pub method: &'static str,
    pub path: &'static str,
}

/// The fields of the inner span, `db`.
pub struct Query {
    pub table: &'static str,
    pub attempt: u64,
}

static ORDER: Order = Order { user_id: 42, elapsed_ms: 3.25, cached: true, sku: "AB-1234" };
static REQUEST: Request = Request {
    request_id: "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11",
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
    method: "GET",
    path: "/api/orders/42",
};
static QUERY: Query = Query { table: "orders", attempt: 1 };

/// Values that the compiler does not know, so that no peer renders them at compile time.
#[inline(always)]
pub fn order() -> &'static Order {
    black_box(&ORDER)
}

#[inline(always)]
pub fn request() -> &'static Request {
    black_box(&REQUEST)
}

#[inline(always)]
pub fn query() -> &'static Query {
    black_box(&QUERY)
}

/// A text of 4 KiB beyond ASCII.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| filled("Заказ не загружен: соединение с базой данных потеряно. "));
    black_box(&TEXT)
}

/// 4 KiB of quotes.
pub fn quotes() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| filled("\""));
    black_box(&TEXT)
}

/// A text of 256 KiB.
pub fn large() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| "0123456789abcdef".repeat(16_384));
    black_box(&TEXT)
}

fn filled(part: &str) -> String {
    part.repeat(4096 / part.len())
}

/// One step of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
pub enum Work {
    /// A disabled event.
    W0,
    /// An event inside two entered spans.
    W1e,
    /// Both spans opened, five events, both spans closed.
    W1c,
    /// An event outside spans.
    W2,
    /// An existing span entered and left.
    W3,
    /// An instrumented future, polled twenty times, with two events.
    W4,
    /// An instrumented future, polled a hundred times, with one event.
    Poll,
    /// A span opened and closed.
    Span,
    /// The same inside the two spans.
    SpanInside,
    /// A field recorded on a span, and an event inside it.
    Record,
    /// A thousand spans in turn, each entered for one event.
    Turns,
    /// W1e inside ten spans.
    Deep,
    /// W1e while ten thousand other spans are open.
    Open,
    /// A request: a span of seven fields, one of them recorded at its end, with three events.
    Request,
    /// W1e, as each schema has it.
    Schemas,
    /// W1e under edits of the line.
    Edits,
    /// A record of the `log` crate, outside spans.
    LogRecord,
    /// An event with a text of 4 KiB beyond ASCII.
    Text,
    /// An event with 4 KiB of quotes.
    Quotes,
    /// W1e while another thread logs a text of 256 KiB every 300 µs.
    Large,
    /// Nothing at all: what the measuring costs.
    Nothing,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::W0 => "W0",
            Self::W1e => "W1e",
            Self::W1c => "W1c",
            Self::W2 => "W2",
            Self::W3 => "W3",
            Self::W4 => "W4",
            Self::Poll => "poll",
            Self::Span => "span",
            Self::SpanInside => "span-inside",
            Self::Record => "record",
            Self::Turns => "turns",
            Self::Deep => "W1e-10-spans",
            Self::Open => "W1e-10000-open",
            Self::Request => "request",
            Self::Schemas => "schemas",
            Self::Edits => "edits",
            Self::LogRecord => "log-record",
            Self::Text => "text",
            Self::Quotes => "quotes",
            Self::Large => "large",
            Self::Nothing => "nothing",
        }
    }

    /// Lines that one step logs.
    pub fn lines(self) -> u64 {
        match self {
            Self::W0 | Self::W3 | Self::Span | Self::SpanInside | Self::Nothing => 0,
            Self::W1c => EVENTS_PER_CYCLE,
            Self::W4 => 2,
            Self::Request => EVENTS_PER_REQUEST,
            Self::W1e | Self::W2 | Self::Deep | Self::Open | Self::Schemas | Self::Edits | Self::Large => 1,
            Self::Poll | Self::Record | Self::Turns | Self::LogRecord | Self::Text | Self::Quotes => 1,
        }
    }
}
