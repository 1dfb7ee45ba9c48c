//! Nothing is lost silently: the books, overflow, flush, and shutdown.

pub(crate) mod disasters;
pub(crate) mod faults;
pub(crate) mod flush;
pub(crate) mod flush_async;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod monitoring;
pub(crate) mod overflow;
pub(crate) mod repeats;
pub(crate) mod sequences;
pub(crate) mod shutdown;
