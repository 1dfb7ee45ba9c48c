//! Guides that are too long for a doc comment. This module has no code.
//!
//! Each page is a file in the repository's folder `docs/`.

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
}
