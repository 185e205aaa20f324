//! The only reader of time. Never decides anything with it.

/// A point on a clock, or a span, in nanoseconds.
pub type Nanos = u64;

/// Nanoseconds in a millisecond.
pub const MILLI: Nanos = 1_000_000;

/// The time, for whoever may not need it: read when it is called.
pub type Clock<'a> = &'a dyn Fn() -> Nanos;

/// `CLOCK_MONOTONIC`, as the system keeps it.
#[cfg(unix)]
pub fn monotonic() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Never negative: the monotonic clock counts from the start of the machine.
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// `CLOCK_REALTIME`: nanoseconds since 1970 in UTC. May jump.
#[cfg(unix)]
pub fn wall() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    // A machine that believes to live before 1970 counts in its first window.
    u64::try_from(time.tv_sec).unwrap_or(0).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Nanoseconds since 1970 in UTC. May jump.
#[cfg(not(unix))]
pub fn wall() -> Nanos {
    use std::time::SystemTime;
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64)
}

/// One moment on the clocks that whoever is asked goes by; 0 on a clock nobody needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// On the monotonic clock.
    pub mono: Nanos,
    /// On the calendar's.
    pub wall: Nanos,
}

/// The monotonic clock as of its last tick, up to ten milliseconds ago, for a fifth of the price.
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
