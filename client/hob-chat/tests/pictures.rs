//! Codes in PNG and JPEG files, the hostile ones included.

use std::fs;
use std::path::PathBuf;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use qrcode::{Color, EcLevel, QrCode};

use crate::people::Person;
use crate::small_box::SmallBox;

fn picture_of(text: &str) -> GrayImage {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
    let (modules, colors) = (code.width(), code.to_colors());
    let side = u32::try_from((modules + 8) * 6).unwrap();
    GrayImage::from_fn(side, side, |x, y| {
        let module = |pixel: u32| (pixel as usize / 6).checked_sub(4).filter(|at| *at < modules);
        let dark = module(x).zip(module(y)).is_some_and(|(x, y)| colors[y * modules + x] == Color::Dark);
        Luma([if dark { 20 } else { 235 }])
    })
}

fn saved(person: &Person, name: &str, picture: GrayImage, format: ImageFormat) -> String {
    let path: PathBuf = person.home().join(name);
    DynamicImage::from(picture).save_with_format(&path, format).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_invitation_and_a_contact_code_are_read_from_pictures() {
    let small_box = SmallBox::start();
    let (ada, bob) = (Person::member_of(&small_box, "ada"), Person::new());
    let invitation = saved(&bob, "invitation.png", picture_of(&small_box.invitation()), ImageFormat::Png);
    bob.run(&["join", &invitation]).fine();
    let code = saved(&bob, "photo.jpg", picture_of(&ada.code()), ImageFormat::Jpeg);
    bob.run(&["contact", "add", &code, "--as", "ada"]).fine();
    assert!(bob.run(&["contacts"]).fine().starts_with("ada  new, unverified"));
}

#[test]
fn a_picture_without_a_code_and_one_of_another_code_are_told_apart() {
    let bob = Person::new();
    let blank = saved(&bob, "wall.png", GrayImage::from_pixel(300, 300, Luma([200])), ImageFormat::Png);
    assert!(bob.run(&["join", &blank]).failed(1).contains("no code of Hob"));
    let other = saved(&bob, "menu.png", picture_of("https://restaurant.example/menu"), ImageFormat::Png);
    assert!(bob.run(&["join", &other]).failed(1).contains("should start with hob://join/"));
    assert!(bob.run(&["join", "nothing-here.png"]).failed(1).contains("cannot read the picture"));
}

/// A PNG that claims a size: signature, IHDR with its checksum, an empty IDAT.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend_from_slice(&header);
    png.extend_from_slice(&crc32(&header).to_be_bytes());
    png.extend_from_slice(b"\0\0\0\0IDAT");
    png.extend_from_slice(&crc32(b"IDAT").to_be_bytes());
    png
}

/// ISO/IEC 15948 (PNG), annex D.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn hostile_pictures_are_refused_with_words_and_without_memory() {
    let bob = Person::new();
    let refused = |name: &str, bytes: &[u8], words: &str| {
        let path = bob.home().join(name);
        fs::write(&path, bytes).unwrap();
        // 700 MB of address space: a picture that were believed would not fit.
        let mut limited = std::process::Command::new("sh");
        limited
            .args(["-c", "ulimit -v 700000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_hob-chat")])
            .args(["--profile", bob.profile().to_str().unwrap(), "join", path.to_str().unwrap()])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let stderr = crate::people::run(&mut limited).failed(1);
        assert!(stderr.contains(words), "{name}: {stderr}");
    };
    refused("bomb.png", &png_that_claims(100_000, 100_000), "too many");
    refused("wide.png", &png_that_claims(20_000, 1), "too many");
    refused("wider.png", &png_that_claims(2_000_000_000, 1), "cannot be decoded");
    refused("large.png", &png_that_claims(8_000, 8_001), "too many");
    refused("cut.png", &png_that_claims(7_000, 7_000), "cannot be decoded");
    refused("empty.png", b"", "no PNG or JPEG");
    refused("page.png", b"<html><script>", "no PNG or JPEG");
    refused("cut.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "cannot be decoded");
    let whole = {
        let mut png = std::io::Cursor::new(Vec::new());
        DynamicImage::from(picture_of("hob://join/x")).write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    };
    for part in 1..8 {
        refused("part.png", &whole[..whole.len() * part / 8], "");
    }
    let path = bob.home().join("huge.png");
    fs::File::create(&path).unwrap().set_len(10 << 30).unwrap();
    let stderr = bob.run(&["join", path.to_str().unwrap()]).failed(1);
    assert!(stderr.contains("more than 32 MiB"), "{stderr}");
}
