//! Promise 47: each change of a sealed log is found and named.
