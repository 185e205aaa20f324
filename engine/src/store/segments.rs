//! Records one after the other in segments of equal size, so that what they take of memory does not depend on how their sizes are
//! mixed. Owns where a record lies, and that no more than a known share of the segments is dead.
//! Never looks into a record beyond its owner and its length.
//!
//! A record that goes leaves a gap. When gaps are too large a share of all, the segment with the largest is emptied: its
//! records move to where new ones are written, and it is used anew.

use memmap2::MmapMut;

/// Where a record lies, in units of eight bytes.
pub(super) type Location = u32;

/// Locations are below.
pub(super) const LOCATIONS: u32 = 1 << 31;

/// Of the bytes in segments, one in so many may be in gaps.
pub(super) const GAP_SHARE: u64 = 10;

const UNIT: usize = 8;

/// Owner and length of a record, before its bytes.
const PREFIX: usize = 8;

const LARGEST_SEGMENT: u64 = 1 << 20;
const SMALLEST_SEGMENT: u64 = 4 << 10;
/// A shard has room for about so many of them, since the last is half empty on average.
const SEGMENTS_PER_SHARD: u64 = 64;

/// A record takes at most this part of a segment, or too much of its end would stay empty.
const RECORDS_PER_SEGMENT: usize = 4;

/// Segments emptied by one write, at most.
const EMPTIED_AT_ONCE: usize = 4;

/// Of the system's own, not the allocator's: what is given back is the system's again, whatever lies beside it.
#[derive(Default)]
struct Segment {
    memory: Option<MmapMut>,
    /// Bytes written, gone or not.
    filled: usize,
    /// Bytes of records that have not gone.
    live: usize,
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        self.memory.as_ref().and_then(|memory| memory.get(..self.filled)).unwrap_or_default()
    }

    /// Write a record at the end.
    fn push(&mut self, owner: u32, record: &[u8]) -> Option<usize> {
        let (at, taken) = (self.filled, record_bytes(record.len()));
        self.write(at, owner, record)?;
        self.filled += taken;
        self.live += taken;
        Some(at)
    }

    fn write(&mut self, at: usize, owner: u32, record: &[u8]) -> Option<()> {
        let to = self.memory.as_mut()?.get_mut(at..at + record_bytes(record.len()))?;
        let (prefix, rest) = to.split_first_chunk_mut::<PREFIX>()?;
        *prefix = (u64::from(owner) | (record.len() as u64) << 32).to_le_bytes();
        rest.get_mut(..record.len())?.copy_from_slice(record);
        Some(())
    }
}

/// The records of one shard.
pub(super) struct Segments {
    size: usize,
    segments: Vec<Segment>,
    /// Segments that hold nothing and have no memory either.
    free: Vec<usize>,
    /// Where records are written.
    head: usize,
    /// Memory of a segment that was emptied, for the next.
    spare: Option<MmapMut>,
    /// Bytes written, gone or not.
    filled: u64,
    /// Bytes of records that have not gone.
    live: u64,
}

/// What a record of `len` bytes takes in a segment.
pub(super) fn record_bytes(len: usize) -> usize {
    (PREFIX + len).next_multiple_of(UNIT)
}

impl Segments {
    /// For a shard with room for `capacity` bytes.
    pub(super) fn new(capacity: u64) -> Self {
        let size =
            (capacity / SEGMENTS_PER_SHARD).next_power_of_two().clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT) as usize;
        Segments { size, segments: Vec::new(), free: Vec::new(), head: 0, spare: None, filled: 0, live: 0 }
    }

    /// Whether a record of `len` bytes is for a segment, and there is a location left for it.
    pub(super) fn takes(&self, len: usize) -> bool {
        let units = self.size / UNIT;
        record_bytes(len) <= self.size / RECORDS_PER_SEGMENT && self.segments.len() < LOCATIONS as usize / units
    }

    /// What a record of `len` bytes takes, with its share of the end of a segment that no other fits into.
    pub(super) fn share_bytes(&self, len: usize) -> u64 {
        (self.size / (self.size / record_bytes(len)).max(1)) as u64
    }

    fn place(&self, location: Location) -> (usize, usize) {
        let at = location as usize * UNIT;
        (at / self.size, at % self.size)
    }

    /// The record's owner and its bytes.
    pub(super) fn get(&self, location: Location) -> Option<(u32, &[u8])> {
        let (segment, at) = self.place(location);
        record(self.segments.get(segment)?.bytes(), at)
    }

    /// Write a record down for `owner`. None: the system has no more memory.
    pub(super) fn push(&mut self, owner: u32, record: &[u8]) -> Option<Location> {
        let taken = record_bytes(record.len());
        if self.segments.get(self.head).is_none_or(|head| head.filled + taken > self.size) {
            self.begin_segment()?;
        }
        let at = self.segments.get_mut(self.head)?.push(owner, record)?;
        self.live += taken as u64;
        self.filled += taken as u64;
        Some(((self.head * self.size + at) / UNIT) as Location)
    }

    /// Write another record over one that takes as much. Whether it does.
    pub(super) fn overwrite(&mut self, location: Location, owner: u32, record: &[u8]) -> bool {
        let (segment, at) = self.place(location);
        if self.get(location).is_none_or(|(_, old)| record_bytes(old.len()) != record_bytes(record.len())) {
            return false;
        }
        self.segments.get_mut(segment).is_some_and(|segment| segment.write(at, owner, record).is_some())
    }

    fn begin_segment(&mut self) -> Option<()> {
        if self.free.is_empty() && self.segments.len() >= LOCATIONS as usize / (self.size / UNIT) {
            return None;
        }
        let memory = match self.spare.take() {
            Some(spare) => spare,
            None => MmapMut::map_anon(self.size).ok()?,
        };
        let segment = Segment { memory: Some(memory), ..Segment::default() };
        self.head = self.free.pop().unwrap_or(self.segments.len());
        match self.segments.get_mut(self.head) {
            Some(place) => *place = segment,
            None => self.segments.push(segment),
        }
        Some(())
    }

    /// The record has gone.
    pub(super) fn remove(&mut self, location: Location) {
        let (index, at) = self.place(location);
        let head = self.head;
        let Some(segment) = self.segments.get_mut(index) else { return };
        let taken = record(segment.bytes(), at).map_or(0, |(_, bytes)| record_bytes(bytes.len()));
        segment.live -= taken;
        self.live -= taken as u64;
        if segment.live == 0 && index != head {
            self.give_back(index);
        }
    }

    fn give_back(&mut self, index: usize) {
        let Some(segment) = self.segments.get_mut(index) else { return };
        let Segment { memory, filled, .. } = std::mem::take(segment);
        self.filled -= filled as u64;
        if self.spare.is_none() {
            self.spare = memory;
        }
        self.free.push(index);
    }

    /// If too much is in gaps, empty a few segments. `owned` says whether the record at a location is the one its owner has, and
    /// `moved` where it is now.
    pub(super) fn compact<O>(
        &mut self,
        owners: &mut O,
        owned: impl Fn(&O, u32, Location) -> bool,
        moved: impl Fn(&mut O, u32, Location),
    ) {
        for _ in 0..EMPTIED_AT_ONCE {
            // What is left at the end of a segment is no gap: moving records would not close it.
            let gaps = self.filled - self.live;
            if gaps <= self.filled / GAP_SHARE + self.size as u64 {
                return;
            }
            // It has at least the average share of gaps, so that what is moved is bounded by what is won.
            let full = self.segments.iter().enumerate().filter(|(index, _)| *index != self.head);
            let Some((index, _)) = full.max_by_key(|(_, segment)| segment.filled - segment.live) else { return };
            let Some(segment) = self.segments.get_mut(index) else { return };
            // Taken out, so that the rest can be written to.
            let mut emptied = std::mem::take(segment);
            let (mut at, mut live) = (0, emptied.live);
            while let Some((owner, record)) = record(emptied.bytes(), at) {
                let taken = record_bytes(record.len());
                if owned(owners, owner, ((index * self.size + at) / UNIT) as Location) {
                    let Some(location) = self.push(owner, record) else { break };
                    moved(owners, owner, location);
                    live -= taken;
                    self.live -= taken as u64;
                }
                at += taken;
            }
            emptied.live = live;
            if let Some(place) = self.segments.get_mut(index) {
                *place = emptied;
            }
            // The system has no more memory.
            if live > 0 {
                return;
            }
            self.give_back(index);
        }
    }
}

/// The record at a byte of a segment.
fn record(segment: &[u8], at: usize) -> Option<(u32, &[u8])> {
    let (owner, rest) = segment.get(at..)?.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*owner), rest.get(..u32::from_le_bytes(*len) as usize)?))
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Of every owner: where his record is, and what it must hold.
    type Owners = Vec<Option<(Location, Vec<u8>)>>;

    fn compact(segments: &mut Segments, owners: &mut Owners) {
        let owned = |owners: &Owners, owner: u32, location| {
            owners.get(owner as usize).and_then(Option::as_ref).is_some_and(|(at, _)| *at == location)
        };
        segments.compact(owners, owned, |owners, owner, location| {
            if let Some(Some((at, _))) = owners.get_mut(owner as usize) {
                *at = location;
            }
        });
    }

    #[test]
    fn records_stay_what_they_were_while_others_go_and_gaps_stay_a_small_share() {
        let mut word = 1u64;
        let mut below = |bound: u64| {
            word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            ((u128::from(word) * u128::from(bound)) >> 64) as u64
        };
        for lens in [10, 60, 500] {
            let mut segments = Segments::new(1 << 18);
            let mut owners: Owners = vec![None; 400];
            for turn in 0..60_000u64 {
                let owner = below(400) as u32;
                if let Some(Some((location, record))) = owners.get_mut(owner as usize) {
                    let other = vec![!turn as u8; below(lens) as usize];
                    let fits = record_bytes(other.len()) == record_bytes(record.len());
                    assert_eq!(segments.overwrite(*location, owner, &other), fits);
                    if fits {
                        *record = other;
                        continue;
                    }
                }
                if let Some(Some((location, _))) = owners.get_mut(owner as usize).map(Option::take) {
                    segments.remove(location);
                }
                // Now and then most of them go.
                if turn % 20_000 < 15_000 || below(8) == 0 {
                    let record = vec![turn as u8; below(lens) as usize];
                    assert!(segments.takes(record.len()));
                    let location = segments.push(owner, &record).expect("there is memory");
                    if let Some(place) = owners.get_mut(owner as usize) {
                        *place = Some((location, record));
                    }
                }
                compact(&mut segments, &mut owners);
                let live: usize = owners.iter().flatten().map(|(_, record)| record_bytes(record.len())).sum();
                assert_eq!(segments.live, live as u64);
                assert!(segments.filled - segments.live <= segments.filled / GAP_SHARE + segments.size as u64);
                let held: usize = segments.segments.iter().map(|segment| segment.filled).sum();
                assert_eq!(segments.filled, held as u64);
                if turn % 64 == 0 {
                    for (owner, place) in owners.iter().enumerate() {
                        if let Some((location, record)) = place {
                            assert_eq!(segments.get(*location), Some((owner as u32, &**record)));
                        }
                    }
                }
            }
            assert!(segments.segments.len() < 80, "segments are used anew");
        }
    }
}
