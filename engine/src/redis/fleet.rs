//! The processes that share a Redis: who lives, and what state each is in. Owns the heartbeat.
//! Never forgets, while Redis is away, who was there: the fewer it believed in, the more each would admit.

use super::name::Home;
use super::request::{Again, Ask, Remote, Request, Trouble};
use super::script::Script;
use super::talk::text;
use super::{Value, name, thread};
use crate::clock::{MILLI, monotonic};
use crate::store::fingerprint::random_word;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

static BEAT: Script = Script::new(include_str!("lua/fleet_beat.lua"));
static LEAVE: Script = Script::new(include_str!("lua/fleet_leave.lua"));

/// Between two beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Who was silent this long is dead.
const LIFE_MS: u64 = 5_000;

/// Nobody says more of himself than this.
const LONGEST_BYTES: usize = 64 << 10;

/// What a process says of itself: called once a second on the thread of the connections. JSON, by agreement.
pub type Say = Box<dyn Fn() -> String + Send + Sync>;

/// A process that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Made anew in each process.
    pub id: String,
    /// How long ago it was seen, in milliseconds.
    pub seen_ms: u64,
    /// What it says of itself; empty where that is not known yet.
    pub said: String,
}

struct Known {
    /// Milliseconds on the server's clock, and the same moment here.
    now_ms: u64,
    at: Instant,
    /// When each was seen, on the server's clock, and what it said last.
    members: HashMap<String, (u64, String)>,
    /// What the server has of ours.
    told: Option<String>,
    /// The server came back empty: until then whoever is missing has only not been heard yet.
    assembling: Option<Instant>,
}

struct Shared {
    remote: Arc<dyn Remote>,
    id: String,
    keys: [Vec<u8>; 3],
    size: Arc<AtomicU32>,
    say: Say,
    known: Mutex<Known>,
}

/// The heartbeat of this process, until it is dropped.
pub struct Fleet {
    shared: Arc<Shared>,
    task: Option<AbortHandle>,
}

impl Fleet {
    /// Begin to beat. `size` is kept at the number of living processes; it is not touched until that is known.
    pub fn start(remote: Arc<dyn Remote>, prefix: &str, size: Arc<AtomicU32>, say: Say) -> Self {
        let home = Home::new(prefix, "fleet", "");
        let keys = ["seen", "said", "changed"].map(|part| home.readable(b"processes", part));
        let known = Known { now_ms: 0, at: Instant::now(), members: HashMap::new(), told: None, assembling: None };
        let shared = Arc::new(Shared {
            remote,
            id: format!("{:016x}", random_word()),
            keys,
            size,
            say,
            known: Mutex::new(known),
        });
        let task = thread::spawn(beat(shared.clone()));
        Fleet { shared, task }
    }

    /// What this process is called.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// How many processes lived when Redis was last asked; 0 until it has answered once.
    pub fn size(&self) -> u32 {
        self.shared.size.load(Ordering::Relaxed)
    }

    /// Who they are, this one among them, in the order of their ids.
    pub fn members(&self) -> Vec<Member> {
        let known = self.shared.known.lock();
        let now_ms = known.now_ms + u64::try_from(known.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let member = |(id, (seen, said)): (&String, &(u64, String))| Member {
            id: id.clone(),
            seen_ms: now_ms.saturating_sub(*seen),
            said: said.clone(),
        };
        let mut members: Vec<Member> = known.members.iter().map(member).collect();
        drop(known);
        members.sort_by(|a, b| a.id.cmp(&b.id));
        members
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        // Best effort: who is not heard of any more is dead a little later anyway.
        let request = Request::script(&LEAVE, self.shared.keys.iter()).arg(&self.shared.id);
        if self.shared.send(request, Box::new(drop)).is_ok() {
            self.shared.remote.flush();
        }
    }
}

async fn beat(shared: Arc<Shared>) {
    loop {
        let said = Some((shared.say)()).filter(|said| said.len() <= LONGEST_BYTES).unwrap_or_else(|| "{}".to_owned());
        let (answer, answered) = oneshot::channel();
        let done = Box::new(move |result| drop(answer.send(result)));
        if shared.send(shared.request(&said), done).is_ok() {
            shared.remote.flush();
            if let Ok(Ok(reply)) = answered.await {
                shared.learn(&reply, said);
            }
        }
        sleep(BEAT_EVERY).await;
    }
}

impl Shared {
    fn request(&self, said: &str) -> Request {
        let known = self.known.lock();
        let news = if known.told.as_deref() == Some(said) { "" } else { said };
        Request::script(&BEAT, self.keys.iter()).arg(&self.id).arg(news).number(LIFE_MS).number(known.now_ms)
    }

    fn send(&self, request: Request, done: super::Done) -> Result<(), Trouble> {
        let slot = self.keys.first().map(|key| name::slot_of(key));
        let ask = Ask { request, slot, again: Again::Yes, deadline: monotonic() + 1_000 * MILLI };
        self.remote.ask(ask, done).map_err(|(trouble, _)| trouble)
    }

    fn learn(&self, reply: &Value, said: String) {
        let Some((now_ms, has_ours, seen, news)) = understood(reply) else { return };
        let size = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        let mut known = self.known.lock();
        let mut old = std::mem::take(&mut known.members);
        for (id, seen_ms) in seen {
            let said = old.remove(&id).map(|(_, said)| said).unwrap_or_default();
            known.members.insert(id, (seen_ms, said));
        }
        for (id, said) in news {
            if let Some(member) = known.members.get_mut(&id) {
                member.1 = said;
            }
        }
        // A clock that was set back: what others have said since may lie before what was asked for, so all of it is asked for.
        known.now_ms = if now_ms < known.now_ms { 0 } else { now_ms };
        known.at = Instant::now();
        if !has_ours && known.told.is_some() {
            known.assembling = Some(known.at + Duration::from_millis(LIFE_MS));
        }
        known.told = has_ours.then_some(said);
        let assembling = known.assembling.is_some_and(|until| known.at < until);
        drop(known);
        drop(old);
        // Believed to be fewer than they are, each would admit more than its part in the next outage.
        if assembling {
            self.size.fetch_max(size, Ordering::Relaxed);
        } else {
            self.size.store(size, Ordering::Relaxed);
        }
    }
}

type Heard = (u64, bool, Vec<(String, u64)>, Vec<(String, String)>);

fn understood(reply: &Value) -> Option<Heard> {
    let Value::Array(parts) = reply else { return None };
    let [now, has_ours, Value::Array(seen), Value::Array(news)] = parts.as_slice() else { return None };
    let pairs = |list: &[Value]| -> Vec<(String, String)> {
        list.chunks_exact(2).filter_map(|pair| Some((text(pair.first()?)?, text(pair.get(1)?)?))).collect()
    };
    let seen = pairs(seen).into_iter().filter_map(|(id, ms)| Some((id, ms.parse::<f64>().ok()? as u64))).collect();
    Some((text(now)?.parse().ok()?, *has_ours == Value::Int(1), seen, pairs(news)))
}
