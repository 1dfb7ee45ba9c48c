//! What the tests share: programs to run, judges, and generators.

pub(crate) mod any;
pub(crate) mod child;
pub(crate) mod stage;
pub(crate) mod strict;
pub(crate) mod witness;
