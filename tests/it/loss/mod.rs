//! Loss: the books, overflow, flush, shutdown, and faults of every kind.

pub(crate) mod books;
pub(crate) mod early_end;
pub(crate) mod events;
pub(crate) mod flush;
pub(crate) mod flush_async;
pub(crate) mod load;
pub(crate) mod metrics;
pub(crate) mod overflow;
pub(crate) mod random_sequences;
pub(crate) mod rate_limit;
pub(crate) mod repeats;
pub(crate) mod sampling;
pub(crate) mod shutdown;
pub(crate) mod system_faults;
