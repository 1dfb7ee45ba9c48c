//! Pages to read: what is longer than a doc comment and wanted on docs.rs. No code.
//!
//! A page is a file in `docs/` and a line below.

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {
        $(#[doc = include_str!(concat!("../docs/", $file))] pub mod $name {})*
    };
}

pages! {
    secrets = "secrets.md";
}
