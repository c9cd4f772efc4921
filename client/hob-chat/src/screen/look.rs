//! How it looks: signs and styles. Everything can be told apart without colour; colour only helps.

use ratatui::style::{Color, Modifier, Style};

use super::talk::Mark;
use super::text::Charset;

/// The signs that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs {
    /// A line across, a line down, and where they meet from below, above and right.
    pub across: &'static str,
    pub down: &'static str,
    pub joint_above: &'static str,
    pub joint_below: &'static str,
    pub joint_cross: &'static str,
    pub joint_right: &'static str,
    pub corners: [&'static str; 4],
    /// Left of what is chosen.
    pub chosen: &'static str,
    /// Left of what is quoted.
    pub quoted: &'static str,
    /// Where something was cut.
    pub more: &'static str,
    /// Between two things on one line.
    pub dot: &'static str,
    /// Connected, or not.
    pub on: &'static str,
    pub off: &'static str,
    /// Something that happened.
    pub notice: &'static str,
    outbox: &'static str,
    kept: &'static str,
    delivered: &'static str,
    again: &'static str,
    given_up: &'static str,
}

const UNICODE: Signs = Signs {
    across: "─",
    down: "│",
    joint_above: "┬",
    joint_below: "┴",
    joint_cross: "┼",
    joint_right: "├",
    corners: ["╭", "╮", "╰", "╯"],
    chosen: "▌",
    quoted: "▏",
    more: "…",
    dot: "·",
    on: "●",
    off: "○",
    notice: "»",
    outbox: "…",
    kept: "·",
    delivered: "✓",
    again: "↻",
    given_up: "✗",
};

const ASCII: Signs = Signs {
    across: "-",
    down: "|",
    joint_above: "+",
    joint_below: "+",
    joint_cross: "+",
    joint_right: "+",
    corners: ["+", "+", "+", "+"],
    chosen: ">",
    quoted: "|",
    more: "~",
    dot: "-",
    on: "*",
    off: "o",
    notice: "=",
    outbox: "~",
    kept: ".",
    delivered: "+",
    again: "@",
    given_up: "x",
};

impl Signs {
    /// Of a sent message.
    pub const fn mark(&self, mark: Mark) -> &'static str {
        match mark {
            Mark::Outbox => self.outbox,
            Mark::Kept => self.kept,
            Mark::Delivered => self.delivered,
            Mark::Again => self.again,
            Mark::GivenUp => self.given_up,
        }
    }
}

/// Signs and styles of one screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub signs: Signs,
    /// What texts of others may hold.
    pub charset: Charset,
    color: bool,
}

impl Look {
    /// `charset` is what the terminal can show; `ascii` is what somebody asked for of the signs.
    pub fn new(charset: Charset, ascii: bool, color: bool) -> Self {
        let signs = if ascii || charset == Charset::Ascii { ASCII } else { UNICODE };
        Self { signs, charset, color }
    }

    /// What this terminal can, by its environment (POSIX, section 8.2, for the locale; no-color.org).
    pub fn of_environment(ascii: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default().to_lowercase();
        let is_utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let charset = if is_utf8 { Charset::Unicode } else { Charset::Ascii };
        let ascii = ascii || variable("HOB_CHAT_ASCII").is_some_and(|value| value != "0");
        Self::new(charset, ascii, variable("NO_COLOR").is_none())
    }

    fn colored(&self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// Names, titles.
    pub fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Lines, times, hints.
    pub fn faint(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// This member's own name.
    pub fn own(&self) -> Style {
        self.colored(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Somebody else's.
    pub fn other(&self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// All is well.
    pub fn good(&self) -> Style {
        self.colored(Color::Green)
    }

    /// Something waits.
    pub fn waits(&self) -> Style {
        self.colored(Color::Yellow)
    }

    /// Something failed, or is to be read at once.
    pub fn loud(&self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A search's hit, a chosen answer.
    pub fn hit(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Of a mark.
    pub fn mark(&self, mark: Mark) -> Style {
        match mark {
            Mark::Delivered => self.good(),
            Mark::GivenUp => self.loud(),
            Mark::Outbox | Mark::Again => self.waits(),
            Mark::Kept => Style::new(),
        }
    }
}
