//! Division by a number that is known long before. Owns the reciprocal. Never rounds but down.

/// A divisor of 64-bit numbers, at the price of a multiplication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    /// At least 1.
    value: u64,
    /// `⌊2^64/value⌋`, or the largest word for 1.
    reciprocal: u64,
}

impl Divisor {
    /// Division by `value`, or by 1 if it is 0.
    pub fn new(value: u64) -> Self {
        let value = value.max(1);
        Divisor { value, reciprocal: u64::try_from((1u128 << 64) / u128::from(value)).unwrap_or(u64::MAX) }
    }

    /// What is divided by.
    pub fn value(self) -> u64 {
        self.value
    }

    /// Whole times it goes into `number`, and what is left.
    #[inline]
    pub fn divide(self, number: u64) -> (u64, u64) {
        // Never above the quotient, and at most one below.
        let estimate = ((u128::from(number) * u128::from(self.reciprocal)) >> 64) as u64;
        let rest = number - estimate * self.value;
        if rest >= self.value { (estimate + 1, rest - self.value) } else { (estimate, rest) }
    }

    /// `⌈number/value⌉`
    #[inline]
    pub fn divide_up(self, number: u64) -> u64 {
        let (whole, rest) = self.divide(number);
        whole + u64::from(rest > 0)
    }
}
