//! Who was evicted of late. Owns fingerprints with stamp and frequency, 8 bytes each, about as many as there are entries.
//! Never exact: a full row forgets its oldest, and two hashes can meet, which costs a wrong guess and nothing else.

/// What is remembered of an entry that had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    /// Of its last use.
    pub(super) stamp: u32,
    /// As of the stamp; at least 1.
    pub(super) frequency: u32,
}

/// Ghosts in a row: one line of memory.
const ROW: usize = 8;

const STAMP: u64 = 0x00ff_ffff;

/// | bits of a word | what |
/// | --- | --- |
/// | 0–23 | stamp |
/// | 24–27 | frequency; 0 only in an empty word |
/// | 28–63 | fingerprint |
pub(super) struct Ghosts {
    rows: Vec<[u64; ROW]>,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Ghosts { rows: Vec::new() }
    }

    /// What is remembered of this hash, which is forgotten thereby.
    pub(super) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let (row, print) = self.place(hash)?;
        let word = self
            .rows
            .get_mut(row)?
            .iter_mut()
            .find(|word| **word & !0x0fff_ffff == print && **word & 0x0f00_0000 != 0)?;
        let ghost = Ghost { stamp: (*word & STAMP) as u32, frequency: (*word >> 24 & 15) as u32 };
        *word = 0;
        Some(ghost)
    }

    /// Remember it, in place of the one of its row that was last used the longest ago. When the number of residents
    /// has changed by half since there was last a table made, a new one begins empty: carrying ghosts over would be a pause.
    pub(super) fn put(&mut self, hash: u64, ghost: Ghost, now: u32, residents: usize) {
        let room = self.rows.len() * ROW;
        if residents * 2 > room * 3 || residents * 3 + 3 * ROW < room * 2 {
            self.rows = vec![[0; ROW]; residents / ROW + 1];
        }
        let Some((row, print)) = self.place(hash) else { return };
        let word = print | u64::from(ghost.frequency.clamp(1, 15)) << 24 | u64::from(ghost.stamp) & STAMP;
        if let Some(row) = self.rows.get_mut(row) {
            put_in(row, word, now);
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * ROW * size_of::<u64>()
    }

    fn place(&self, hash: u64) -> Option<(usize, u64)> {
        let rows = self.rows.len() as u64;
        // Mixed anew, since the entries of one shard have bits of the hash in common.
        let mixed = mix(hash);
        (rows > 0).then(|| (((mixed >> 32) * rows >> 32) as usize, mixed << 28))
    }
}

/// Over an empty word, or the oldest.
fn put_in(row: &mut [u64; ROW], word: u64, now: u32) {
    let age = |word: u64| if word == 0 { u64::MAX } else { u64::from(now).wrapping_sub(word) & STAMP };
    if let Some(oldest) = row.iter_mut().max_by_key(|word| age(**word)) {
        *oldest = word;
    }
}

/// An even spread of any hash: the finalizer of splitmix64.
pub(super) fn mix(hash: u64) -> u64 {
    let mut x = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
