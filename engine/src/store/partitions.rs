//! What each key in use has of its own: key → partition, made when it is first asked for. Owns that an idle key has none.
//! Never decides that one is idle: the partition ends itself, and whoever finds it ended makes another.

use super::fingerprint::Fingerprint;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

const SHARDS: usize = 16;
/// Room a shard may keep for keys that come back.
const SPARE: usize = 64;

/// Something that a key has while it is in use.
pub trait Partition {
    /// Whether it has ended, for ever.
    fn is_gone(&self) -> bool;
}

type Shard<P> = Mutex<HashMap<Fingerprint, Arc<P>>>;

/// The partitions of all keys in use.
pub struct Partitions<P> {
    shards: [Shard<P>; SHARDS],
}

impl<P> Default for Partitions<P> {
    fn default() -> Self {
        Partitions { shards: std::array::from_fn(|_| Shard::default()) }
    }
}

impl<P: Partition> Partitions<P> {
    fn shard(&self, key: Fingerprint) -> &Shard<P> {
        #[allow(clippy::indexing_slicing, reason = "a place of so many is below the array's length")]
        &self.shards[key.place(SHARDS)]
    }

    /// The partition of a key, if it has one.
    pub fn get(&self, key: Fingerprint) -> Option<Arc<P>> {
        self.shard(key).lock().get(&key).cloned()
    }

    /// The partition of a key, made now if it has none or one that has ended.
    pub fn get_or_make(&self, key: Fingerprint, make: impl FnOnce() -> P) -> Arc<P> {
        let mut shard = self.shard(key).lock();
        match shard.get(&key) {
            Some(present) if !present.is_gone() => present.clone(),
            _ => {
                let made = Arc::new(make());
                shard.insert(key, made.clone());
                made
            }
        }
    }

    /// Drop a partition that has ended, unless the key has another since.
    pub fn remove(&self, key: Fingerprint, ended: &P) {
        let mut shard = self.shard(key).lock();
        if shard.get(&key).is_some_and(|present| std::ptr::eq(&**present, ended)) {
            shard.remove(&key);
        }
        if shard.capacity() > SPARE && shard.len() < shard.capacity() / 8 {
            let room = shard.len() * 2;
            shard.shrink_to(room);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<P>> {
        self.shards.iter().flat_map(|shard| Vec::from_iter(shard.lock().values().cloned())).collect()
    }
}
