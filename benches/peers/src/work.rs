//! What is logged: the values of one order and its request, the same for every peer.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

/// The target of every line.
pub const TARGET: &str = "orders";
/// The message of every line; lines are counted by it.
pub const MESSAGE: &str = "order loaded";
/// Events in a W1c cycle.
pub const EVENTS_PER_CYCLE: u64 = 5;

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
    /// W1e inside ten spans.
    Deep,
    /// W1e while ten thousand other spans are open.
    Open,
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
            Self::Deep => "W1e-10-spans",
            Self::Open => "W1e-10000-open",
            Self::Nothing => "nothing",
        }
    }

    /// Lines that one step logs.
    pub fn lines(self) -> u64 {
        match self {
            Self::W0 | Self::W3 | Self::Nothing => 0,
            Self::W1c => EVENTS_PER_CYCLE,
            Self::W4 => 2,
            Self::W1e | Self::W2 | Self::Deep | Self::Open => 1,
        }
    }
}
