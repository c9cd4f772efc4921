use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::super::model::tests::{NOON, message, press, talking_in, with_bob, write};
use super::super::model::{Event, Model};
use super::super::talk::{LinkRow, Mark, MessageRow, News, QuoteRow, RequestRow};
use super::*;

fn drawn(model: &Model) -> Buffer {
    let (columns, rows) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn shown(model: &Model) -> String {
    lines(&drawn(model)).join("\n")
}

fn a_few() -> Vec<MessageRow> {
    let quote = QuoteRow { sent: Some(false), excerpt: "Supper at eight?".to_owned() };
    let answer = MessageRow { quote: Some(quote), ..message(2, true, "Yes. I bring the bread.") };
    let waits = MessageRow {
        mark: Some(Mark::Outbox),
        standing: "in the outbox: the contact's box cannot be reached yet".to_owned(),
        ..message(9, true, "Are you there?")
    };
    vec![message(0, false, "Supper at eight?"), message(1, false, "There is soup."), answer, waits]
}

#[test]
fn a_usual_screen_looks_like_this() {
    let mut model = talking_in((80, 24), a_few());
    write(&mut model, "see you");
    let expected = r" Hob · ada            │ bob · not verified: F2
──────────────────────┼─────────────────────────────────────────────────────────
▌bob                  │
 carol                │
                      │
                      │
                      │
                      │
                      │
                      │
                      │
                      │
                      │ ──────────────────────── today ────────────────────────
                      │ 12:00 bob  Supper at eight?
                      │ 12:01      There is soup.
                      │ 12:02 you  ▏bob: Supper at eight?
                      │            Yes. I bring the bread.                    ✓
                      │ 12:09      Are you there?                             …
                      │            in the outbox: the contact's box cannot be
                      │            reached yet
                      ├─ to bob ────────────────────────────────────────────────
                      │ see you
──────────────────────┴─────────────────────────────────────────────────────────
 ● connected                               Enter sends · Tab contacts · F1 help";
    assert_eq!(shown(&model), expected);
}

#[test]
fn a_small_screen_looks_like_this() {
    let mut model = talking_in((40, 12), a_few());
    let expected = r" bob · not verified: F2
────────────────────────────────────────
  ▏bob: Supper at eight?
  Yes. I bring the bread.             ✓
 12:09
  Are you there?                      …
  in the outbox: the contact's box
  cannot be reached yet
─ to bob ───────────────────────────────

────────────────────────────────────────
 ● connected";
    assert_eq!(shown(&model), expected);
    press(&mut model, KeyCode::Tab);
    assert!(shown(&model).contains("carol") && !shown(&model).contains("Are you there?"), "one thing at a time");
}

#[test]
fn a_large_screen_has_everything_in_its_place() {
    let screen = shown(&talking_in((200, 60), a_few()));
    let waiting = screen.lines().find(|line| line.contains("Are you there?")).unwrap();
    assert!(waiting.ends_with('…') && waiting.chars().count() > 190, "{screen}");
    assert!(screen.contains("in the outbox: the contact's box cannot be reached yet"), "on one line");
}

#[test]
fn a_screen_of_one_cell_is_drawn_and_so_is_every_other_small_one() {
    for columns in 1..30 {
        for rows in 1..14 {
            let mut model = talking_in((columns, rows), a_few());
            drawn(&model);
            press(&mut model, KeyCode::F(1));
            drawn(&model);
            press(&mut model, KeyCode::Esc);
            press(&mut model, KeyCode::Tab);
            drawn(&model);
        }
    }
}

#[test]
fn without_colour_everything_can_still_be_told_apart() {
    let mut model = talking_in((80, 24), a_few());
    model.look = super::super::look::Look::new(super::super::text::Charset::Unicode, false, false);
    press(&mut model, KeyCode::F(1));
    for screen in [drawn(&model), drawn(&talking_without_colour())] {
        for cell in screen.content() {
            assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
        }
    }
}

fn talking_without_colour() -> Model {
    let mut model = talking_in((80, 24), a_few());
    model.look = super::super::look::Look::new(super::super::text::Charset::Unicode, false, false);
    model
}

#[test]
fn the_marks_of_all_ways_that_a_message_can_stand_are_different_in_unicode_and_ascii() {
    for ascii in [false, true] {
        let look = super::super::look::Look::new(super::super::text::Charset::Unicode, ascii, true);
        let marks =
            [Mark::Outbox, Mark::Kept, Mark::Delivered, Mark::Again, Mark::GivenUp].map(|mark| look.signs.mark(mark));
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark) && (!ascii || mark.is_ascii()), "{mark}");
        }
    }
}

#[test]
fn no_name_and_no_text_of_a_stranger_leaves_its_place() {
    let mut snapshot = with_bob(vec![message(0, false, &"\u{202e}wide 漢字\u{200b}".repeat(200))]);
    let name = "\u{1b}]0;x\u{7}\u{202e}".repeat(20);
    snapshot.requests.push(RequestRow { id: "abcd".to_owned(), name, messages: 1, since_ms: 0 });
    for size in [(80, 24), (40, 12), (61, 9)] {
        let mut model = talking_in(size, Vec::new());
        model.update(Event::News(News::Snapshot(Box::new(snapshot.clone()))));
        for _ in 0..2 {
            let buffer = drawn(&model);
            for cell in buffer.content() {
                assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
            }
            if size.0 >= 60 {
                let column: Vec<_> = (0..buffer.area.height - 2).map(|y| buffer[(22, y)].symbol().to_owned()).collect();
                assert!(column.iter().all(|sign| ["│", "┼", "├", "┴"].contains(&sign.as_str())), "{column:?}");
            }
            press(&mut model, KeyCode::Tab);
            press(&mut model, KeyCode::Down);
            press(&mut model, KeyCode::Down);
        }
    }
}

#[test]
fn a_hit_of_a_search_stands_out() {
    let mut model = talking_in((80, 24), a_few());
    press(&mut model, KeyCode::Char('/'));
    write(&mut model, "SOUP");
    let buffer = drawn(&model);
    let reversed: String = buffer
        .content()
        .iter()
        .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED))
        .map(|cell| cell.symbol())
        .collect();
    assert_eq!(reversed, "soup");
    assert!(shown(&model).contains("1 of 1"));
}

#[test]
fn why_there_is_no_connection_is_said_as_far_as_there_is_room() {
    let why = "no answer from the box at 127.0.0.1:8443: is it running?";
    for (columns, starts) in [
        (
            120,
            " ○ not connected since 12:59 · 1 in the outbox: no answer from the box at 127.0.0.1:8443: is it running?",
        ),
        (100, " ○ not connected since 12:59: no answer from the box at 127.0.0.1:8443: is it running?"),
        (76, " ○ not connected: no answer from the box at 127.0.0.1:8443: is it running?"),
        (40, " ○ not connected: no answer from the bo…"),
    ] {
        let mut snapshot = with_bob(a_few());
        let mut model = talking_in((columns, 24), Vec::new());
        snapshot.link =
            LinkRow { online: false, why: Some(why.to_owned()), last_contact_ms: Some(model.now_ms - 60_000) };
        snapshot.in_outbox = 1;
        model.update(Event::News(News::Snapshot(Box::new(snapshot))));
        let screen = shown(&model);
        assert_eq!(screen.lines().last(), Some(starts), "{columns}");
    }
}

#[test]
fn a_request_is_shown_with_what_can_be_done_and_nothing_of_what_it_says() {
    let mut snapshot = with_bob(a_few());
    let request = RequestRow { id: "abcd".to_owned(), name: "Emil".to_owned(), messages: 2, since_ms: NOON };
    snapshot.requests.push(request);
    let mut model = talking_in((80, 24), Vec::new());
    model.update(Event::News(News::Snapshot(Box::new(snapshot))));
    press(&mut model, KeyCode::Tab);
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Down);
    let screen = shown(&model);
    assert!(screen.contains("says to be \"Emil\" has written 2 messages") && screen.contains("X  refuses"), "{screen}");
    assert!(!screen.contains('├'), "no line for typing where nothing is typed:\n{screen}");
}
