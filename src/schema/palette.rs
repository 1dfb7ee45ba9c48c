//! The colours of lines for people.

use tracing::Level;

use super::style::Style;

/// The colours of [`Console`](super::Console).
///
/// ```
/// use spanline::schema::{Console, Palette, Style};
/// use tracing::Level;
///
/// let palette = Palette::default().level(Level::INFO, Style::parse("bold cyan")?).target(Style::parse("blue")?);
/// let console = Console::new().palette(palette);
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a palette does nothing until it is given to `Console::palette`"]
pub struct Palette {
    pub(super) time: Style,
    /// From TRACE to ERROR.
    levels: [Style; 5],
    pub(super) target: Style,
    pub(super) message: Style,
    pub(super) name: Style,
    pub(super) ids: Style,
}

const DIM: Style = Style::new("\x1b[2m");

impl Default for Palette {
    fn default() -> Self {
        let level = Style::new;
        Self {
            time: DIM,
            levels: [level("\x1b[35m"), level("\x1b[34m"), level("\x1b[32m"), level("\x1b[33m"), level("\x1b[1;31m")],
            target: DIM,
            message: Style::new("\x1b[1m"),
            name: DIM,
            ids: DIM,
        }
    }
}

impl Palette {
    /// Creates a palette without colours.
    pub fn plain() -> Self {
        let plain = || Style::PLAIN;
        Self {
            time: plain(),
            levels: std::array::from_fn(|_| plain()),
            target: plain(),
            message: plain(),
            name: plain(),
            ids: plain(),
        }
    }

    /// Sets the style of a level.
    pub fn level(mut self, level: Level, style: Style) -> Self {
        if let Some(place) = self.levels.get_mut(index(level)) {
            *place = style;
        }
        self
    }

    /// Sets the style of the time.
    pub fn time(mut self, style: Style) -> Self {
        self.time = style;
        self
    }

    /// Sets the style of the target and of file and line.
    pub fn target(mut self, style: Style) -> Self {
        self.target = style;
        self
    }

    /// Sets the style of the message.
    pub fn message(mut self, style: Style) -> Self {
        self.message = style;
        self
    }

    /// Sets the style of the names of fields.
    pub fn name(mut self, style: Style) -> Self {
        self.name = style;
        self
    }

    /// Sets the style of the spans' names, the ids and what else stands at the end.
    pub fn ids(mut self, style: Style) -> Self {
        self.ids = style;
        self
    }

    pub(super) fn style_of(&self, level: Level) -> &Style {
        self.levels.get(index(level)).unwrap_or(&Style::PLAIN)
    }
}

fn index(level: Level) -> usize {
    match level {
        Level::TRACE => 0,
        Level::DEBUG => 1,
        Level::INFO => 2,
        Level::WARN => 3,
        _ => 4,
    }
}
