//! One host of a test: a cache, what it hears, and blocking words for what JavaScript asks in letters.

use crate::asking::{link_to, until};
use crate::server::Server;
use spillway_engine::clock::{MILLI, Moment, monotonic, wall};
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle, Encoded, Miss, UpTo};
use spillway_engine::primitive::remote::Far;
use spillway_engine::primitive::remote::cache::{Changed, Claimed, Fetched, Tier};
use spillway_engine::redis::Remote;
use spillway_engine::redis::link::Link;
use spillway_engine::redis::name::Home;
use spillway_engine::redis::push::Listener;
use spillway_engine::store::entry::Kind;
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use spillway_engine::store::flights::Purpose;
use spillway_engine::store::generations::NoCopies;
use spillway_engine::store::ledger::{Ledger, Letter, News, Post, Receipt};
use spillway_engine::store::tags::{Force, TagHash};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub struct Host {
    pub cache: Arc<Cache>,
    pub handle: CacheHandle,
    pub tier: Arc<Tier>,
    pub link: Arc<Link>,
    letters: Receiver<Letter>,
    pub ear: Ear,
}

struct Letters(Mutex<Sender<Letter>>);

impl Post for Letters {
    fn post(&self, letter: Letter) {
        let _ = self.0.lock().unwrap().send(letter);
    }
}

/// A subscription that can be held up, and cut.
#[derive(Default)]
pub struct Ear {
    ends: Arc<AtomicBool>,
    pub held: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    fn new(port: u16, tier: &Arc<Tier>) -> Self {
        let (ends, held) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(())));
        let (tier, over, stops) = (tier.clone(), ends.clone(), held.clone());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let _ = listen(port, &tier, &over, &stops);
                tier.gap();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Ear { ends, held, thread: Some(thread) }
    }

    pub fn cut(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

fn listen(port: u16, tier: &Arc<Tier>, over: &AtomicBool, held: &Mutex<()>) -> redis::RedisResult<()> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_connection_with_timeout(Duration::from_millis(200))?;
    connection.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut subscription = connection.as_pubsub();
    subscription.subscribe(tier.channel())?;
    tier.resumed();
    while !over.load(Ordering::SeqCst) {
        match subscription.get_message() {
            Ok(message) => {
                let _free = held.lock().unwrap();
                tier.heard(message.get_payload_bytes());
            }
            Err(error) if error.is_timeout() => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Drop for Host {
    fn drop(&mut self) {
        self.ear.cut();
    }
}

/// What the caches of these tests are made of, unless they say otherwise.
pub fn config() -> CacheConfig {
    CacheConfig {
        ttl_ms: 60_000.0,
        max_bytes: 16e6,
        max_value_bytes: 1e6,
        load_timeout_ms: 5_000.0,
        codec: "json".to_owned(),
        ..CacheConfig::default()
    }
}

pub fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

pub fn tag(name: &str) -> TagHash {
    TagHash::of(&units(name))
}

pub fn text(value: &str) -> Encoded<'static> {
    tagged(value, &[])
}

pub fn tagged(value: &str, tags: &[&str]) -> Encoded<'static> {
    let tags = tags.iter().map(|name| tag(name)).collect();
    Encoded { kind: Kind::Utf8, value: Cow::Owned(value.as_bytes().to_vec()), tags: Cow::Owned(tags), ttl_ms: None }
}

pub fn nothing(ttl_ms: f64) -> Encoded<'static> {
    Encoded { kind: Kind::Nothing, value: Cow::Borrowed(&[]), tags: Cow::Borrowed(&[]), ttl_ms: Some(ttl_ms) }
}

/// How a load went for who asked.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Loaded {
    /// It was there, or another has loaded it. None: there is nothing.
    Found(Option<String>),
    /// He has to load it, and to land it with this.
    Lead(Receipt),
    /// The same, for his process only.
    Alone(Receipt),
    Foreign(Receipt),
    Gone,
}

impl Host {
    pub fn new(server: &Server) -> Self {
        Host::with(server, config())
    }

    pub fn with(server: &Server, config: CacheConfig) -> Self {
        Host::patient(server, config, 2_000)
    }

    pub fn patient(server: &Server, config: CacheConfig, deadline_ms: u64) -> Self {
        let link = link_to(server);
        Host::through(server, config, deadline_ms, link.clone(), link)
    }

    /// What the tier asks goes through `remote`, the rest through `link`.
    pub fn through(
        server: &Server,
        config: CacheConfig,
        deadline_ms: u64,
        link: Arc<Link>,
        remote: Arc<dyn Remote>,
    ) -> Self {
        let far = Far::new(remote, deadline_ms * MILLI);
        let mut host = Host::deaf(&far, link, config);
        host.ear = Ear::new(server.port, &host.tier);
        host.believes();
        host
    }

    /// It hears through the connection that `far` has for it.
    pub fn over(far: &Far, link: Arc<Link>, config: CacheConfig) -> Self {
        let host = Host::deaf(far, link, config);
        host.believes();
        host
    }

    fn deaf(far: &Far, link: Arc<Link>, config: CacheConfig) -> Self {
        let tier = Tier::new(&config, Home::new("test", "cache", "c"), far);
        let cache = Arc::new(Cache::before(config, Arc::new(NoCopies), tier.clone()));
        let (sender, letters) = channel();
        let ledger = Arc::new(Ledger::new(Box::new(Letters(Mutex::new(sender)))));
        let handle = CacheHandle::new(cache.clone(), ledger);
        Host { ear: Ear::default(), cache, handle, tier, link, letters }
    }

    pub fn believes(&self) {
        until("the tier believes Redis", || self.tier.is_believed() && self.tier.report().owed == 0);
    }

    /// Until all that was published is heard: a message of ours comes last.
    pub fn hears(hosts: &[&Host]) {
        for host in hosts {
            // A message says its moment, which is never told twice.
            host.changed(|done| host.tier.invalidate(&[tag("-hears-")], Force::Hard, now(), done));
        }
        let state = |host: &Host| host.tier.moment();
        let last = hosts.iter().map(|host| state(host)).max().unwrap();
        for host in hosts {
            until("everything is heard", || state(host) >= last);
        }
    }

    pub fn changed(&self, act: impl FnOnce(Box<dyn FnOnce(Changed) + Send>)) -> Changed {
        let (sender, receiver) = channel();
        act(Box::new(move |changed| sender.send(changed).unwrap()));
        self.tier.flush();
        receiver.recv_timeout(Duration::from_secs(20)).expect("every change is answered")
    }

    pub fn set(&self, key: &str, encoded: &Encoded<'_>) -> Changed {
        let units = units(key);
        self.changed(|done| {
            self.tier.set(&self.handle, key_of(&units), encoded, None, monotonic(), done).unwrap();
        })
    }

    pub fn delete(&self, key: &str) -> Changed {
        let units = units(key);
        self.changed(|done| self.tier.delete(&self.handle, key_of(&units), monotonic(), done))
    }

    pub fn expire(&self, key: &str) -> Changed {
        let units = units(key);
        self.changed(|done| self.tier.expire(&self.handle, key_of(&units), monotonic(), done))
    }

    pub fn invalidate(&self, name: &str) -> Changed {
        self.changed(|done| self.tier.invalidate(&[tag(name)], Force::Hard, now(), done))
    }

    pub fn clear(&self) -> Changed {
        self.changed(|done| self.tier.clear(monotonic(), done))
    }

    pub fn set_version(&self, version: &str) -> Changed {
        self.changed(|done| self.tier.set_version(version, monotonic(), done))
    }

    pub fn delete_prefix(&self, prefix: &str) -> Changed {
        let prefix = units(prefix);
        self.changed(|done| self.tier.delete_prefix(&self.handle, &prefix, monotonic(), done))
    }

    /// What memory has.
    pub fn memory(&self, key: &str) -> Option<(String, State)> {
        let look = self.handle.look(Fingerprint::of_units(&units(key)), UpTo::Any, &[], monotonic())?;
        Some((String::from_utf8(look.value.bytes().to_vec()).unwrap(), look.state))
    }

    /// What Redis has, whatever memory has.
    pub fn fetch(&self, key: &str, up_to: UpTo) -> Fetched {
        let units = units(key);
        let (sender, receiver) = channel();
        if !self.tier.is_worth_asking(key_of(&units).fingerprint) {
            return Fetched::Alone;
        }
        self.tier.fetch(key_of(&units), up_to, Vec::new(), monotonic(), move |fetched| sender.send(fetched).unwrap());
        self.tier.flush();
        receiver.recv_timeout(Duration::from_secs(20)).expect("every look is answered")
    }

    /// As `get` does it.
    pub fn get(&self, key: &str) -> Option<String> {
        let look = self.handle.look(Fingerprint::of_units(&units(key)), UpTo::Fresh, &[], monotonic());
        let value = match look {
            Some(look) => look.value,
            None => match self.fetch(key, UpTo::Fresh) {
                Fetched::Hit(hit) => hit.value,
                _ => return None,
            },
        };
        (!value.negative()).then(|| String::from_utf8(value.bytes().to_vec()).unwrap())
    }

    /// As `getOrSet` does it, up to the loader.
    pub fn board(&self, key: &str, purpose: Purpose) -> Loaded {
        let units = units(key);
        match self.handle.board(key_of(&units), purpose, monotonic()) {
            Miss::Present(look) => Loaded::Found(Some(String::from_utf8(look.value.bytes().to_vec()).unwrap())),
            Miss::Lead(receipt) => self.claim(key, receipt, purpose),
            Miss::Wait(_) => match self.letters.recv_timeout(Duration::from_secs(30)).unwrap().news {
                News::Landed(value, _) if value.negative() => Loaded::Found(None),
                News::Landed(value, _) => Loaded::Found(Some(String::from_utf8(value.bytes().to_vec()).unwrap())),
                news => panic!("{news:?}"),
            },
            Miss::Taken | Miss::Refused => Loaded::Gone,
        }
    }

    /// A claim whose answer comes later.
    pub fn begin_claim(&self, key: &str, receipt: Receipt, purpose: Purpose) -> Receiver<Claimed> {
        let units = units(key);
        let (sender, receiver) = channel();
        let done = move |claimed| drop(sender.send(claimed));
        if self.tier.is_worth_asking(key_of(&units).fingerprint) {
            let ledger = self.handle.ledger();
            self.tier.claim(ledger, receipt, key_of(&units), purpose, monotonic(), done);
            self.tier.flush();
        } else {
            done(Claimed::Alone);
        }
        receiver
    }

    pub fn claim(&self, key: &str, receipt: Receipt, purpose: Purpose) -> Loaded {
        let claimed = self.begin_claim(key, receipt, purpose).recv_timeout(Duration::from_secs(30));
        match claimed.expect("every claim is answered") {
            Claimed::Hit(hit) if hit.value.negative() => Loaded::Found(None),
            Claimed::Hit(hit) => Loaded::Found(Some(String::from_utf8(hit.value.bytes().to_vec()).unwrap())),
            Claimed::Lead(_) => Loaded::Lead(receipt),
            Claimed::Alone => Loaded::Alone(receipt),
            Claimed::Foreign => Loaded::Foreign(receipt),
            Claimed::Gone => Loaded::Gone,
        }
    }

    /// Lead this process's flight, and nothing more.
    pub fn lead(&self, key: &str) -> Receipt {
        match self.handle.board(key_of(&units(key)), Purpose::Missing, monotonic()) {
            Miss::Lead(receipt) => receipt,
            _ => panic!("somebody leads already"),
        }
    }

    pub fn land(&self, receipt: Receipt, encoded: &Encoded<'_>) -> Option<u64> {
        let landed = self.handle.land(receipt, encoded, monotonic()).unwrap();
        self.tier.flush();
        landed
    }

    pub fn fail(&self, receipt: Receipt) {
        self.handle.fail(receipt, &monotonic);
        self.tier.flush();
    }

    /// Get it, or load it by `load`.
    pub fn get_or_set(&self, key: &str, load: impl FnOnce() -> Encoded<'static>) -> Option<String> {
        if let Some((value, State::Fresh)) = self.memory(key) {
            return Some(value);
        }
        match self.board(key, Purpose::Missing) {
            Loaded::Found(found) => found,
            Loaded::Lead(receipt) | Loaded::Alone(receipt) | Loaded::Foreign(receipt) => {
                let encoded = load();
                let value = (!encoded.is_nothing()).then(|| String::from_utf8(encoded.value.to_vec()).unwrap());
                self.land(receipt, &encoded);
                value
            }
            Loaded::Gone => None,
        }
    }

    /// Until what was asked before is done: nobody waits for a landing.
    pub fn settles(&self) {
        self.changed(|done| self.tier.invalidate(&[tag("-settles-")], Force::Hard, now(), done));
    }
}

pub fn key_of(units: &[u16]) -> Key<'_> {
    Key { fingerprint: Fingerprint::of_units(units), units }
}

pub fn now() -> Moment {
    Moment { mono: monotonic(), wall: wall() }
}

impl Host {
    /// Until Redis has done what was asked before, whatever is heard meanwhile.
    pub fn link_settles(&self) {
        crate::asking::ask(&*self.link, spillway_engine::redis::Request::command("PING")).unwrap();
    }
}
