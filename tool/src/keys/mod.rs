//! `spanline follow` on a terminal: lines on the screen, and what keys do with them.
//!
//! ```text
//! follow's loop ─► Desk ─┬─► Kept ─► Board (filter, rows, selection) ─► draw ─► Terminal
//!                        └── keys ──► press ──┘
//! ```
//!
//! A bounded number of lines is [kept](kept). A filter that is typed applies to all of them at once. Lines are rendered when
//! they come, as without keys, and drawn cell by cell, so that nothing in them controls the terminal. The [terminal] is restored
//! at the end, after a panic, and before the process stops.

mod board;
mod desk;
mod draw;
mod kept;
mod page;
mod press;
mod rows;
mod styled;
mod terminal;
mod typed;
mod window;

pub(crate) use desk::{Desk, is_possible};
