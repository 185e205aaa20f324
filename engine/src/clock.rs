//! The only reader of time. Never decides anything with it.

/// A point on a clock, or a span, in nanoseconds.
pub type Nanos = u64;

/// Nanoseconds in a millisecond.
pub const MILLI: Nanos = 1_000_000;

/// `CLOCK_MONOTONIC`, as the system keeps it.
#[cfg(unix)]
pub fn monotonic() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Never negative: the monotonic clock counts from the start of the machine.
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// The same clock as of its last tick, up to ten milliseconds ago, for a fifth of the price.
#[cfg(target_os = "linux")]
pub fn monotonic_coarse() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Where the system has no cheaper clock, the same.
#[cfg(not(target_os = "linux"))]
pub fn monotonic_coarse() -> Nanos {
    monotonic()
}

/// Nanoseconds since the first reading, plus one hour so that no span reaches below zero.
#[cfg(not(unix))]
pub fn monotonic() -> Nanos {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 3_600_000_000_000
}

/// Milliseconds, rounded up: who waits this long is never early.
pub fn millis_up(span: Nanos) -> u64 {
    span.div_ceil(MILLI)
}
