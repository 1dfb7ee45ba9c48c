//! The options that say how entries are printed.

use super::clock::{Times, Zone};
use super::column::Columns;
use super::format::Format;
use super::paint::{ColorChoice, Paint, Theme};
use super::pretty::Look;
use super::template::Template;
use crate::terminal::width;

/// How lines are printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct StyleArgs {
    /// How lines are printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// The columns of `--format csv`, with commas between them
    #[arg(long, value_name = "NAMES", value_parser = Columns::parse)]
    fields: Option<Columns>,
    /// The lines of `--format template`, such as `{time} {level:>5} {message} {elapsed_ms?}`
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::parse)]
    template: Option<Template>,
    /// Whether lines for people have colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
    /// Which colours they have
    #[arg(long, value_enum, value_name = "THEME", default_value_t)]
    theme: Theme,
    /// Which time they begin with
    #[arg(long, value_enum, value_name = "TIME", default_value_t)]
    time: Times,
    /// The zone of these times
    #[arg(long, value_enum, value_name = "ZONE", default_value_t)]
    time_zone: Zone,
    /// Print what is wider than the terminal without folding it
    #[arg(long)]
    wide: bool,
    /// Also print the fields that the line before of the same request has
    #[arg(long)]
    repeat: bool,
    /// Print each field on a line below the message
    #[arg(long)]
    extra: bool,
}

/// How entries are printed.
#[derive(Clone, Debug)]
pub(crate) enum Style {
    Raw,
    Json,
    Logfmt,
    Pretty(Look),
    Csv(Columns),
    Template(Template),
}

impl Style {
    /// Returns the style for people, with the defaults of all options.
    pub(crate) fn pretty(paint: Paint) -> Self {
        Self::Pretty(Look {
            paint,
            times: Times::default(),
            zone: Zone::default(),
            width: None,
            repeats: true,
            is_list: false,
        })
    }
}

impl StyleArgs {
    /// Returns the style that the options choose. `is_terminal`: whether stdout is one.
    ///
    /// # Errors
    /// An option needs another format.
    pub(crate) fn style(self, is_terminal: bool) -> Result<Style, String> {
        let default = || match (&self.fields, &self.template) {
            (Some(_), _) => Format::Csv,
            (_, Some(_)) => Format::Template,
            _ if is_terminal => Format::Pretty,
            _ => Format::Raw,
        };
        let format = self.format.unwrap_or_else(default);
        if self.fields.is_some() && format != Format::Csv {
            return Err("--fields: needs --format csv".to_owned());
        }
        if self.template.is_some() && format != Format::Template {
            return Err("--template: needs --format template".to_owned());
        }
        Ok(match format {
            Format::Raw => Style::Raw,
            Format::Json => Style::Json,
            Format::Logfmt => Style::Logfmt,
            Format::Csv => Style::Csv(self.fields.unwrap_or_default()),
            Format::Template => Style::Template(self.template.ok_or("--format template: needs --template")?),
            Format::Pretty => Style::Pretty(Look {
                paint: self.color.paint_as(self.theme, is_terminal),
                times: self.time,
                zone: self.time_zone,
                width: if self.wide || !is_terminal { None } else { width() },
                repeats: self.repeat,
                is_list: self.extra,
            }),
        })
    }
}
