//! The breaker's gate under real threads that race for the same probes.
//! Never sleeps: a thread that finds `until` half written asks again.

use parking_lot::{Condvar, Mutex};
use spillway_engine::policy::breaker::{OpenTime, Outcome, State};
use spillway_engine::primitive::gate::{Entry, Gate, Left};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const PROBE_TIMEOUT: u64 = 15_000;
const OPEN: OpenTime = OpenTime { first: 5_000, max: 60_000, jitter: 0.0 };

/// A barrier that a thread which fails calls off, so that the others do not wait for it for ever.
#[derive(Default)]
struct Meeting {
    came: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Meeting {
    /// Wait until everybody has come to the meeting of this number.
    fn wait(&self, threads: u64, number: u64) {
        let mut came = self.came.lock();
        came.0 += 1;
        self.changed.notify_all();
        self.changed.wait_while(&mut came, |(came, off)| *came < threads * (number + 1) && !*off);
        assert!(!came.1, "another thread failed");
    }
}

/// Held by each thread that comes to a meeting.
struct Invitation<'a>(&'a Meeting);

impl Drop for Invitation<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.came.lock().1 = true;
            self.0.changed.notify_all();
        }
    }
}

/// Enter until told that every probe is out; how often it was let in, and into which generation.
fn enter_until_full(gate: &Gate, now: u64) -> (u32, u32) {
    let (mut admitted, mut into) = (0, 0);
    for _ in 0..10_000_000 {
        match gate.enter(now).0 {
            Entry::Admitted(generation) => (admitted, into) = (admitted + 1, generation),
            Entry::Refused(Some(PROBE_TIMEOUT)) => return (admitted, into),
            // Somebody is writing `until`.
            Entry::Refused(Some(1)) => std::thread::yield_now(),
            refused => panic!("{refused:?}"),
        }
    }
    panic!("there is no end of probes, or `until` is never written")
}

#[test]
fn ten_thousand_recoveries_admit_exactly_the_probes() {
    const RECOVERIES: u64 = 10_000;
    const THREADS: u64 = 3;
    const PROBES: u16 = 3;
    let gate = Gate::new(PROBES, PROBE_TIMEOUT, OPEN, 1);
    let (admitted, generation) = (AtomicU32::new(0), AtomicU64::new(0));
    let meeting = Meeting::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (gate, admitted, generation, meeting) = (&gate, &admitted, &generation, &meeting);
            scope.spawn(move || {
                let _invitation = Invitation(meeting);
                for recovery in 0..RECOVERIES {
                    let now = recovery * 100_000;
                    if thread == 0 {
                        assert!(gate.trip(gate.control().generation(), now));
                        assert_eq!(gate.enter(now + 4_999).0, Entry::Refused(Some(1)));
                    }
                    meeting.wait(THREADS, 2 * recovery);
                    let (in_here, into) = enter_until_full(gate, now + 5_000);
                    admitted.fetch_add(in_here, Ordering::Relaxed);
                    if in_here > 0 {
                        generation.store(u64::from(into), Ordering::Relaxed);
                    }
                    meeting.wait(THREADS, 2 * recovery + 1);
                    if thread == 0 {
                        assert_eq!(admitted.swap(0, Ordering::Relaxed), u32::from(PROBES), "in recovery {recovery}");
                        let into = generation.load(Ordering::Relaxed) as u32;
                        assert_eq!(gate.control().state(), State::HalfOpen);
                        let left = [(); PROBES as usize].map(|()| gate.exit(into, Outcome::Ok, now + 5_001));
                        assert_eq!(left, [Left::Noted, Left::Noted, Left::Closed]);
                        assert_eq!(gate.exit(into, Outcome::Ok, now + 5_001), Left::Stale);
                    }
                }
            });
        }
    });
    assert_eq!(u64::from(gate.control().generation()), RECOVERIES * 3);
}

#[test]
fn a_probe_given_back_twice_is_stale_the_second_time() {
    let gate = Gate::new(2, PROBE_TIMEOUT, OPEN, 1);
    assert!(gate.trip(0, 0));
    for outcome in [Outcome::Ignore, Outcome::Ok] {
        let Entry::Admitted(probe) = gate.enter(5_000).0 else { panic!("a probe is let in") };
        assert_eq!(gate.exit(probe, outcome, 5_000), Left::Noted);
        for again in [Outcome::Ok, Outcome::Fail, Outcome::Ignore] {
            assert_eq!(gate.exit(probe, again, 5_000), Left::Stale);
        }
    }
    assert_eq!((gate.control().issued(), gate.control().ok()), (1, 1));
}

#[test]
fn what_an_earlier_window_reached_does_not_open_this_one() {
    let gate = Gate::new(2, PROBE_TIMEOUT, OPEN, 1);
    let earlier = gate.control().generation();
    gate.force(State::Closed);
    assert!(!gate.trip(earlier, 0));
    assert!(gate.trip(gate.control().generation(), 0));
    assert!(!gate.trip(gate.control().generation(), 0), "nor does anything open what is open");
}
