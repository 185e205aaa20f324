//! Holders written down in this process, for all its threads. Owns their expiry, on the monotonic clock, and the fences.
//! Never fails, and calls back before it returns, under no lock.

use super::{Holders, Spot, Ticket, Told, Verdict, Wish};
use crate::clock::Nanos;
use crate::primitive::remote::sleeper::Timepiece;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Spots that may be left behind by holders that never release before the first look for them.
const FEW: usize = 64;

/// See the top of this file.
pub struct NearHolders {
    time: Arc<dyn Timepiece>,
    /// Microseconds since 1970.
    micros: fn() -> u64,
    spots: Mutex<Spots>,
}

#[derive(Default)]
struct Spots {
    held: HashMap<Vec<u8>, Vec<(Ticket, Nanos)>>,
    /// With so many, look for those whose holders have all expired.
    sweep_at: usize,
}

impl NearHolders {
    /// None yet, on these clocks.
    pub fn new(time: Arc<dyn Timepiece>, micros: fn() -> u64) -> Self {
        NearHolders { time, micros, spots: Mutex::new(Spots { held: HashMap::new(), sweep_at: FEW }) }
    }

    fn fence(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let micros = (self.micros)();
        // As in Redis, so that they grow over the restarts of a process too.
        let last = LAST.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(micros.max(last + 1)));
        micros.max(last.unwrap_or_default() + 1)
    }
}

impl Spots {
    fn acquire_locked(&mut self, spot: &Spot, wish: Wish, now: Nanos) -> Result<bool, Nanos> {
        if self.held.len() >= self.sweep_at {
            self.held.retain(|_, holders| holders.iter().any(|&(_, ends_at)| ends_at > now));
            self.sweep_at = FEW.max(2 * self.held.len());
        }
        let holders = self.held.entry(spot.key.clone()).or_default();
        let live = holders.iter().filter(|&&(_, ends_at)| ends_at > now);
        let (count, first) =
            live.fold((0, Nanos::MAX), |(count, first), &(_, ends_at)| (count + 1, first.min(ends_at)));
        if count >= wish.limit {
            return Err(first - now);
        }
        let before = holders.len();
        holders.retain(|&(_, ends_at)| ends_at > now);
        let took_over = holders.len() < before;
        holders.push((wish.ticket, now.saturating_add(wish.ttl)));
        Ok(took_over)
    }

    fn renew_locked(&mut self, spot: &Spot, wish: Wish, now: Nanos) -> bool {
        let holder =
            self.held.get_mut(&spot.key).and_then(|held| held.iter_mut().find(|(ticket, _)| *ticket == wish.ticket));
        match holder {
            Some((_, ends_at)) if *ends_at > now => {
                *ends_at = now.saturating_add(wish.ttl);
                true
            }
            _ => false,
        }
    }

    fn release_locked(&mut self, spot: &Spot, ticket: Ticket) -> bool {
        let Some(holders) = self.held.get_mut(&spot.key) else { return false };
        let before = holders.len();
        holders.retain(|&(holder, _)| holder != ticket);
        let gone = holders.len() < before;
        if holders.is_empty() {
            self.held.remove(&spot.key);
        }
        gone
    }
}

impl Holders for NearHolders {
    fn acquire(&self, spot: &Spot, wish: Wish, _deadline: Nanos, told: Told<Verdict>) {
        let now = self.time.now();
        let (held, fence) = {
            let mut spots = self.spots.lock();
            let held = spots.acquire_locked(spot, wish, now);
            // Under the lock, so that who holds later has the larger fence.
            (held, if held.is_ok() { self.fence() } else { 0 })
        };
        told(Ok(held.map_or_else(Verdict::Full, |took_over| Verdict::Held { fence, took_over })));
    }

    fn renew(&self, spot: &Spot, wish: Wish, _deadline: Nanos, told: Told<bool>) {
        let now = self.time.now();
        let renewed = self.spots.lock().renew_locked(spot, wish, now);
        told(Ok(renewed));
    }

    fn release(&self, spot: &Spot, wish: Wish, _deadline: Nanos, told: Told<bool>) {
        let gone = self.spots.lock().release_locked(spot, wish.ticket);
        told(Ok(gone));
    }

    fn flush(&self) {}

    fn deadline(&self, now: Nanos) -> Nanos {
        now
    }
}
