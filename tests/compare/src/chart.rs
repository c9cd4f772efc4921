//! The picture of the table: three groups of bars, readable on light and on dark.

use crate::server::{Kind, Row, Setting};
use crate::table::number;
use crate::work::Figures;

const WIDTH: f64 = 860.0;
const BAR_FROM: f64 = 250.0;
const BAR_MAX: f64 = 500.0;
const ROW: f64 = 22.0;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1b1f24}.title{font-weight:600;font-size:15px}\
.small{font-size:12px;fill:#57606a}.synced{fill:#0b7285}.cache{fill:#8aa4b0}.memory{fill:#d9a441}.page{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9aa7b4}.synced{fill:#3bc9db}.cache{fill:#6b8290}\
.memory{fill:#b8862d}.page{fill:#0d1117}}";

/// What an acknowledgement means there.
fn promise(of: &Figures) -> &'static str {
    match of.row {
        Row { kind: Kind::Hob, .. } | Row { kind: Kind::Prosody | Kind::Ejabberd, setting: Setting::Syncs } => "synced",
        _ if of.lost.0 > 0 => "memory",
        _ => "cache",
    }
}

/// Draws it.
pub fn draw(figures: &[Figures]) -> String {
    type Pick = fn(&Figures) -> f64;
    let groups: [(&str, Pick); 4] = [
        ("online, 50 senders: messages of 2 KiB per CPU-second of the server", |of| of.large.online),
        ("at 500 a second: messages per CPU-second", |of| of.paced),
        ("stored for absent readers: messages per CPU-second", |of| of.large.stored),
        ("drained by them: messages per CPU-second", |of| of.large.drained),
    ];
    let mut body = String::new();
    let mut y = 28.0;
    for (title, pick) in groups {
        body.push_str(&format!("<text class=\"title\" x=\"16\" y=\"{y}\">{title}</text>\n"));
        y += 12.0;
        let most = figures.iter().map(pick).filter(|value| value.is_finite()).fold(1.0, f64::max);
        for of in figures {
            let value = pick(of);
            let length = (value / most * BAR_MAX).clamp(1.0, BAR_MAX);
            let (text_y, end) = (y + 15.0, BAR_FROM + length + 8.0);
            body.push_str(&format!(
                "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\">{}</text>",
                BAR_FROM - 10.0,
                of.row.name()
            ));
            body.push_str(&format!(
                "<rect class=\"{}\" x=\"{BAR_FROM}\" y=\"{}\" width=\"{length:.1}\" height=\"15\" rx=\"2\"/>",
                promise(of),
                y + 3.0
            ));
            body.push_str(&format!("<text class=\"small\" x=\"{end:.1}\" y=\"{text_y}\">{}</text>\n", number(value)));
            y += ROW;
        }
        y += 26.0;
    }
    let legend = [
        ("synced", "synced before it is acknowledged"),
        ("cache", "in the kernel's cache"),
        ("memory", "lost by SIGKILL"),
    ];
    let mut x = 16.0;
    for (class, text) in legend {
        body.push_str(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"2\"/>",
            y - 12.0
        ));
        body.push_str(&format!("<text class=\"small\" x=\"{}\" y=\"{y}\">{text}</text>\n", x + 20.0));
        x += 260.0;
    }
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Hob beside \
         its peers\">\n<style>{STYLE}</style>\n<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{body}</svg>\n"
    )
}
