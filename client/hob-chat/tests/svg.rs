//! A picture of a terminal: what `vt100` has of its screen, as SVG. Lines are drawn as lines, so that no font tears them.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

const ADVANCE: f64 = 9.0;
const HEIGHT: f64 = 20.0;
const MARGIN: f64 = 16.0;
const BAR: f64 = 30.0;
const GROUND: &str = "#14191f";
const TEXT: &str = "#d9dee5";
const FAINT: &str = "#7d8896";

/// The screen with its cursor, under this title.
pub fn of(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (f64::from(columns) * ADVANCE + 2.0 * MARGIN, f64::from(rows) * HEIGHT + MARGIN + BAR + 6.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title\">\n<title id=\"title\">{title}</title>\n<style>text{{font:15px \
         ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;white-space:pre}}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{GROUND}\"/>\n<g fill=\"#39434f\"><circle cx=\"20\" \
         cy=\"17\" r=\"5\"/><circle cx=\"37\" cy=\"17\" r=\"5\"/><circle cx=\"54\" cy=\"17\" r=\"5\"/></g>\n"
    );
    let mut lines = String::new();
    for row in 0..rows {
        draw_row(screen, row, columns, &mut svg, &mut lines);
    }
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let (x, y) = place(row, column);
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{}\" width=\"2\" height=\"18\" fill=\"{TEXT}\"/>", y + 1.0);
    }
    let _ = writeln!(svg, "<path d=\"{lines}\" stroke=\"#3d4855\" fill=\"none\"/>\n</svg>");
    svg
}

fn place(row: u16, column: u16) -> (f64, f64) {
    (MARGIN + f64::from(column) * ADVANCE, BAR + f64::from(row) * HEIGHT)
}

/// Runs of cells that look alike become one text each, stretched to the cells' width whatever the font.
fn draw_row(screen: &Screen, row: u16, columns: u16, svg: &mut String, lines: &mut String) {
    let mut column = 0;
    while column < columns {
        let Some(cell) = screen.cell(row, column) else { return };
        if let Some(strokes) = strokes(cell.contents()) {
            draw_lines(strokes, row, column, lines);
            column += 1;
            continue;
        }
        let start = column;
        let mut text = String::new();
        while let Some(next) = screen.cell(row, column)
            && looks(next) == looks(cell)
            && strokes_of(next).is_none()
        {
            if !next.is_wide_continuation() {
                text.push_str(if next.has_contents() { next.contents() } else { " " });
            }
            column += 1;
        }
        draw_text(&text, cell, row, start, column - start, svg);
    }
}

fn draw_text(text: &str, cell: &Cell, row: u16, start: u16, cells: u16, svg: &mut String) {
    let (x, y) = place(row, start);
    if cell.inverse() {
        let wide = f64::from(cells) * ADVANCE;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{HEIGHT}\" fill=\"{TEXT}\"/>");
    }
    let ending = text.trim_end();
    let leading = ending.len() - ending.trim_start().len();
    let shown = ending.trim_start();
    if shown.is_empty() {
        return;
    }
    let wide = unicode_width::UnicodeWidthStr::width(shown) as f64 * ADVANCE;
    let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
    let (x, y) = (x + leading as f64 * ADVANCE, y + 15.0);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{wide}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{weight} \
         xml:space=\"preserve\">{escaped}</text>",
        fill(cell)
    );
}

fn fill(cell: &Cell) -> &'static str {
    match (cell.inverse(), cell.fgcolor(), cell.dim()) {
        (true, ..) => GROUND,
        (false, Color::Idx(1 | 9), _) => "#ff7b72",
        (false, Color::Idx(2 | 10), _) => "#7fd08a",
        (false, Color::Idx(3 | 11), _) => "#e8b65a",
        (false, Color::Idx(6 | 14), _) => "#74c7ec",
        (false, _, true) => FAINT,
        (false, _, false) => TEXT,
    }
}

fn looks(cell: &Cell) -> (Color, bool, bool, bool) {
    (cell.fgcolor(), cell.bold(), cell.dim(), cell.inverse())
}

/// Whether a line goes from the middle of a cell to its left, right, top, bottom.
fn strokes(sign: &str) -> Option<[bool; 4]> {
    Some(match sign {
        "─" => [true, true, false, false],
        "│" => [false, false, true, true],
        "┼" => [true, true, true, true],
        "├" => [false, true, true, true],
        "┴" => [true, true, true, false],
        "╭" => [false, true, false, true],
        "╮" => [true, false, false, true],
        "╰" => [false, true, true, false],
        "╯" => [true, false, true, false],
        _ => return None,
    })
}

fn strokes_of(cell: &Cell) -> Option<[bool; 4]> {
    strokes(cell.contents())
}

fn draw_lines([left, right, up, down]: [bool; 4], row: u16, column: u16, lines: &mut String) {
    let (x, y) = place(row, column);
    let (middle_x, middle_y) = (x + ADVANCE / 2.0, y + HEIGHT / 2.0);
    for (is_there, to_x, to_y) in
        [(left, x, middle_y), (right, x + ADVANCE, middle_y), (up, middle_x, y), (down, middle_x, y + HEIGHT)]
    {
        if is_there {
            let _ = write!(lines, "M{middle_x} {middle_y}L{to_x} {to_y}");
        }
    }
}
