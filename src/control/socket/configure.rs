//! Requests about the whole configuration: read the file again, or take another one.
//!
//! A configuration comes twice: first it is only checked, and when all processes accept it, it is applied.

use super::super::by::By;
use super::super::handle::Handle;
use super::request::Config;
use crate::error::Error;

/// Reads the configuration again, as a reload does. Returns remarks for the one who asks.
///
/// # Errors
/// Nothing has changed: the configuration has mistakes, or cannot be applied.
pub(super) fn reload(handle: &Handle, by: &By) -> Result<Vec<String>, Error> {
    change(handle, None, by)
}

/// Checks a configuration, and applies it if it [is to be](Config::applies). Returns remarks for the one who asks.
///
/// # Errors
/// Nothing has changed: the configuration has mistakes, or cannot be applied.
pub(super) fn configure(handle: &Handle, config: &Config, by: &By) -> Result<Vec<String>, Error> {
    change(handle, Some(config), by)
}

#[cfg(feature = "config")]
fn change(handle: &Handle, config: Option<&Config>, by: &By) -> Result<Vec<String>, Error> {
    use super::super::configuration::NewText;
    let text = config.map(|Config { name, text, is_json, applies }| NewText {
        name: name.clone(),
        text: text.clone(),
        is_json: *is_json,
        is_check: !applies,
    });
    let mut fields = Vec::new();
    by.describe(&mut fields);
    handle.reconfigure(text, fields).map(|reloaded| vec![reloaded.to_string()])
}

#[cfg(not(feature = "config"))]
fn change(_: &Handle, _: Option<&Config>, _: &By) -> Result<Vec<String>, Error> {
    Err(Error::invalid("not available: the program is built without the feature `config` of spanline"))
}
