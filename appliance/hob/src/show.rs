//! How an invitation is shown: QR code and link on a terminal, and nowhere else unless asked.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use hob_protocol::invitation::Invitation;
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};

use crate::folder::{self, FolderError};

/// Characters at the edges of a QR code: scanners need the margin.
const QUIET_MODULES: usize = 4;

/// Pixels a module in a picture.
const MODULE_PIXELS: usize = 6;

/// What was done with an invitation.
#[derive(Debug)]
pub enum Shown {
    /// A person saw it.
    OnTerminal,
    /// It lies in a file that only this user can read.
    InFile(PathBuf),
}

/// An invitation cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// stdout is gone.
    #[error("cannot write to the terminal")]
    Terminal(#[from] io::Error),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FolderError),
}

/// Shows an invitation on the terminal at stdout. Without one it goes into a private file in the data folder: what is
/// written elsewhere may end in a log that others read.
///
/// # Errors
/// [`ShowError`].
pub fn invitation(data: &Path, invitation: &Invitation) -> Result<Shown, ShowError> {
    let link = invitation.to_link();
    let good_until = expires(invitation.expires_at_s);
    if !io::stdout().is_terminal() {
        let name = format!("invitation-{}.txt", invitation.id.to_string().get(..8).unwrap_or_default());
        let path = data.join(name);
        folder::write_private(&path, format!("{link}\ngood until {good_until}, for one device\n").as_bytes())?;
        return Ok(Shown::InFile(path));
    }
    let mut stdout = io::stdout().lock();
    match terminal_columns_and_rows() {
        Some(size) if fits(&link, size) => writeln!(stdout, "\n{}", qr_text(&link))?,
        _ => match qr_picture(data, &link) {
            Some(path) => {
                writeln!(stdout, "\nThis terminal is too small for the QR code; it is in {}", path.display())?
            }
            None => writeln!(stdout, "\nThis terminal is too small for the QR code.")?,
        },
    }
    writeln!(stdout, "Invitation for one device, good until {good_until}:\n\n  {link}\n")?;
    stdout.flush()?;
    Ok(Shown::OnTerminal)
}

/// Unix seconds as RFC 3339 in UTC; 0 is a time that the box does not know.
pub fn expires(unix_s: u64) -> String {
    if unix_s == 0 {
        return "a time this box cannot tell yet, since its clock is not set".to_owned();
    }
    let seconds = i64::try_from(unix_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "the end of time".to_owned(), |time| time.to_string())
}

fn terminal_columns_and_rows() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

fn code(text: &str) -> Option<QrCode> {
    // The codes are far below what the largest QR code holds.
    QrCode::with_error_correction_level(text, EcLevel::L).ok()
}

/// Two modules in one character: as many rows as half of the columns.
fn fits(text: &str, (columns, rows): (usize, usize)) -> bool {
    code(text).is_some_and(|code| {
        let modules = code.width() + 2 * QUIET_MODULES;
        modules <= columns && modules.div_ceil(2) < rows
    })
}

/// A QR code of half blocks, for where no colours are: its dark modules are drawn, as on paper.
pub fn qr_plain(text: &str) -> String {
    code(text).map_or_else(String::new, |code| {
        code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).quiet_zone(true).build()
    })
}

/// A QR code of half blocks, dark on light whatever the terminal's colours are.
pub fn qr_text(text: &str) -> String {
    let drawn = qr_plain(text);
    let lines: Vec<String> = drawn.lines().map(|line| format!("\u{1b}[30;107m{line}\u{1b}[0m")).collect();
    lines.join("\n")
}

/// Writes the QR code as a picture; `None` if that fails: the link is shown anyway.
fn qr_picture(data: &Path, text: &str) -> Option<PathBuf> {
    let code = code(text)?;
    let png = qr_png(&code)?;
    // Another invitation's picture is replaced: one is shown at a time.
    let path = data.join("invitation.png");
    let _ = std::fs::remove_file(&path);
    folder::write_private(&path, &png).ok()?;
    File::open(&path).ok().map(|_| path)
}

fn qr_png(code: &QrCode) -> Option<Vec<u8>> {
    let side = (code.width() + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let mut pixels = vec![u8::MAX; side * side];
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Light {
            continue;
        }
        let (x, y) = (index % code.width() + QUIET_MODULES, index / code.width() + QUIET_MODULES);
        for row in y * MODULE_PIXELS..(y + 1) * MODULE_PIXELS {
            let from = row * side + x * MODULE_PIXELS;
            pixels.get_mut(from..from + MODULE_PIXELS)?.fill(0);
        }
    }
    let side = u32::try_from(side).ok()?;
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(png)
}

/// A name or label with everything that could fool a reader written as `\u{…}`: control characters, and those that turn
/// the direction of writing or are not seen at all.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            plain.extend(c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Bidi controls (Unicode Standard Annex 9, section 2), joiners, separators, fillers, tags and the byte order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use hob_protocol::address::Address;
    use hob_protocol::ids::{BoxIdentity, InvitationId, InvitationSecret};

    use super::*;

    fn longest() -> Invitation {
        let address =
            |last: u8| Address::parse(&format!("[2001:db8:1111:2222:3333:4444:5555:666{last}]:65535")).unwrap();
        Invitation {
            id: InvitationId([255; 16]),
            secret: InvitationSecret([255; 16]),
            box_identity: BoxIdentity([255; 32]),
            addresses: vec![address(1), address(2), address(3)],
            expires_at_s: u64::from(u32::MAX),
        }
    }

    #[test]
    fn the_qr_code_of_an_invitation_with_three_long_addresses_fits_version_14() {
        let width = code(&longest().to_link()).unwrap().width();
        assert!(width <= 14 * 4 + 17, "{width} modules");
    }

    #[test]
    fn a_terminal_that_is_too_small_for_the_code_is_noticed() {
        let link = longest().to_link();
        let modules = code(&link).unwrap().width() + 2 * QUIET_MODULES;
        assert!(fits(&link, (modules, modules.div_ceil(2) + 1)));
        assert!(!fits(&link, (modules - 1, 200)));
        assert!(!fits(&link, (200, modules / 2)));
    }

    #[test]
    fn the_picture_of_a_code_is_a_png_for_this_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = qr_picture(folder.path(), &longest().to_link()).unwrap();
        assert!(std::fs::read(path).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    }

    #[test]
    fn a_label_cannot_turn_the_line_around_or_colour_the_terminal() {
        assert_eq!(plain("ada\u{202e}\u{1b}[31m"), "ada\\u{202e}\\u{1b}[31m");
        assert_eq!(plain("Zoë 漢字"), "Zoë 漢字");
    }
}
