//! The few styles there are.

/// What a piece of text is; how that looks is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Column heads and titles.
    Head,
    /// What went wrong.
    Bad,
    /// What needs care.
    Warn,
    /// What went well.
    Good,
    /// What matters less.
    Dim,
    /// Names: keys of an object, labels.
    Name,
    /// Strings in JSON.
    Text,
    /// Numbers, truth values and null in JSON.
    Number,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Head => "1",
            Style::Bad => "1;31",
            Style::Warn => "33",
            Style::Good | Style::Text => "32",
            Style::Dim => "2",
            Style::Name => "34",
            Style::Number => "36",
        }
    }

    /// The sequence that turns it on.
    pub fn on(self) -> String {
        format!("\x1b[{}m", self.code())
    }

    /// The text in this style, or as it is where there are no colours.
    pub fn paint(self, text: &str, colour: bool) -> String {
        if colour && !text.is_empty() { format!("{}{text}{OFF}", self.on()) } else { text.to_owned() }
    }
}

/// The sequence that turns every style off.
pub const OFF: &str = "\x1b[0m";
