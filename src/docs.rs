//! Pages to read: what is longer than a doc comment and wanted on docs.rs. No code.
//!
//! A page is a file in `docs/` and a line below.

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {
        $(#[doc = include_str!(concat!("../docs/", $file))] pub mod $name {})*
    };
}

pages! {
    context = "context.md";
    failures = "failures.md";
    promises = "promises.md";
    when_things_go_wrong = "when-things-go-wrong.md";
    schemas = "schemas.md";
    secrets = "secrets.md";
    your_own_sink = "your-own-sink.md";
}
