//! `spanline collect`: accepts the lines of other programs and writes them to outputs of the library.

pub(crate) mod parse;
