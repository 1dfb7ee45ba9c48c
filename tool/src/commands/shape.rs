//! How what was found is printed: the options for output of a command line.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU64;

use crate::show::{Printer, Rounds, Style, StyleArgs};

/// How it is printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Shape {
    /// Also print this many lines before and behind each line found
    #[arg(long, short = 'C', value_name = "LINES", default_value_t = 0, hide_default_value = true)]
    context: usize,
    /// Stop after this many lines were found
    #[arg(long, value_name = "LINES")]
    limit: Option<NonZeroU64>,
    /// Print only how many lines were found
    #[arg(long)]
    pub(super) count: bool,
    #[command(flatten)]
    style: StyleArgs,
}

/// What the options have chosen.
pub(super) struct Shaped {
    style: Style,
    around: usize,
}

impl Shape {
    /// Returns after how many lines it stops.
    pub(super) fn limit(&self) -> u64 {
        self.limit.map_or(u64::MAX, NonZeroU64::get)
    }

    /// Returns whether lines around those that are found are printed.
    pub(super) fn has_context(&self) -> bool {
        self.context > 0 && !self.count
    }

    /// Returns what was chosen.
    ///
    /// # Errors
    /// Options contradict each other.
    pub(super) fn style(self) -> Result<Shaped, String> {
        let style = self.style.style(io::stdout().is_terminal())?;
        Ok(Shaped { style, around: if self.count { 0 } else { self.context } })
    }
}

impl Shaped {
    /// Returns what lines for people are like; `None` if they are for programs, or lines around them are asked for.
    #[cfg(all(unix, feature = "keys"))]
    pub(super) fn look(&self) -> Option<crate::show::Look> {
        match &self.style {
            Style::Pretty(look) if self.around == 0 => Some(*look),
            _ => None,
        }
    }

    /// Returns what prints lines without those around them. `are_several`: whether lines of several logs are mixed.
    pub(super) fn rounds(self, are_several: bool) -> Rounds {
        Rounds::new(self.style, are_several)
    }

    /// `are_several`: whether lines of several logs are mixed.
    pub(super) fn printer<W: Write>(self, output: &mut W, are_several: bool) -> Printer<'_, W> {
        Printer::new(output, self.style, are_several, self.around)
    }
}
