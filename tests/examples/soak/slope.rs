//! Whether something grows: a line through its readings, and how sure it is.

/// Readings are averaged in so many blocks first: neighbours resemble each other, and would make the line look surer.
const BLOCKS: usize = 20;
/// What is not three times its own standard error is taken for chance.
const SURE: f64 = 3.0;
/// Growth in 24 hours of such work that is too much, as a share of the mean.
const TOO_MUCH: f64 = 0.1;

/// A line by least squares.
#[derive(Debug)]
pub struct Slope {
    mean: f64,
    per_hour: f64,
    error: f64,
    /// Both halves rise by themselves. A leak does; what climbs once and stays there does not, as a pool that fills up to its
    /// bound, or memory that was freed and is kept for the next time.
    is_steady: bool,
}

/// Of readings: hours, value.
pub fn of(points: &[(f64, f64)]) -> Slope {
    let size = points.len().div_ceil(BLOCKS).max(1);
    let blocks: Vec<(f64, f64)> = points.chunks(size).map(middle_of).collect();
    let (mean, per_hour, error) = line_through(&blocks);
    let (first, second) = blocks.split_at(blocks.len() / 2);
    let is_steady = [first, second].into_iter().map(line_through).all(|(_, per_hour, error)| per_hour > error);
    Slope { mean, per_hour, error, is_steady }
}

#[expect(clippy::cast_precision_loss, reason = "some hundred readings")]
fn middle_of(points: &[(f64, f64)]) -> (f64, f64) {
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let count = points.len().max(1) as f64;
    (sum.0 / count, sum.1 / count)
}

/// The mean, the slope, and its standard error.
#[expect(clippy::cast_precision_loss, reason = "some hundred readings")]
fn line_through(blocks: &[(f64, f64)]) -> (f64, f64, f64) {
    let (middle, mean) = middle_of(blocks);
    let spread: f64 = blocks.iter().map(|block| (block.0 - middle).powi(2)).sum();
    let together: f64 = blocks.iter().map(|block| (block.0 - middle) * (block.1 - mean)).sum();
    let per_hour = if spread > 0.0 { together / spread } else { 0.0 };
    let rest: f64 = blocks.iter().map(|block| (block.1 - mean - per_hour * (block.0 - middle)).powi(2)).sum();
    let free = (blocks.len() as f64 - 2.0).max(1.0);
    let error = if spread > 0.0 { (rest / free / spread).sqrt() } else { 0.0 };
    (mean, per_hour, error)
}

impl Slope {
    /// Grows for sure, steadily, and too fast.
    pub fn grows(&self) -> bool {
        self.is_steady && self.per_hour > SURE * self.error && self.per_hour * 24.0 > TOO_MUCH * self.mean
    }

    pub fn line(&self, name: &str, unit: &str, is_judged: bool) -> String {
        let Self { mean, per_hour, error, .. } = self;
        let verdict = match (is_judged, self.grows()) {
            (false, _) => "not judged",
            (true, true) => "GROWS",
            (true, false) => "flat",
        };
        format!("{name}: {mean:.1} {unit}, slope {per_hour:+.2} ± {error:.2} {unit} an hour: {verdict}")
    }
}
