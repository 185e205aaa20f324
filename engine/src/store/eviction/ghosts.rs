//! Who was evicted of late. Owns fingerprints with stamp and frequency, 4 bytes each, three for each resident.
//! Never exact: a full row forgets its oldest, and two hashes can meet, which costs a wrong guess and nothing else.

/// What is remembered of an entry that had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    /// Of its last use, the lower bits.
    pub(super) stamp: u32,
    /// As of the stamp; at least 1.
    pub(super) frequency: u32,
    /// How many of its row were evicted since.
    pub(super) depth: usize,
}

/// Ghosts in a row: one line of memory, the latest first.
const ROW: usize = 16;

/// Ghosts for each resident.
const PER_RESIDENT: usize = 3;

const STAMP: u32 = 0xffff;
const FREQUENCY_SHIFT: u32 = 16;
const PRINT: u32 = 0xfff8_0000;

/// | bits of a word | what |
/// | --- | --- |
/// | 0–15 | stamp |
/// | 16–18 | frequency; 0 only in an empty word |
/// | 19–31 | fingerprint |
pub(super) struct Ghosts {
    rows: Vec<[u32; ROW]>,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Ghosts { rows: Vec::new() }
    }

    /// What is remembered of this hash, which is forgotten thereby.
    pub(super) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let (row, print) = self.place(hash)?;
        let row = self.rows.get_mut(row)?;
        let depth = row.iter().position(|word| word & PRINT == print && word & 7 << FREQUENCY_SHIFT != 0)?;
        let word = std::mem::take(row.get_mut(depth)?);
        Some(Ghost { stamp: word & STAMP, frequency: word >> FREQUENCY_SHIFT & 7, depth })
    }

    /// Remember it. When the number of residents has changed by half since there was last a table made, a new one begins
    /// empty: carrying ghosts over would be a pause.
    pub(super) fn put(&mut self, hash: u64, stamp: u32, frequency: u32, residents: usize) {
        let (wanted, room) = (residents * PER_RESIDENT, self.rows.len() * ROW);
        if wanted * 2 > room * 3 || wanted * 3 + 3 * ROW < room * 2 {
            self.rows = vec![[0; ROW]; wanted.div_ceil(ROW)];
        }
        let Some((row, print)) = self.place(hash) else { return };
        let Some(row) = self.rows.get_mut(row) else { return };
        let mut word = print | frequency.clamp(1, 7) << FREQUENCY_SHIFT | stamp & STAMP;
        for place in row {
            word = std::mem::replace(place, word);
            if word == 0 {
                return;
            }
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * ROW * size_of::<u32>()
    }

    fn place(&self, hash: u64) -> Option<(usize, u32)> {
        let rows = self.rows.len() as u64;
        // Mixed anew, since the entries of one shard have bits of the hash in common.
        let mixed = mix(hash);
        (rows > 0).then(|| ((((mixed >> 32) * rows) >> 32) as usize, mixed as u32 & PRINT))
    }
}

/// How long ago a ghost was last used: right up to the 65,535 units its stamp can tell, which are 32 turns at least.
pub(super) fn since(now: u32, stamp: u32) -> u32 {
    now.wrapping_sub(stamp) & STAMP
}

/// An even spread of any hash: the finalizer of splitmix64.
pub(super) fn mix(hash: u64) -> u64 {
    let mut x = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
