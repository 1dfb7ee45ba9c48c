//! Structured values: anything `Serialize`, logged as nested JSON.

use std::cell::Cell;
use std::fmt;
use std::io;

use serde::Serialize;
use tracing::field::DisplayValue;

thread_local! {
    /// What this thread's capture and the values that it formats tell each other. The capture is given only a `Debug`.
    static WRITTEN: Cell<Written> = const { Cell::new(Written::Nothing) };
}

/// What a value that is being captured has written.
#[derive(Clone, Copy, Default)]
pub(super) enum Written {
    #[default]
    Nothing,
    /// Nothing yet. The value is at this address, and has this size.
    #[cfg(feature = "sealed")]
    Asked { address: usize, bytes: usize },
    /// JSON of this length.
    Json(usize),
    /// JSON that is shown only sealed, maybe cut.
    #[cfg(feature = "sealed")]
    ToSeal,
}

/// Tells that a value is captured now. Returns what there was before: an event may be logged while a value is formatted.
#[inline]
pub(super) fn begin_value(value: &dyn fmt::Debug) -> Written {
    #[cfg(feature = "sealed")]
    let begin = Written::Asked { address: std::ptr::from_ref(value).cast::<()>() as usize, bytes: size_of_val(value) };
    #[cfg(not(feature = "sealed"))]
    let begin = Written::Nothing;
    #[cfg(not(feature = "sealed"))]
    let _ = value;
    replace_written(begin)
}

/// Returns what the value has written, and puts `before` back.
#[inline]
pub(super) fn replace_written(before: Written) -> Written {
    WRITTEN.try_with(|written| written.replace(before)).unwrap_or_default()
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
        let bytes = write_json(self.0, f)?;
        match replace_written(Written::Json(bytes)) {
            // The text remains one that is shown only sealed.
            #[cfg(feature = "sealed")]
            Written::ToSeal => drop(replace_written(Written::ToSeal)),
            _ => {}
        }
        Ok(())
    }
}

impl<T: ?Sized> fmt::Debug for Json<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}

/// Writes a value as JSON. Returns the length of the text.
pub(super) fn write_json<T: Serialize + ?Sized>(value: &T, f: &mut fmt::Formatter<'_>) -> Result<usize, fmt::Error> {
    let mut writer = Adapter { f, written: 0 };
    serde_json::to_writer(&mut writer, value).map_err(|_| fmt::Error)?;
    Ok(writer.written)
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
