//! QR codes as SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use crate::markup::Markup;

/// Light modules around the code: scanners need the margin.
const QUIET_MODULES: usize = 4;

/// Draws a text as a QR code, dark on light in every colour scheme. `None`: it is longer than any code holds.
pub(crate) fn svg(text: &str, name: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (width, colors) = (code.width(), code.to_colors());
    let side = width + 2 * QUIET_MODULES;
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        draw_row(&mut path, row, y + QUIET_MODULES);
    }
    Some(Markup::trusted(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>",
        crate::markup::escape(name)
    )))
}

/// Each run of dark modules is one rectangle.
fn draw_row(path: &mut String, row: &[Color], y: usize) {
    let mut x = 0;
    while let Some(rest) = row.get(x..).filter(|rest| !rest.is_empty()) {
        let dark = rest.iter().take_while(|color| **color == Color::Dark).count();
        if dark > 0 {
            let _ = write!(path, "M{} {y}h{dark}v1h-{dark}z", x + QUIET_MODULES);
        }
        x += dark.max(1);
    }
}
