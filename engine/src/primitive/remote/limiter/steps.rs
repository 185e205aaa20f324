//! The steps that plain commands count units in. Owns that a limit fills what Redis can hold, so that one unit more is refused by
//! Redis itself. Never asks anything.

/// The largest limit whose windows can be counted in steps that doubles hold: count and step have 53 bits together.
pub(super) const MOST_COUNTED: u32 = (1 << 26) - 1;

/// The step a unit is counted in: `limit` of them fit 63 bits, one more does not. Of all that do, the one with the most zeros at its
/// end, so that every multiple is exact as a double.
pub(super) fn unit(limit: u32) -> u64 {
    let limit = u64::from(limit.max(1));
    let (most, room) = (i64::MAX as u64 / limit, i64::MAX as u64 / (limit * (limit + 1)));
    let zeros = room.max(1).ilog2();
    (most >> zeros) << zeros
}

#[cfg(test)]
mod tests {
    use super::{MOST_COUNTED, unit};

    #[test]
    fn a_limit_of_units_fits_and_one_more_does_not_and_every_multiple_is_a_double() {
        for limit in (1..2_000).chain([1 << 20, (1 << 25) - 1, MOST_COUNTED - 1, MOST_COUNTED]) {
            let (unit, limit) = (unit(limit), i128::from(limit));
            let top = i128::from(i64::MAX);
            assert!(limit * i128::from(unit) <= top && (limit + 1) * i128::from(unit) > top, "{limit}");
            for count in [1, 2, limit / 3, limit - 1, limit, MOST_COUNTED.into()] {
                let sum = (count * i128::from(unit)).unsigned_abs();
                assert_eq!(sum as f64 as u128, sum, "{count} of {limit}");
            }
        }
    }
}
