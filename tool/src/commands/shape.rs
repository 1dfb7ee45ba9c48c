//! How what was found is printed: the options for output of a command line.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU64;

use crate::show::{ColorChoice, Format, Printer};

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
    /// How lines are printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Whether they have colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

impl Shape {
    /// Returns after how many lines it stops.
    pub(super) fn limit(&self) -> u64 {
        self.limit.map_or(u64::MAX, NonZeroU64::get)
    }

    /// `are_several`: whether lines of several logs are mixed.
    pub(super) fn printer<'a, W: Write>(&self, output: &'a mut W, are_several: bool) -> Printer<'a, W> {
        let is_terminal = io::stdout().is_terminal();
        let format = self.format.unwrap_or(if is_terminal { Format::Pretty } else { Format::Raw });
        let around = if self.count { 0 } else { self.context };
        Printer::new(output, format, self.color.paint(is_terminal), are_several, around)
    }
}
