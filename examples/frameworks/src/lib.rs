//! spanline in web frameworks: each module serves the same three paths, and `tests/frameworks.rs` sends requests to all of
//! them. The page *Web frameworks* of spanline's documentation shows their code.

pub mod actix;
pub mod poem;
pub mod reqwest;
pub mod rocket;
pub mod salvo;
pub mod warp;

/// What the handlers fail with.
pub const FAILURE: &str = "database is away";
