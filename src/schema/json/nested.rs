//! Nested JSON that users logged: written again, with unique keys and the same escapes.

use super::escape::put_str;
use super::tree::{Json, Tree};

/// Deeper values are written as text: common readers stop at 128 levels, including those of the line itself.
const MAX_DEPTH: usize = 120;

/// Appends JSON text, escaped again, with the last of several equal keys; text that is not JSON becomes a string.
pub(super) fn put_json(out: &mut Vec<u8>, text: &str) {
    if Tree::of(text).and_then(|tree| try_put(out, tree.root(), MAX_DEPTH)).is_none() {
        put_str(out, text);
    }
}

fn put(out: &mut Vec<u8>, json: Json<'_>, depth: usize) {
    if try_put(out, json, depth).is_none() {
        put_str(out, json.text());
    }
}

/// Appends a value; returns `None`, and appends nothing, when it has to be text.
fn try_put(out: &mut Vec<u8>, json: Json<'_>, depth: usize) -> Option<()> {
    match json.first() {
        b'{' => {
            let members = json.members().filter(|_| depth > 0)?;
            out.push(b'{');
            for (place, (key, value)) in members.last_of_equal().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_str(out, key);
                out.push(b':');
                put(out, value, depth - 1);
            }
            out.push(b'}');
        }
        b'[' if depth > 0 => {
            out.push(b'[');
            for (place, item) in json.items().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put(out, item, depth - 1);
            }
            out.push(b']');
        }
        b'[' => return None,
        b'"' => put_str(out, &json.string()?),
        // Readers that hold numbers in 64 bits refuse the whole line for a number beyond their range.
        _ if json.text().parse::<f64>().is_ok_and(f64::is_infinite) => return None,
        _ => out.extend_from_slice(json.text().as_bytes()),
    }
    Some(())
}
