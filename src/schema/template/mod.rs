//! Lines as a text describes them: `parse` reads the text, `part` writes what its placeholders name, `template` describes
//! the whole line to the engine. `nodes` answers what a template names, `write` applies widths and styles.

mod nodes;
mod parse;
mod part;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod template;
mod time_text;
mod write;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) use part::Part;
pub use template::Template;
