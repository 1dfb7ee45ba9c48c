//! The size of the terminal.

use std::env;

/// Returns how wide lines are: as `COLUMNS` says, else as the terminal says; `None` if stdout is none.
pub(crate) fn width() -> Option<usize> {
    let variable = env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
    variable.filter(|columns| *columns > 0).or_else(|| Some(usize::from(size()?.0)))
}

/// Returns the columns and rows of the terminal; `None` if stdout is none, or it does not tell.
#[cfg(unix)]
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_col, size.ws_row)).filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

#[cfg(not(unix))]
fn size() -> Option<(u16, u16)> {
    None
}
