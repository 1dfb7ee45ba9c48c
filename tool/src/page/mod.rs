//! The frame of pages for browsers: one file each, which loads nothing and runs nothing but its own script.
//!
//! - [`Html`] takes markup from the program only; every other text is escaped.
//! - [`Page`] adds the head: a policy that allows only the page's style and script, by their hashes, and colours for light
//!   and dark.
//!
//! A page is readable without its script. What logs contain can neither end an element nor start one, nor change the
//! direction of the text around it.

mod file;
mod frame;
mod html;

pub(crate) use file::{is_refused, write_page};
pub(crate) use frame::Page;
pub(crate) use html::Html;
