//! Figures over time: bars that a table behind them tells in numbers.

use std::fmt::Write as _;

use askama::Template;

use crate::markup::Markup;
use crate::ui::Ui;

/// Height and width of the drawing, in its own units: it is stretched to its place.
const HEIGHT: u64 = 100;
const STEP_WIDTH: u64 = 10;

/// Figures over time, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chart {
    /// Where the first step begins, in Unix seconds.
    pub from_unix_s: u64,
    /// How long a step is.
    pub step_s: u64,
    /// What happened in each step.
    pub steps: Vec<Step>,
}

/// What happened in one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Envelopes taken for keeping.
    pub accepted: u64,
    /// Envelopes acknowledged.
    pub delivered: u64,
    /// Envelopes that passed their deadline.
    pub expired: u64,
    /// Requests refused.
    pub refused: u64,
}

/// One of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Accepted,
    Delivered,
    Expired,
    Refused,
}

impl Figure {
    const fn of(self, step: &Step) -> u64 {
        match self {
            Self::Accepted => step.accepted,
            Self::Delivered => step.delivered,
            Self::Expired => step.expired,
            Self::Refused => step.refused,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// A row of the table.
struct Row {
    time: Markup,
    values: Vec<String>,
}

#[derive(Template)]
#[template(path = "chart.html")]
struct Html<'a> {
    ui: &'a Ui<'a>,
    id: &'a str,
    title: String,
    summary: String,
    figures: &'a [Figure],
    bars: Markup,
    steps_width: u64,
    top: String,
    half: Option<String>,
    times: Vec<String>,
    rows: Vec<Row>,
    empty: bool,
}

/// Draws a chart with its table; `id` is unique in the page, and `title` a key.
pub(crate) fn draw(ui: &Ui<'_>, id: &str, title: &str, chart: &Chart, figures: &[Figure]) -> Markup {
    let peak = peak(chart, figures);
    let top = round_up(peak);
    let html = Html {
        ui,
        id,
        title: ui.t(title),
        summary: summary(ui, chart, figures),
        figures,
        bars: bars(chart, figures, top),
        steps_width: chart.steps.len() as u64 * STEP_WIDTH,
        top: ui.count(top),
        half: top.is_multiple_of(2).then(|| ui.count(top / 2)),
        times: times(ui, chart),
        rows: rows(ui, chart, figures),
        empty: peak == 0,
    };
    Markup::trusted(html.render().unwrap_or_default())
}

fn peak(chart: &Chart, figures: &[Figure]) -> u64 {
    chart.steps.iter().flat_map(|step| figures.iter().map(|figure| figure.of(step))).max().unwrap_or(0)
}

/// The next of 2, 4, 10, 20, 40, 100 …: its half is whole, too.
fn round_up(peak: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        for step in [2, 4, 10] {
            let top = ten.saturating_mul(step);
            if top >= peak {
                return top;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// In one sentence, for those who do not see the bars: the sums.
fn summary(ui: &Ui<'_>, chart: &Chart, figures: &[Figure]) -> String {
    let sum = |figure: &Figure| chart.steps.iter().map(|step| figure.of(step)).sum::<u64>();
    let told = |figure: &Figure| ui.t1(&format!("chart-sum-{}", figure.name()), "count", sum(figure));
    figures.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// One path for each figure: the bars of a step stand side by side.
fn bars(chart: &Chart, figures: &[Figure], top: u64) -> Markup {
    let mut html = String::new();
    let each = (STEP_WIDTH - 2) as f64 / figures.len().max(1) as f64;
    for (place, figure) in figures.iter().enumerate() {
        let mut path = String::new();
        for (index, step) in chart.steps.iter().enumerate() {
            let value = figure.of(step);
            if value > 0 {
                let x = index as f64 * STEP_WIDTH as f64 + 1.0 + place as f64 * each;
                // What happened is seen, be it ever so little.
                let height = (value as f64 * HEIGHT as f64 / top as f64).max(1.0);
                let _ = write!(path, "M{x:.1} {HEIGHT}v-{height:.1}h{each:.1}v{height:.1}z");
            }
        }
        if !path.is_empty() {
            let _ = write!(html, "<path class=\"bar {}\" d=\"{path}\"/>", figure.name());
        }
    }
    Markup::trusted(html)
}

/// Begin, middle and end.
fn times(ui: &Ui<'_>, chart: &Chart) -> Vec<String> {
    let length = chart.steps.len() as u64 * chart.step_s;
    [0, length / 2, length].iter().map(|after| ui.clock_text(chart.from_unix_s + after)).collect()
}

/// Newest first: that is what is looked for.
fn rows(ui: &Ui<'_>, chart: &Chart, figures: &[Figure]) -> Vec<Row> {
    let row = |(index, step): (usize, &Step)| Row {
        time: ui.time(&(chart.from_unix_s + index as u64 * chart.step_s)),
        values: figures.iter().map(|figure| ui.count(figure.of(step))).collect(),
    };
    let quiet = |step: &Step| figures.iter().all(|figure| figure.of(step) == 0);
    chart.steps.iter().enumerate().rev().filter(|(_, step)| !quiet(step)).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chrome::Chrome;

    #[test]
    fn the_scale_ends_at_a_round_number_above_the_peak() {
        assert_eq!([0, 2, 3, 5, 11, 57, 100, 101].map(round_up), [2, 2, 4, 10, 20, 100, 100, 200]);
        assert!(round_up(u64::MAX) == u64::MAX, "the largest peak ends the search, too");
    }

    #[test]
    fn what_happened_once_in_a_busy_day_is_seen() {
        let chart = Chart {
            from_unix_s: 0,
            step_s: 60,
            steps: vec![Step { accepted: 1_000_000, ..Step::default() }, Step { accepted: 1, ..Step::default() }],
        };
        assert_eq!(bars(&chart, &[Figure::Accepted], 1_000_000).to_string().matches("v-1.0h").count(), 1);
    }

    #[test]
    fn a_quiet_time_is_said_in_words_instead_of_drawn() {
        let chrome = Chrome::default();
        let quiet = Chart { from_unix_s: 0, step_s: 60, steps: vec![Step::default(); 60] };
        let html = draw(&Ui::new(&chrome), "hour", "chart-hour", &quiet, &[Figure::Accepted]).to_string();
        assert!(html.contains("Nothing passed through the box") && !html.contains("<svg"), "{html}");
    }
}
