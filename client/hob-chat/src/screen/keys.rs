//! Every key that does something, in one table. What is pressed is looked up here, and the help is made of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A contact is chosen in the list.
    Contact,
    /// A request is chosen in the list.
    Request,
    /// The typing line.
    Typing,
    /// A message of the history is chosen.
    Picking,
    /// A search is typed.
    Searching,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Help,
    Leave,
    Search,
    Next,
    Previous,
    SwitchPane,
    PageUp,
    PageDown,
    Redraw,
    Verify,
    Rename,
    Block,
    Remove,
    Up,
    Down,
    Open,
    Accept,
    Refuse,
    Send,
    NewLine,
    Ttl,
    ViewOnce,
    Strict,
    Answer,
    Pick,
    Details,
    Uncover,
    Back,
}

/// One key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// One line of the table.
pub struct Binding {
    pub places: &'static [Place],
    pub keys: &'static [Key],
    /// Only while nothing is typed: else the character is meant.
    pub on_empty_line: bool,
    pub action: Action,
    /// Completes "this key …".
    pub help: &'static str,
}

const fn plain(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

const fn letter(character: char) -> Key {
    plain(KeyCode::Char(character))
}

const fn ctrl(character: char) -> Key {
    Key { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
}

const fn alt(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::ALT }
}

const fn bind(places: &'static [Place], keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { places, keys, on_empty_line: false, action, help }
}

const fn bind_empty(places: &'static [Place], keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { places, keys, on_empty_line: true, action, help }
}

use Place::{Contact, Picking, Request, Searching, Typing};

const EVERYWHERE: &[Place] = &[Contact, Request, Typing, Picking, Searching];
const LIST: &[Place] = &[Contact, Request];
const TALK: &[Place] = &[Contact, Typing, Picking, Searching];

/// The table.
pub const TABLE: &[Binding] = &[
    bind(&[Typing], &[plain(KeyCode::Enter)], Action::Send, "sends what is typed"),
    bind(&[Typing], &[alt(KeyCode::Enter), ctrl('j')], Action::NewLine, "begins a new line in the message"),
    bind(
        &[Typing],
        &[ctrl('t')],
        Action::Ttl,
        "how long messages live from now on: 10 min, 1 h, 1 day, 7 days, no limit",
    ),
    bind(&[Typing], &[ctrl('o')], Action::ViewOnce, "the next message is shown once, or not so"),
    bind(
        &[Typing],
        &[ctrl('s')],
        Action::Strict,
        "the next message is strict, or not so: no box keeps it, they are there or it is not delivered",
    ),
    bind(&[Typing, Picking], &[ctrl('r')], Action::Answer, "answers the newest message, or the chosen one"),
    bind(&[Typing], &[alt(KeyCode::Up)], Action::Pick, "chooses a message (so does Up on the first line)"),
    bind(&[Picking], &[plain(KeyCode::Up), letter('k')], Action::Up, "chooses the message before"),
    bind(&[Picking], &[plain(KeyCode::Down), letter('j')], Action::Down, "chooses the message after"),
    bind(&[Picking], &[letter('r')], Action::Answer, "answers the chosen message"),
    bind(
        &[Picking],
        &[plain(KeyCode::Enter), letter('i')],
        Action::Details,
        "shows the whole message and how it stands",
    ),
    bind(&[Picking], &[letter('o')], Action::Uncover, "opens a view-once message; it is gone when you go on"),
    bind(LIST, &[plain(KeyCode::Up), letter('k')], Action::Up, "goes up in the list"),
    bind(LIST, &[plain(KeyCode::Down), letter('j')], Action::Down, "goes down in the list"),
    bind(&[Contact], &[plain(KeyCode::Enter), plain(KeyCode::Right)], Action::Open, "opens the conversation"),
    bind(&[Contact], &[letter('n')], Action::Rename, "gives the contact another name"),
    bind(&[Contact], &[letter('b')], Action::Block, "blocks the contact, or unblocks"),
    bind(
        &[Contact],
        &[plain(KeyCode::Delete)],
        Action::Remove,
        "removes the contact and the conversation, after a question",
    ),
    bind(&[Request], &[letter('a'), plain(KeyCode::Enter)], Action::Accept, "accepts the request"),
    bind(&[Request], &[letter('x'), plain(KeyCode::Delete)], Action::Refuse, "refuses the request, after a question"),
    bind(
        TALK,
        &[plain(KeyCode::F(2)), ctrl('g')],
        Action::Verify,
        "shows the safety number, to compare and to mark as verified",
    ),
    bind(
        EVERYWHERE,
        &[plain(KeyCode::Tab), plain(KeyCode::BackTab)],
        Action::SwitchPane,
        "goes between list and conversation",
    ),
    bind(EVERYWHERE, &[ctrl('n'), alt(KeyCode::Right)], Action::Next, "opens the next conversation"),
    bind(EVERYWHERE, &[ctrl('p'), alt(KeyCode::Left)], Action::Previous, "opens the conversation before"),
    bind(EVERYWHERE, &[plain(KeyCode::PageUp)], Action::PageUp, "scrolls back"),
    bind(EVERYWHERE, &[plain(KeyCode::PageDown)], Action::PageDown, "scrolls on"),
    bind(EVERYWHERE, &[ctrl('f')], Action::Search, "searches this conversation"),
    bind_empty(&[Contact, Typing, Picking], &[letter('/')], Action::Search, "the same, while nothing is typed"),
    bind(&[Searching], &[plain(KeyCode::Enter), plain(KeyCode::Up)], Action::Up, "goes to the hit before"),
    bind(&[Searching], &[plain(KeyCode::Down)], Action::Down, "goes to the hit after"),
    bind(
        EVERYWHERE,
        &[plain(KeyCode::Esc)],
        Action::Back,
        "lets go: an answer, a choice, a search, a view-once message",
    ),
    bind(EVERYWHERE, &[plain(KeyCode::F(1))], Action::Help, "shows this help"),
    bind_empty(&[Contact, Request, Typing, Picking], &[letter('?')], Action::Help, "the same, while nothing is typed"),
    bind(EVERYWHERE, &[ctrl('l')], Action::Redraw, "draws the screen anew"),
    bind(EVERYWHERE, &[ctrl('c'), ctrl('q')], Action::Leave, "leaves; what is typed is kept"),
];

/// The help's headings, in their order.
pub const HEADINGS: [&str; 6] = [
    "Everywhere",
    "While you type",
    "A message that is chosen",
    "While you search",
    "In the list",
    "A request in the list",
];

/// What the typing line does by itself: for the help.
pub const EDITING: &[(&str, &str)] = &[
    ("Left, Right, Home, End", "move in the text (Ctrl-A, Ctrl-E)"),
    ("Ctrl-Left, Ctrl-Right", "move by words"),
    ("Ctrl-U", "takes the line before the cursor away"),
    ("Ctrl-W", "takes the word before away"),
    ("Ctrl-K", "takes the rest of the line away"),
];

/// What a key does here.
pub fn action(place: Place, line_is_empty: bool, event: &KeyEvent) -> Option<Action> {
    let key = normal(event);
    TABLE
        .iter()
        .find(|binding| {
            binding.places.contains(&place)
                && binding.keys.contains(&key)
                && (!binding.on_empty_line || line_is_empty || place != Typing)
        })
        .map(|binding| binding.action)
}

/// Shift is in the character already; terminals differ in whether they say it again.
fn normal(event: &KeyEvent) -> Key {
    let modifiers = match event.code {
        KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
        _ => event.modifiers,
    };
    let code = match event.code {
        KeyCode::Char(character) if modifiers.contains(KeyModifiers::CONTROL) => {
            KeyCode::Char(character.to_ascii_lowercase())
        }
        code => code,
    };
    Key { code, modifiers }
}

impl Binding {
    /// Under which heading the help has it.
    pub fn heading(&self) -> &'static str {
        match self.places {
            [Typing] | [Typing, Picking] => "While you type",
            [Picking] => "A message that is chosen",
            [Searching] => "While you search",
            [Contact] | [Contact, Request] => "In the list",
            [Request] => "A request in the list",
            _ => "Everywhere",
        }
    }

    /// "Alt-Enter, Ctrl-J"
    pub fn names(&self) -> String {
        self.keys.iter().map(Key::name).collect::<Vec<_>>().join(", ")
    }
}

impl Key {
    fn name(&self) -> String {
        let mut name = String::new();
        for (modifier, prefix) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            if self.modifiers.contains(modifier) {
                name.push_str(prefix);
            }
        }
        match self.code {
            KeyCode::Char(character) if self.modifiers.contains(KeyModifiers::CONTROL) => {
                name.extend(character.to_uppercase());
            }
            KeyCode::Char(character) => name.push(character),
            KeyCode::F(number) => name.push_str(&format!("F{number}")),
            KeyCode::BackTab => name.push_str("Shift-Tab"),
            KeyCode::PageUp => name.push_str("PgUp"),
            KeyCode::PageDown => name.push_str("PgDn"),
            KeyCode::Delete => name.push_str("Del"),
            code => name.push_str(&format!("{code:?}")),
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in EVERYWHERE {
            let here: Vec<_> = TABLE.iter().filter(|binding| binding.places.contains(place)).collect();
            let keys: Vec<_> = here.iter().flat_map(|binding| binding.keys).collect();
            for (at, key) in keys.iter().enumerate() {
                assert!(!keys[..at].contains(key), "{place:?}: {}", key.name());
            }
        }
    }

    #[test]
    fn every_key_has_a_place_in_the_help() {
        assert!(TABLE.iter().all(|binding| HEADINGS.contains(&binding.heading())));
        for heading in HEADINGS {
            assert!(TABLE.iter().any(|binding| binding.heading() == heading), "{heading}");
        }
    }

    #[test]
    fn what_can_be_typed_is_typed_and_not_obeyed() {
        for character in ('a'..='z').chain('A'..='Z').chain("?/ öß日".chars()) {
            for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
                let event = KeyEvent::new(KeyCode::Char(character), modifiers);
                assert_eq!(action(Typing, false, &event), None, "{character}");
            }
        }
        let question = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::SHIFT);
        assert_eq!(action(Typing, true, &question), Some(Action::Help));
    }

    #[test]
    fn keys_have_the_names_that_stand_on_them() {
        let names: Vec<_> = TABLE.iter().map(Binding::names).collect();
        for name in ["Alt-Enter, Ctrl-J", "Ctrl-F", "F1", "PgUp", "Tab, Shift-Tab", "Ctrl-C, Ctrl-Q"] {
            assert!(names.iter().any(|known| known == name), "{name} of {names:?}");
        }
    }
}
