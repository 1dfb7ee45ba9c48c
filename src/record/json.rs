//! Structured values: anything `Serialize`, logged as nested JSON.

use std::cell::Cell;
use std::fmt;
use std::io;

use serde::Serialize;
use tracing::field::DisplayValue;

thread_local! {
    /// The length of the JSON text that [`Json`] wrote last on this thread.
    ///
    /// The capture is given only a `Debug`; this is how it tells JSON from other text.
    static WRITTEN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Forgets the length of the last JSON text.
pub(super) fn forget_length() {
    let _ = WRITTEN.try_with(|written| written.set(None));
}

/// Takes the length of the last JSON text.
pub(super) fn take_length() -> Option<usize> {
    WRITTEN.try_with(Cell::take).ok().flatten()
}

/// Logs a value as nested JSON instead of text.
///
/// Other layers see the same JSON as text. A value that cannot be serialised becomes `"<format error>"`. A value too
/// large for the line becomes text that is cut.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Order { id: u32, items: Vec<&'static str> }
///
/// let order = Order { id: 7, items: vec!["tea"] };
/// tracing::info!(order = spanline::json(&order), "order loaded");
/// // … "order":{"id":7,"items":["tea"]} …
/// ```
pub fn json<T: Serialize + ?Sized>(value: &T) -> DisplayValue<Json<'_, T>> {
    tracing::field::display(Json(value))
}

/// A value that displays itself as JSON, made by [`json`].
pub struct Json<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for Json<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Adapter { f, written: 0 };
        serde_json::to_writer(&mut writer, self.0).map_err(|_| fmt::Error)?;
        let bytes = writer.written;
        let _ = WRITTEN.try_with(|written| written.set(Some(bytes)));
        Ok(())
    }
}

impl<T: ?Sized> fmt::Debug for Json<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}

/// Passes bytes on to a formatter. serde_json writes whole characters, so each piece is valid text.
struct Adapter<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    written: usize,
}

impl io::Write for Adapter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.f.write_str(text).map_err(io::Error::other)?;
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
