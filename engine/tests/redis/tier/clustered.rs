//! The second tier over a cluster, heard through the push connection: entries lie anywhere, the state in one place.

use super::host::{Host, config, tagged, text, units};
use crate::clusters::Cluster;
use crate::opening::opened;
use spillway_engine::clock::monotonic;
use spillway_engine::primitive::cache::UpTo;
use spillway_engine::primitive::remote::Far;
use spillway_engine::primitive::remote::cache::Fetched;
use spillway_engine::redis::Remote;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread::scope;

fn host(cluster: &Cluster) -> Host {
    let opened = opened(cluster.target());
    let far = Far::new(opened.link.clone(), opened.link.deadline()).hearing(opened.push.clone());
    Host::over(&far, opened.link.clone(), config())
}

#[test]
fn hosts_over_a_cluster_read_load_and_change_as_over_one_server() {
    let cluster = Cluster::start();
    let mut hosts = [0; 3].map(|_| host(&cluster));
    let [one, other, _] = &hosts;
    assert!(one.link.is_cluster());
    for key in 0..60 {
        let tag = if key < 30 { "low" } else { "high" };
        assert!(!one.set(&format!("key:{key}"), &tagged(&key.to_string(), &[tag])).owed);
    }
    Host::hears(&[one, other]);
    for key in 0..60 {
        assert_eq!(other.get(&format!("key:{key}")), Some(key.to_string()));
    }
    one.invalidate("low");
    assert!(!one.delete("key:50").owed);
    for key in 0..60 {
        let hit = matches!(other.fetch(&format!("key:{key}"), UpTo::Any), Fetched::Hit(_));
        assert_eq!(hit, key >= 30 && key != 50, "{key}");
    }
    Host::hears(&[one, other]);
    assert_eq!((other.memory("key:0"), other.memory("key:50")), (None, None));
    // What is set right after an invalidation is good, though the script cannot see the state.
    other.set("key:0", &tagged("new", &["low"]));
    assert!(matches!(one.fetch("key:0", UpTo::Any), Fetched::Hit(_)));

    let (mut keys, mut place) = (BTreeSet::new(), String::new());
    loop {
        let (sender, receiver) = channel();
        one.tier.scan(&place, &units("key:"), monotonic(), move |batch| sender.send(batch).unwrap());
        one.tier.flush();
        let batch = receiver.recv().unwrap().unwrap();
        keys.extend(batch.keys);
        place = batch.next;
        if place.is_empty() {
            break;
        }
    }
    assert_eq!(keys.len(), 59);
    assert_eq!(one.delete_prefix("key:").found, 59);
    assert!((0..60).all(|key| matches!(other.fetch(&format!("key:{key}"), UpTo::Any), Fetched::Miss)));

    let loads = AtomicU32::new(0);
    for round in 0..10 {
        scope(|scope| {
            for host in &mut hosts {
                let loads = &loads;
                scope.spawn(move || {
                    let value = host.get_or_set(&format!("load:{round}"), || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        text("loaded")
                    });
                    assert_eq!(value.as_deref(), Some("loaded"));
                });
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), round + 1);
    }
}
