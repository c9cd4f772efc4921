//! What was typed, what is wrong with it, and how a field is drawn.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;
use fluent_bundle::FluentArgs;

use crate::markup::escape;
use crate::ui::Ui;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing was typed.
    Empty,
    /// Too many characters.
    TooLong {
        /// The most.
        max: u64,
    },
    /// Too few characters.
    TooShort {
        /// The least.
        min: u64,
    },
    /// No whole number.
    NotANumber,
    /// Out of its bounds, which are told with their units.
    OutOfBounds {
        /// The least: "1", "1 MiB", "1 h".
        from: String,
        /// The most.
        to: String,
    },
    /// Bytes that are no text.
    NotText,
    /// The second password is another one.
    NotTheSame,
    /// Password or code are wrong; it does not say which.
    NotAccepted,
    /// The set-up code is wrong.
    WrongCode,
    /// Too many tries.
    Wait {
        /// For how long.
        seconds: u64,
    },
    /// Not the name that was asked for.
    NotThatName,
    /// The name is taken.
    Taken,
    /// None of the choices.
    NoChoice,
    /// No such time zone.
    NoZone,
    /// The file cannot be read as what it should be.
    NotThatFile,
    /// What the box says of it, in its English.
    Said(String),
}

impl Wrong {
    fn text(&self, ui: &Ui<'_>) -> String {
        match self {
            Self::Empty => ui.t("wrong-empty"),
            Self::TooLong { max } => ui.t1("wrong-too-long", "max", *max),
            Self::TooShort { min } => ui.t1("wrong-too-short", "min", *min),
            Self::NotANumber => ui.t("wrong-not-a-number"),
            Self::OutOfBounds { from, to } => ui.t2("wrong-out-of-bounds", "from", from, "to", to),
            Self::NotText => ui.t("wrong-not-text"),
            Self::NotTheSame => ui.t("wrong-not-the-same"),
            Self::NotAccepted => ui.t("wrong-not-accepted"),
            Self::WrongCode => ui.t("wrong-code"),
            Self::Wait { seconds } => ui.t1("wrong-wait", "duration", ui.duration(*seconds)),
            Self::NotThatName => ui.t("wrong-not-that-name"),
            Self::Taken => ui.t("wrong-taken"),
            Self::NoChoice => ui.t("wrong-no-choice"),
            Self::NoZone => ui.t("wrong-no-zone"),
            Self::NotThatFile => ui.t("wrong-not-that-file"),
            Self::Said(text) => ui.t1("as-it-is", "text", text),
        }
    }
}

/// What is wrong, per field, in the order of the form; empty: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors(Vec<(String, Wrong)>);

impl Errors {
    /// Adds one; `field` is the field's name in the form.
    pub fn add(&mut self, field: &str, wrong: Wrong) {
        self.0.push((field.to_owned(), wrong));
    }

    /// One error.
    pub fn one(field: &str, wrong: Wrong) -> Self {
        Self(vec![(field.to_owned(), wrong)])
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    pub fn of(&self, field: &str) -> Option<&Wrong> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, wrong)| wrong)
    }

    /// Field and text of each, for the summary on top; `label` tells what a field is called.
    pub(crate) fn told(&self, ui: &Ui<'_>, label: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
        let told = |(field, wrong): &(String, Wrong)| {
            let text = wrong.text(ui);
            let line = label(field).map(|label| ui.t2("summary-line", "field", label, "text", &text));
            (id_of(field), line.unwrap_or(text))
        };
        self.0.iter().map(told).collect()
    }
}

/// The id of a field in the page: its name, with what an id may not hold replaced.
pub(crate) fn id_of(field: &str) -> String {
    let plain: String = field.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("field-{plain}")
}

/// What kind of field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Input { type_of: &'static str },
    Area,
    Select { choices: Vec<(String, String)> },
    Radios { choices: Vec<(String, String)> },
    File { accept: &'static str },
}

/// A field with its label, hint and error, built up in a template.
pub(crate) struct Field<'a> {
    ui: &'a Ui<'a>,
    name: String,
    label: String,
    hint: Option<String>,
    value: String,
    kind: Kind,
    attributes: String,
    wrong: Option<String>,
    narrow: bool,
    scope: String,
}

impl<'a> Field<'a> {
    pub(crate) fn new(ui: &'a Ui<'a>, name: &str, label: &str) -> Self {
        Self {
            ui,
            name: name.to_owned(),
            label: ui.t(label),
            hint: ui.texts.find(&format!("{label}-hint"), &FluentArgs::new()),
            value: String::new(),
            kind: Kind::Input { type_of: "text" },
            attributes: String::new(),
            wrong: None,
            narrow: false,
            scope: String::new(),
        }
    }

    pub(crate) fn value(mut self, value: impl fmt::Display) -> Self {
        self.value = value.to_string();
        self
    }

    pub(crate) fn labelled(mut self, text: impl fmt::Display) -> Self {
        self.label = text.to_string();
        self
    }

    pub(crate) fn hinted(mut self, text: impl fmt::Display) -> Self {
        self.hint = Some(text.to_string());
        self
    }

    pub(crate) fn errors(mut self, errors: &Errors) -> Self {
        self.wrong = errors.of(&self.name).map(|wrong| wrong.text(self.ui));
        self
    }

    /// Makes its id differ from that of a field of the same name in another form of the page.
    pub(crate) fn scope(mut self, scope: impl fmt::Display) -> Self {
        self.scope = format!("{scope}-");
        self
    }

    /// An attribute of the field itself.
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        let _ = write!(self.attributes, " {name}=\"{}\"", escape(&value.to_string()));
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.attributes.push_str(" required");
        self
    }

    pub(crate) fn disabled(mut self, disabled: bool) -> Self {
        if disabled {
            self.attributes.push_str(" disabled");
        }
        self
    }

    pub(crate) fn max(self, characters: u32) -> Self {
        self.with("maxlength", characters)
    }

    /// Browsers fill it in by this word (HTML, section "Autofill").
    pub(crate) fn auto(self, word: &str) -> Self {
        self.with("autocomplete", word)
    }

    pub(crate) fn digits(mut self) -> Self {
        self.narrow = true;
        self.with("inputmode", "numeric")
    }

    pub(crate) fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    pub(crate) fn password(mut self) -> Self {
        self.kind = Kind::Input { type_of: "password" };
        self
    }

    pub(crate) fn search(mut self) -> Self {
        self.kind = Kind::Input { type_of: "search" };
        self
    }

    pub(crate) fn date(mut self) -> Self {
        self.kind = Kind::Input { type_of: "date" };
        self.narrow = true;
        self
    }

    pub(crate) fn area(mut self) -> Self {
        self.kind = Kind::Area;
        self
    }

    pub(crate) fn file(mut self, accept: &'static str) -> Self {
        self.kind = Kind::File { accept };
        self
    }

    /// Value and text of each choice.
    pub(crate) fn select(mut self, choices: Vec<(String, String)>) -> Self {
        self.kind = Kind::Select { choices };
        self
    }

    /// Value and text of each choice, all seen at once.
    pub(crate) fn radios(mut self, choices: Vec<(String, String)>) -> Self {
        self.kind = Kind::Radios { choices };
        self
    }

    fn id(&self) -> String {
        id_of(&format!("{}{}", self.scope, self.name))
    }

    /// `aria-describedby` and `aria-invalid`.
    fn aria(&self) -> String {
        let id = self.id();
        let mut by = Vec::new();
        if self.hint.is_some() {
            by.push(format!("{id}-hint"));
        }
        if self.wrong.is_some() {
            by.push(format!("{id}-wrong"));
        }
        let mut aria = String::new();
        if !by.is_empty() {
            let _ = write!(aria, " aria-describedby=\"{}\"", by.join(" "));
        }
        if self.wrong.is_some() {
            aria.push_str(" aria-invalid=\"true\"");
        }
        aria
    }

    fn hint_and_error(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id();
        if let Some(hint) = &self.hint {
            write!(f, "<p class=\"hint\" id=\"{id}-hint\">{}</p>", escape(hint))?;
        }
        if let Some(wrong) = &self.wrong {
            write!(f, "<p class=\"wrong\" id=\"{id}-wrong\">{}</p>", escape(wrong))?;
        }
        Ok(())
    }

    fn control(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, name, value) = (self.id(), escape(&self.name), escape(&self.value));
        let (aria, attributes) = (self.aria(), &self.attributes);
        let class = if self.narrow { " class=\"narrow\"" } else { "" };
        match &self.kind {
            Kind::Input { type_of } => {
                // A password is never sent back.
                let value = if *type_of == "password" { String::new() } else { format!(" value=\"{value}\"") };
                write!(f, "<input id=\"{id}\" name=\"{name}\" type=\"{type_of}\"{class}{value}{aria}{attributes}>")
            }
            Kind::File { accept } => {
                write!(f, "<input id=\"{id}\" name=\"{name}\" type=\"file\" accept=\"{accept}\"{aria}{attributes}>")
            }
            // The line feed is eaten by the parser; without it, one in the value would be.
            Kind::Area => {
                write!(f, "<textarea id=\"{id}\" name=\"{name}\" rows=\"4\"{aria}{attributes}>\n{value}</textarea>")
            }
            Kind::Select { choices } => {
                write!(f, "<select id=\"{id}\" name=\"{name}\"{class}{aria}{attributes}>")?;
                for (choice, text) in choices {
                    let chosen = if *choice == self.value { " selected" } else { "" };
                    let text = escape(text);
                    write!(f, "<option value=\"{}\"{chosen}>{text}</option>", escape(choice))?;
                }
                write!(f, "</select>")
            }
            Kind::Radios { .. } => Ok(()),
        }
    }

    fn radios_in_group(&self, choices: &[(String, String)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, name) = (self.id(), escape(&self.name));
        write!(f, "<fieldset class=\"field\" id=\"{id}\"{}><legend>{}</legend>", self.aria(), escape(&self.label))?;
        self.hint_and_error(f)?;
        for (index, (choice, text)) in choices.iter().enumerate() {
            let checked = if *choice == self.value { " checked" } else { "" };
            write!(
                f,
                "<div class=\"choice\"><input type=\"radio\" id=\"{id}-{index}\" name=\"{name}\" value=\"{}\"{checked}{}>\
                 <label for=\"{id}-{index}\">{}</label></div>",
                escape(choice),
                self.attributes,
                escape(text)
            )?;
        }
        write!(f, "</fieldset>")
    }
}

impl HtmlSafe for Field<'_> {}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Kind::Radios { choices } = &self.kind {
            return self.radios_in_group(choices, f);
        }
        write!(f, "<div class=\"field\"><label for=\"{}\">{}</label>", self.id(), escape(&self.label))?;
        self.hint_and_error(f)?;
        self.control(f)?;
        write!(f, "</div>")
    }
}
