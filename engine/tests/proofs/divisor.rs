//! Division by multiplication against the machine's own.
//! Never a sample without the numbers beside every multiple.

use proptest::prelude::*;
use spillway_engine::policy::divisor::Divisor;

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..1_000u64,
        any::<u64>(),
        u64::MAX - 1_000..=u64::MAX,
        (0..64u32).prop_map(|bit| 1 << bit),
        any::<u32>().prop_map(u64::from)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quotient_and_rest_are_those_of_the_machine(value in numbers(), number in numbers(), and in -2..=2i64) {
        let divisor = Divisor::new(value);
        let value = value.max(1);
        prop_assert_eq!(divisor.value(), value);
        for number in [number, (number / value * value).saturating_add_signed(and)] {
            prop_assert_eq!(divisor.divide(number), (number / value, number % value));
            prop_assert_eq!(divisor.divide_up(number), number.div_ceil(value));
        }
    }
}
