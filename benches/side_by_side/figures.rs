//! Medians and spreads.

/// Measurements of one thing, in the order they were taken.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Each value put through `f`.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Series {
        Series(self.0.iter().copied().map(f).collect())
    }

    /// How many times as long `other` took, round by round: what the machine did in that round it did to both.
    pub fn times_faster_than(&self, other: &Series) -> Series {
        Series(other.0.iter().zip(&self.0).map(|(theirs, ours)| theirs / ours).collect())
    }
}
