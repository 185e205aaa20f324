//! What each key in use has of its own, and when it is another. Never a bulkhead: a flag stands for one.

use crate::dice::key;
use spillway_engine::store::partitions::{Partition, Partitions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
struct Flag(AtomicBool);

impl Partition for Flag {
    fn is_gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_key_has_one_partition_as_long_as_it_lasts() {
    let partitions = Partitions::default();
    assert!(partitions.get(key(1)).is_none() && partitions.is_empty());
    let first: Arc<Flag> = partitions.get_or_make(key(1), Flag::default);
    assert!(Arc::ptr_eq(&first, &partitions.get_or_make(key(1), || panic!("there is one"))));
    assert!(Arc::ptr_eq(&first, &partitions.get(key(1)).unwrap()));
    assert!(!Arc::ptr_eq(&first, &partitions.get_or_make(key(2), Flag::default)));
    assert_eq!((partitions.len(), partitions.all().len()), (2, 2));
}

#[test]
fn the_end_of_one_that_was_replaced_does_not_take_the_new_one_along() {
    let partitions = Partitions::default();
    let first: Arc<Flag> = partitions.get_or_make(key(1), Flag::default);
    first.0.store(true, Ordering::Relaxed);
    let second = partitions.get_or_make(key(1), Flag::default);
    assert!(!Arc::ptr_eq(&first, &second), "what has ended is nobody's any more");
    partitions.remove(key(1), &first);
    assert!(Arc::ptr_eq(&second, &partitions.get(key(1)).unwrap()));
    partitions.remove(key(1), &second);
    assert!(partitions.is_empty());
}
