//! What spans hand down.
