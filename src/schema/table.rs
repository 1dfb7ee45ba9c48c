//! The schemas by name, for configuration.

use super::{Bunyan, Console, Datadog, Ecs, Flat, Gcp, Lambda, Logfmt, Nested, Otel, Schema};
use crate::error::Error;

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 12] =
    ["flat", "nested", "ecs", "gcp", "datadog", "otel", "bunyan", "lambda", "logfmt", "console", "compact", "pretty"];

/// The schema of a name, with nothing switched on: one of [`NAMES`].
///
/// ```
/// use spanline::{Output, Stdout};
///
/// Output::new(Stdout::new()).schema(spanline::schema::by_name("ecs")?);
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// # Errors
/// A name that is none of them, which the error lists.
pub fn by_name(name: &str) -> Result<Box<dyn Schema>, Error> {
    Ok(match name {
        "flat" => Box::new(Flat::new()),
        "nested" => Box::new(Nested::new()),
        "ecs" => Box::new(Ecs::new()),
        "gcp" => Box::new(Gcp::new()),
        "datadog" => Box::new(Datadog::new()),
        "otel" => Box::new(Otel::new()),
        "bunyan" => Box::new(Bunyan::new()),
        "lambda" => Box::new(Lambda::new()),
        "logfmt" => Box::new(Logfmt::new()),
        "console" => Box::new(Console::new()),
        "compact" => Box::new(Console::new().compact()),
        "pretty" => Box::new(Console::new().pretty()),
        name => {
            let names = NAMES.join(", ");
            return Err(Error::invalid(format!("`{}` is no schema; there are {names}", name.escape_debug())));
        }
    })
}
