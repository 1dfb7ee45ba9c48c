//! The moments of a span's life at which it can log a line.

/// A moment of a span's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanMoment {
    New,
    Enter,
    Exit,
    Close,
}

impl SpanMoment {
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Enter, Self::Exit, Self::Close];

    /// Returns the message of its lines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Enter => "enter",
            Self::Exit => "exit",
            Self::Close => "close",
        }
    }

    /// Returns the moment whose lines have this message.
    pub(crate) fn of_message(message: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|moment| moment.as_str() == message)
    }
}

/// Some moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanMoments(u8);

impl SpanMoments {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn contains(self, moment: SpanMoment) -> bool {
        self.0 >> moment as u8 & 1 == 1
    }
}

impl FromIterator<SpanMoment> for SpanMoments {
    fn from_iter<I: IntoIterator<Item = SpanMoment>>(moments: I) -> Self {
        Self(moments.into_iter().fold(0, |set, moment| set | 1 << moment as u8))
    }
}
