use crossterm::event::{KeyCode, KeyModifiers};

use super::super::look::Look;
use super::super::talk::{LinkRow, Mark, TalkRow};
use super::super::text::Charset;
use super::*;

pub(crate) const NOON: u64 = 1_795_262_400_000;

pub(crate) fn contact(name: &str) -> ContactRow {
    ContactRow { key: name.to_owned(), name: name.to_owned(), answered: true, devices: 1, ..ContactRow::default() }
}

pub(crate) fn message(id: usize, sent: bool, text: &str) -> MessageRow {
    MessageRow {
        id: format!("{id:032x}"),
        sent,
        text: text.to_owned(),
        sent_at_ms: NOON + id as u64 * 60_000,
        path: "box".to_owned(),
        mark: sent.then_some(Mark::Delivered),
        standing: "delivered".to_owned(),
        ..MessageRow::default()
    }
}

pub(crate) fn with_bob(messages: Vec<MessageRow>) -> Snapshot {
    Snapshot {
        me: "ada".to_owned(),
        link: LinkRow { online: true, ..LinkRow::default() },
        contacts: vec![contact("bob"), contact("carol")],
        open: Some(TalkRow { contact: "bob".to_owned(), has_more: false, messages }),
        ..Snapshot::default()
    }
}

/// A screen with Bob's conversation open.
pub(crate) fn talking_in(size: (u16, u16), messages: Vec<MessageRow>) -> Model {
    let look = Look::new(Charset::Unicode, false, true);
    let mut model = Model::new(look, size, NOON + 3_600_000, Some("bob".to_owned()));
    model.update(Event::News(News::Drafts(Vec::new())));
    let mut first = with_bob(Vec::new());
    first.open = None;
    model.update(Event::News(News::Snapshot(Box::new(first))));
    model.update(Event::News(News::Snapshot(Box::new(with_bob(messages)))));
    model
}

fn talking(messages: Vec<MessageRow>) -> Model {
    talking_in((80, 24), messages)
}

pub(crate) fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    model.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn ctrl(model: &mut Model, character: char) -> Vec<Effect> {
    model.update(Event::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL)))
}

pub(crate) fn write(model: &mut Model, text: &str) {
    for character in text.chars() {
        press(model, KeyCode::Char(character));
    }
}

fn news(model: &mut Model, news: News) -> Vec<Effect> {
    model.update(Event::News(news))
}

fn typed(model: &Model) -> &str {
    model.line().map_or("", Line::text)
}

fn asks(effects: Vec<Effect>) -> Vec<Ask> {
    let ask = |effect| match effect {
        Effect::Ask(ask) => Some(ask),
        Effect::Clear | Effect::Quit | Effect::Tell(_) => None,
    };
    effects.into_iter().filter_map(ask).collect()
}

fn quits(effects: &[Effect]) -> bool {
    effects.contains(&Effect::Quit)
}

#[test]
fn what_could_not_be_sent_is_in_the_typing_line_again_before_what_was_typed_since() {
    let mut model = talking(Vec::new());
    write(&mut model, "first");
    assert!(matches!(asks(press(&mut model, KeyCode::Enter))[..], [Ask::Send { .. }]));
    assert_eq!(typed(&model), "");
    write(&mut model, "second");
    news(&mut model, News::NotSent { contact: "bob".to_owned(), why: "the disk is full".to_owned() });
    assert_eq!(typed(&model), "first\nsecond");
    assert!(model.toast.as_ref().unwrap().text.contains("the disk is full"));
}

#[test]
fn nothing_but_spaces_is_not_sent_and_stays() {
    let mut model = talking(Vec::new());
    write(&mut model, "  ");
    assert!(asks(press(&mut model, KeyCode::Enter)).is_empty());
    assert_eq!(typed(&model), "  ");
}

#[test]
fn each_conversation_has_its_own_draft() {
    let mut model = talking(Vec::new());
    write(&mut model, "to bob");
    let effects = ctrl(&mut model, 'n');
    assert_eq!(model.open.as_deref(), Some("carol"));
    let text = "to bob".to_owned();
    assert!(asks(effects).contains(&Ask::Draft { contact: "bob".to_owned(), text }), "it is saved at once");
    assert_eq!(typed(&model), "");
    assert!(model.has_draft("bob"));
    ctrl(&mut model, 'p');
    assert_eq!(typed(&model), "to bob");
}

#[test]
fn a_draft_is_saved_a_second_after_the_last_key_and_once() {
    let mut model = talking(Vec::new());
    let start_ms = model.now_ms;
    write(&mut model, "hm");
    assert!(asks(model.update(Event::Tick(start_ms + 500))).is_empty());
    let draft = Ask::Draft { contact: "bob".to_owned(), text: "hm".to_owned() };
    assert!(asks(model.update(Event::Tick(start_ms + 1_000))) == [draft]);
    assert!(asks(model.update(Event::Tick(start_ms + 2_000))).is_empty(), "it is under way");
    news(&mut model, News::DraftSaved { contact: "bob".to_owned() });
    assert!(asks(model.update(Event::Tick(start_ms + 3_000))).is_empty(), "it is done");
}

#[test]
fn leaving_waits_for_what_is_typed_and_for_nothing_else() {
    let mut model = talking(Vec::new());
    assert!(quits(&ctrl(&mut model, 'c')), "nothing is typed");
    let mut model = talking(Vec::new());
    write(&mut model, "hm");
    assert!(!quits(&ctrl(&mut model, 'c')));
    assert!(quits(&news(&mut model, News::DraftSaved { contact: "bob".to_owned() })));
}

#[test]
fn who_leaves_twice_is_asked_and_may_stay() {
    let mut model = talking(Vec::new());
    write(&mut model, "hm");
    ctrl(&mut model, 'c');
    assert!(!quits(&ctrl(&mut model, 'c')));
    assert!(matches!(model.dialog, Some(Dialog::Leave { .. })));
    press(&mut model, KeyCode::Char('n'));
    assert!(model.dialog.is_none());
    assert_eq!(typed(&model), "hm");
}

#[test]
fn what_is_seen_is_read_and_what_is_scrolled_away_or_behind_another_window_is_not() {
    let unread = |id| MessageRow { unread: true, ..message(id, false, "new") };
    let shown = |effects| asks(effects).into_iter().any(|ask| matches!(ask, Ask::Shown { .. }));
    let mut model = talking(vec![message(0, false, "old")]);
    model.update(Event::Focus(false));
    assert!(!shown(news(&mut model, News::Snapshot(Box::new(with_bob(vec![unread(1)]))))));
    assert!(shown(model.update(Event::Focus(true))));
    let long: Vec<_> = (0..60).map(|id| message(id, false, "line")).collect();
    let mut model = talking(long.clone());
    press(&mut model, KeyCode::PageUp);
    let more: Vec<_> = long.into_iter().chain([unread(60)]).collect();
    assert!(!shown(news(&mut model, News::Snapshot(Box::new(with_bob(more))))));
    for _ in 0..9 {
        press(&mut model, KeyCode::PageDown);
    }
    assert_eq!(model.from_bottom, 0);
}

#[test]
fn who_wrote_is_told_while_another_window_has_the_keyboard_and_only_then() {
    let mut wrote = with_bob(Vec::new());
    wrote.contacts[1].unread = 1;
    let tell = Effect::Tell(vec!["carol".to_owned()]);
    let mut model = talking(Vec::new());
    assert!(!news(&mut model, News::Snapshot(Box::new(wrote.clone()))).contains(&tell));
    wrote.contacts[1].unread = 2;
    model.update(Event::Focus(false));
    assert!(news(&mut model, News::Snapshot(Box::new(wrote.clone()))).contains(&tell));
    assert!(!news(&mut model, News::Snapshot(Box::new(wrote))).contains(&tell), "once");
}

#[test]
fn a_message_shown_once_stays_open_while_the_engine_has_it_no_more_and_goes_with_the_next_step() {
    let covered = MessageRow { view_once: true, unread: true, text: String::new(), ..message(1, false, "") };
    let mut model = talking(vec![message(0, false, "before"), covered, message(2, false, "after")]);
    model.update(Event::Key(KeyEvent::new(KeyCode::Up, KeyModifiers::ALT)));
    press(&mut model, KeyCode::Up);
    let id = message(1, false, "").id;
    assert!(asks(press(&mut model, KeyCode::Char('o'))) == [Ask::Uncover { id: id.clone() }]);
    news(&mut model, News::Uncovered { id, text: "4711".to_owned() });
    let without = with_bob(vec![message(0, false, "before"), message(2, false, "after")]);
    news(&mut model, News::Snapshot(Box::new(without)));
    let texts = |model: &Model| model.rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>();
    let shown = texts(&model);
    let place = |words: &str| shown.iter().position(|text| text == words).unwrap();
    assert!(place("before") < place("4711") && place("4711") < place("after"), "{shown:?}");
    press(&mut model, KeyCode::Down);
    assert!(!texts(&model).concat().contains("4711"));
}

#[test]
fn a_quiet_second_draws_nothing_and_a_line_that_goes_away_does() {
    let mut model = talking(Vec::new());
    news(&mut model, News::Done { text: "bob is verified".to_owned() });
    assert!(model.is_to_be_drawn() && !model.is_to_be_drawn());
    let now_ms = model.now_ms;
    model.update(Event::Tick(now_ms + 1_000));
    assert!(!model.is_to_be_drawn());
    model.update(Event::Tick(now_ms + 60_000));
    assert!(model.is_to_be_drawn() && model.toast.is_none());
    write(&mut model, "x");
    assert!(model.is_to_be_drawn());
}

#[test]
fn what_is_looked_at_stays_in_view_while_messages_come() {
    let long: Vec<_> = (0..60).map(|id| message(id, false, &format!("line {id}"))).collect();
    let mut model = talking(long.clone());
    press(&mut model, KeyCode::PageUp);
    let seen = |model: &Model| {
        let height = usize::from(model.geometry().history.height);
        let bottom = model.rows.len() - model.from_bottom;
        model.rows[bottom - height..bottom].iter().map(|row| row.text.clone()).collect::<Vec<_>>()
    };
    let before = seen(&model);
    let more: Vec<_> = long.into_iter().chain((60..70).map(|id| message(id, false, "more"))).collect();
    news(&mut model, News::Snapshot(Box::new(with_bob(more))));
    assert_eq!(seen(&model), before);
}

#[test]
fn the_line_above_what_is_new_is_where_the_conversation_begins_and_stays_there() {
    let mut messages: Vec<_> = (0..60).map(|id| message(id, false, "line")).collect();
    for message in messages.iter_mut().skip(20) {
        message.unread = true;
    }
    let mut model = talking(messages.clone());
    let new = model.rows.iter().position(|row| row.kind == rows::Kind::New).unwrap();
    let height = usize::from(model.geometry().history.height);
    assert_eq!(model.rows.len() - model.from_bottom - height, new, "it is at the top");
    for message in &mut messages {
        message.unread = false;
    }
    news(&mut model, News::Snapshot(Box::new(with_bob(messages))));
    assert!(model.rows.iter().any(|row| row.kind == rows::Kind::New));
}

#[test]
fn scrolling_beyond_the_oldest_asks_for_older_ones() {
    let mut snapshot = with_bob((0..60).map(|id| message(id, false, "line")).collect());
    snapshot.open.as_mut().unwrap().has_more = true;
    let mut model = talking(Vec::new());
    news(&mut model, News::Snapshot(Box::new(snapshot)));
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.extend(asks(press(&mut model, KeyCode::PageUp)));
    }
    assert!(asked.iter().any(|ask| matches!(ask, Ask::Look { last, .. } if *last > WINDOW)));
}

#[test]
fn a_contact_that_was_removed_meanwhile_takes_its_conversation_along() {
    let mut model = talking(vec![message(0, false, "hi")]);
    let mut snapshot = with_bob(Vec::new());
    snapshot.contacts.remove(0);
    snapshot.open = None;
    news(&mut model, News::Snapshot(Box::new(snapshot)));
    assert_eq!((model.open.as_deref(), model.pane), (None, Pane::List));
    assert_eq!(model.chosen, Chosen::Contact("carol".to_owned()));
    assert!(model.rows.is_empty());
}

#[test]
fn requests_are_accepted_under_a_name_and_refused_after_a_question() {
    let mut snapshot = with_bob(Vec::new());
    let request = RequestRow { id: "abcd".to_owned(), name: "Emil".to_owned(), messages: 2, since_ms: NOON };
    snapshot.requests.push(request);
    let mut model = talking(Vec::new());
    news(&mut model, News::Snapshot(Box::new(snapshot)));
    press(&mut model, KeyCode::Tab);
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Down);
    assert_eq!(model.place(), Place::Request);
    press(&mut model, KeyCode::Char('a'));
    write(&mut model, "2");
    let accepted = Ask::Accept { id: "abcd".to_owned(), name: Some("Emil2".to_owned()) };
    assert!(asks(press(&mut model, KeyCode::Enter)) == [accepted]);
    press(&mut model, KeyCode::Char('x'));
    assert!(asks(press(&mut model, KeyCode::Enter)).is_empty(), "Enter is no yes");
    press(&mut model, KeyCode::Char('x'));
    assert!(asks(press(&mut model, KeyCode::Char('y'))) == [Ask::Refuse { id: "abcd".to_owned() }]);
}

#[test]
fn nothing_that_needs_the_engine_is_lost_while_another_process_takes_over() {
    let mut model = talking(Vec::new());
    write(&mut model, "under way");
    press(&mut model, KeyCode::Enter);
    model.update(Event::Detached);
    assert_eq!(typed(&model), "under way", "whether it was sent nobody knows: it is not thrown away");
    assert!(asks(press(&mut model, KeyCode::Enter)).is_empty());
    assert_eq!(typed(&model), "under way");
    let effects = asks(model.update(Event::Attached));
    assert!(effects.iter().any(|ask| matches!(ask, Ask::Look { contact: Some(key), .. } if key == "bob")));
}

#[test]
fn loud_news_stay_until_they_are_let_go_of_and_hide_no_later_ones() {
    let mut model = talking(Vec::new());
    let loud = News::Notice { contact: Some("bob".to_owned()), text: "THE KEYS HAVE CHANGED".to_owned(), loud: true };
    news(&mut model, loud);
    let later_ms = model.now_ms + 3_600_000;
    model.update(Event::Tick(later_ms));
    news(&mut model, News::Done { text: "something small".to_owned() });
    assert_eq!(model.toast.as_ref().unwrap().text, "THE KEYS HAVE CHANGED");
    assert!(model.rows.iter().any(|row| row.kind == rows::Kind::Loud), "it stands in the conversation, too");
    press(&mut model, KeyCode::Esc);
    assert!(model.toast.is_none() && model.pane == Pane::Talk);
}

#[test]
fn no_row_of_keys_and_news_in_any_order_makes_the_screen_panic() {
    use proptest::prelude::*;
    let key = prop_oneof![
        any::<char>().prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::F(1),
            KeyCode::F(2),
            KeyCode::Char('r'),
            KeyCode::Char('o'),
            KeyCode::Char('f'),
            KeyCode::Char('y'),
        ]),
    ];
    let step = (key, 0..4u8, 0..7u8, (0..90u16, 0..30u16), any::<String>());
    let look = Look::new(Charset::Unicode, false, true);
    proptest!(ProptestConfig::with_cases(64), |(steps in proptest::collection::vec(step, 0..60))| {
        let mut model = Model::new(look, (80, 24), NOON, Some("bob".to_owned()));
        for (code, modifier, what, size, text) in steps {
            let modifiers = KeyModifiers::from_bits_truncate(1 << modifier >> 1);
            let messages = text.chars().enumerate().map(|(id, _)| message(id, id % 3 == 0, &text)).take(30).collect();
            let event = match what {
                0 => Event::Size(size.0, size.1),
                1 => Event::Paste(text),
                2 => Event::News(News::Snapshot(Box::new(with_bob(messages)))),
                3 => Event::News(News::Uncovered { id: format!("{:032x}", 1), text }),
                _ => Event::Key(KeyEvent::new(code, modifiers)),
            };
            model.update(event);
            let (columns, rows) = (model.size.0.max(1), model.size.1.max(1));
            let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| super::super::view::draw(&model, frame)).unwrap();
        }
    });
}
