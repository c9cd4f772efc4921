//! What is shown to somebody who sits at a terminal, large or small.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use image::GrayImage;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::people::Person;
use crate::small_box::SmallBox;

/// Runs a command with its stdout on a terminal of this size; gives what the terminal was told.
fn on_a_terminal(person: &Person, columns: u16, rows: u16, arguments: &[&str]) -> (String, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let inner = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&inner, size).unwrap();
    // The command goes with its stdout: while anybody has the inner end, the outer one has no end.
    let child = person.command(arguments).stdout(Stdio::from(inner)).spawn().unwrap();
    let reader = std::thread::spawn(move || {
        let mut told = Vec::new();
        // A terminal whose last program ended reads as EIO.
        let _ = File::from(terminal).read_to_end(&mut told);
        String::from_utf8(told).unwrap().replace("\r\n", "\n")
    });
    let left = crate::people::finish(child);
    assert_eq!(left.code, 0, "{left:?}");
    (reader.join().unwrap(), left.stderr)
}

/// Reads the QR code that a terminal shows: half blocks, light ones drawn.
fn scanned(told: &str) -> Option<String> {
    let rows: Vec<Vec<char>> = told
        .lines()
        .filter(|line| line.chars().count() > 20 && line.chars().all(|c| " ▀▄█".contains(c)))
        .map(|line| line.chars().collect())
        .collect();
    let (width, height) = (rows.first()?.len(), rows.len() * 2);
    let light = |x: usize, y: usize| match rows[y / 2][x] {
        '█' => true,
        '▀' => y.is_multiple_of(2),
        '▄' => y % 2 == 1,
        _ => false,
    };
    let side = |cells: usize| u32::try_from(cells * 6).unwrap();
    let picture = GrayImage::from_fn(side(width), side(height), |x, y| {
        image::Luma([if light(x as usize / 6, y as usize / 6) { 255 } else { 0 }])
    });
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(side(width) as usize, side(height) as usize, |x, y| {
            picture.as_raw()[y * side(width) as usize + x]
        });
    prepared.detect_grids().first()?.decode().ok().map(|(_, text)| text)
}

#[test]
fn a_terminal_shows_a_contact_code_as_qr_code_and_as_text() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    let (told, _) = on_a_terminal(&ada, 100, 50, &["contact", "show"]);
    let text = told.lines().find(|line| line.starts_with("hob://contact/")).unwrap();
    assert_eq!(scanned(&told).as_deref(), Some(text));
}

#[test]
fn a_terminal_that_is_too_small_gets_a_picture_and_a_sentence() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    let (told, sentence) = on_a_terminal(&ada, 80, 24, &["contact", "show"]);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(sentence.contains("too small") && sentence.contains("code.png"), "{sentence}");
    let picture = ada.profile().join("code.png");
    assert_eq!(std::fs::metadata(&picture).unwrap().permissions().mode() & 0o777, 0o600);
    let bob = Person::member_of(&small_box, "bob");
    bob.run(&["contact", "add", picture.to_str().unwrap(), "--as", "ada"]).fine();
}

#[test]
fn without_a_terminal_and_with_code_there_is_the_code_alone() {
    let small_box = SmallBox::start();
    let ada = Person::member_of(&small_box, "ada");
    assert!(ada.run(&["contact", "show"]).fine().starts_with("hob://contact/"));
    let left = ada.run(&["contact", "show", "--code"]);
    assert_eq!((left.stdout.lines().count(), left.stderr.as_str()), (1, ""));
    let (told, _) = on_a_terminal(&ada, 100, 50, &["contact", "show", "--code"]);
    assert!(told.starts_with("hob://contact/") && told.lines().count() == 1, "{told}");
}
