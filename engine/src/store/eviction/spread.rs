//! How much weights differ. Owns the sums.
//! Never keeps a weight.

/// Weights seen before it is said that they differ.
const FEW: f64 = 64.0;

/// Weights that count: from then on the earlier ones count less.
const MANY: f64 = 65_536.0;

/// The first two moments.
#[derive(Default)]
pub(super) struct Spread {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Spread {
    pub(super) fn note(&mut self, weight: u32) {
        let weight = f64::from(weight);
        self.count += 1.0;
        self.sum += weight;
        self.squares += weight * weight;
        if self.count > MANY {
            self.count /= 2.0;
            self.sum /= 2.0;
            self.squares /= 2.0;
        }
    }

    /// Whether their standard deviation is over a third of their mean.
    pub(super) fn is_wide(&self) -> bool {
        self.count >= FEW && self.squares * self.count > 1.11 * self.sum * self.sum
    }
}
