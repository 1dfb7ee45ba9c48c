//! Values that are shown only sealed: anything `Serialize`.
//!
//! tracing gives each layer the same `Debug`. So the value shows itself only to the capture, which has to say before that it
//! formats this value: [`Written::Asked`]. All others see [`UNSEALED`], also within the text of another value.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tracing::field::DisplayValue;

use super::json::{Written, replace_written, write_json};
use crate::values::UNSEALED;

/// Whether a value was captured that is shown only sealed. Until then, no worker looks for one.
static ANY: AtomicBool = AtomicBool::new(false);

/// Returns whether any value of the process was captured that is shown only sealed.
#[inline]
pub(crate) fn any_to_seal() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// Logs a value so that only the holder of a key can read it: as a text `sealed:v1:…`.
///
/// The recipients are those of [`Builder::seal_fields`](crate::Builder::seal_fields). Without them, the value is redacted,
/// and the log complains once. The calling thread only writes the value as JSON, as for [`json`](crate::json); each output's
/// worker seals it. Other layers, such as `tracing_subscriber::fmt()`, see the text `sealed`. Do not put `?` or `%` before
/// it: the value itself is then not captured.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Card { number: &'static str, expires: &'static str }
///
/// let card = Card { number: "4111111111111111", expires: "12/29" };
/// tracing::info!(card = spanline::sealed(&card), "order paid");
/// // … "card":"sealed:v1:3QBhZ2UtZW5jcnlwdGlvbi5vcmcvdjEK…" …
/// ```
pub fn sealed<T: Serialize + ?Sized>(value: &T) -> DisplayValue<ToSeal<'_, T>> {
    tracing::field::display(ToSeal(value))
}

/// A value that is shown only sealed, made by [`sealed`].
pub struct ToSeal<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for ToSeal<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match replace_written(Written::Nothing) {
            // A value of the same size at the same place is this one in a `DisplayValue`.
            Written::Asked { address, bytes }
                if address == std::ptr::from_ref(self).cast::<()>() as usize && bytes == size_of_val(self) =>
            {
                ANY.store(true, Ordering::Relaxed);
                let _marks = MarksText;
                write_json(self.0, f).map(drop)
            }
            other => {
                replace_written(other);
                f.write_str(UNSEALED)
            }
        }
    }
}

impl<T: ?Sized> fmt::Debug for ToSeal<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(UNSEALED)
    }
}

/// Says at its end that the text is shown only sealed, also if it was cut: whatever its `Serialize` has done meanwhile.
struct MarksText;

impl Drop for MarksText {
    fn drop(&mut self) {
        replace_written(Written::ToSeal);
    }
}
