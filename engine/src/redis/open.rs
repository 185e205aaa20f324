//! How a target becomes a link and a push connection. Owns nothing of them.
//! Never waits: both connect by themselves.

use super::cluster::{Anyone, Cluster};
use super::dial::Dial;
use super::link::Link;
use super::node::Node;
use super::push::Push;
use super::routes::{One, Routes};
use super::sentinel::{Guarded, Guided, Sentinels};
use super::straight::Straight;
use super::target::{Mode, Target};
use super::traffic::Settings;
use std::sync::Arc;

/// The two connections of a target. Each ends when its last owner drops it.
#[derive(Clone)]
pub struct Opened {
    /// What is asked and answered goes through this one.
    pub link: Arc<Link>,
    /// What is published is heard over this one.
    pub push: Arc<Push>,
}

/// Open both. Whether it is any use is told by [`super::examine()`].
pub fn open(target: Target) -> Opened {
    let target = Arc::new(target);
    let settings = Settings {
        deadline: target.deadline,
        connect_timeout: target.connect_timeout,
        max_in_flight: target.max_in_flight,
    };
    let patience = target.patience();
    match target.mode {
        Mode::Single => {
            let way = Straight::new(target);
            let push = Push::new(way.clone(), false, patience);
            Opened { link: over_one(settings, way), push }
        }
        Mode::Sentinel => {
            let sentinels = Sentinels::new(target);
            let [way, heard_by] = [(); 2].map(|()| Guided::new(sentinels.clone()));
            let push = Push::new(heard_by.clone(), false, patience);
            let link = Link::open(settings, |traffic| -> Arc<dyn Routes> {
                let node = Node::new(way.clone(), traffic.clone());
                Guarded::new(sentinels, (way, node), (heard_by, &push))
            });
            Opened { link, push }
        }
        Mode::Cluster => {
            let mut push = None;
            let link = Link::open(settings, |traffic| -> Arc<dyn Routes> {
                let cluster = Cluster::new(target.clone(), traffic.clone());
                push = Some(Push::new(Anyone::new(cluster.clone()), true, patience));
                cluster
            });
            let push = push.unwrap_or_else(|| Push::new(Straight::new(target), true, patience));
            Opened { link, push }
        }
    }
}

fn over_one(settings: Settings, way: Arc<dyn Dial>) -> Arc<Link> {
    Link::open(settings, |traffic| -> Arc<dyn Routes> { Arc::new(One(Node::new(way, traffic.clone()))) })
}
