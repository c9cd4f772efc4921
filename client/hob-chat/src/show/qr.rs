//! Codes as QR codes: in the terminal where they fit, else as a picture with a sentence.

use std::io::Cursor;
use std::path::Path;

use image::{GrayImage, ImageFormat, Luma};
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};

use crate::out::Cells;
use crate::profile::{ProfileError, file};

/// Light modules around the code (ISO/IEC 18004, section 5.3.8).
const QUIET: usize = 4;
const PIXELS_PER_MODULE: u32 = 8;

/// A QR code at level L: on a screen nothing wears off, and a small code is read from farther away.
pub struct Qr(QrCode);

impl Qr {
    /// Of some bytes; `None`: more than a QR code holds.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        QrCode::with_error_correction_level(bytes, EcLevel::L).ok().map(Self)
    }

    /// Its size in character cells, two modules above each other in one.
    pub fn cells(&self) -> (usize, usize) {
        let modules = self.0.width() + 2 * QUIET;
        (modules, modules.div_ceil(2))
    }

    /// Whether it fits, with a line to spare for the prompt.
    pub fn fits(&self, terminal: Cells) -> bool {
        let (columns, rows) = self.cells();
        columns <= usize::from(terminal.columns) && rows < usize::from(terminal.rows)
    }

    /// For a terminal with light letters on a dark ground; scanners read the other kind as well.
    pub fn text(&self) -> String {
        self.0.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    }

    /// Writes it as a PNG file for its owner's eyes alone.
    ///
    /// # Errors
    /// [`ProfileError::File`].
    pub fn write_png(&self, path: &Path) -> Result<(), ProfileError> {
        let mut png = Cursor::new(Vec::new());
        self.picture()
            .write_to(&mut png, ImageFormat::Png)
            .map_err(std::io::Error::other)
            .map_err(ProfileError::file("draw", path))?;
        file::replace(path, &[&png.into_inner()])
    }

    fn picture(&self) -> GrayImage {
        let modules = self.0.width();
        let colors = self.0.to_colors();
        let side = u32::try_from(modules + 2 * QUIET).unwrap_or(u32::MAX) * PIXELS_PER_MODULE;
        let module = |pixel: u32| ((pixel / PIXELS_PER_MODULE) as usize).checked_sub(QUIET).filter(|at| *at < modules);
        GrayImage::from_fn(side, side, |x, y| {
            let color = module(x).zip(module(y)).and_then(|(x, y)| colors.get(y * modules + x));
            Luma([if color == Some(&Color::Dark) { 0 } else { 255 }])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_was_written_as_a_picture_reads_back_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.png");
        let code = format!("hob://contact/{}", "x".repeat(200));
        Qr::of(code.as_bytes()).unwrap().write_png(&path).unwrap();
        assert_eq!(crate::picture::read_code(&path, "hob://contact/").unwrap(), code);
    }

    #[test]
    fn the_longest_contact_code_fits_version_14_and_says_when_a_terminal_is_too_small() {
        let longest = format!("hob://contact/{}", "x".repeat(256usize.div_ceil(3) * 4));
        let qr = Qr::of(longest.as_bytes()).unwrap();
        let (columns, rows) = qr.cells();
        assert!(columns <= 17 + 4 * 14 + 8, "{columns} cells across");
        let roomy = Cells { columns: u16::try_from(columns).unwrap(), rows: u16::try_from(rows + 1).unwrap() };
        assert!(qr.fits(roomy));
        assert!(!qr.fits(Cells { rows: roomy.rows - 1, ..roomy }));
        assert!(!qr.fits(Cells { columns: roomy.columns - 1, ..roomy }));
        let text = qr.text();
        assert_eq!(text.lines().count(), rows);
        assert!(text.lines().all(|line| line.chars().count() == columns));
    }
}
