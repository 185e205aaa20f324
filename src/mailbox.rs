//! Letters from any thread to the JavaScript of one environment. Owns the wake-up: one per batch. Never keeps a process alive
//! unless somebody waits, and never touches an environment that has ended.

use crate::environment::Environment;
use napi::sys;
use parking_lot::Mutex;
use spillway_engine::clock::{Nanos, monotonic};
use spillway_engine::primitive::breaker::Transition;
use spillway_engine::primitive::remote::keeper::Pulse;
use spillway_engine::redis::after_batch;
use spillway_engine::store::entry::Value;
use spillway_engine::store::ledger::{Letter, Post};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};

/// What is delivered: the end of a wait, or news nobody waits for.
pub(crate) enum Mail {
    Letter(Letter),
    /// The breaker behind a handle of the environment has moved.
    Moved {
        id: u32,
        transition: Transition,
    },
    /// What was asked of Redis is answered.
    Answer {
        ask: AskId,
        answer: Answer,
        /// Whether the process has waited for it.
        is_awaited: bool,
    },
}

/// The number JavaScript waits for an answer with.
pub(crate) type AskId = u32;

/// What was asked for, in numbers and maybe more; what they mean is between who asked and who answers.
#[derive(Default)]
pub(crate) struct Answer {
    /// Which kind of answer it is. Never [`LOST`].
    pub(crate) code: i32,
    pub(crate) numbers: [f64; NUMBERS],
    pub(crate) payload: Option<Payload>,
}

/// Numbers of an answer.
pub(crate) const NUMBERS: usize = 10;

/// The code of an answer that nobody gave.
pub(crate) const LOST: i32 = -1;

/// What is too long for a number.
pub(crate) enum Payload {
    /// UTF-8.
    Text(Vec<u8>),
    /// For a new `Buffer`.
    Bytes(Vec<u8>),
    /// A cached value; as text or bytes, as it is kept.
    Value(Value),
}

/// The one answer somebody waits for.
pub(crate) struct Sender {
    mailbox: Option<Arc<Mailbox>>,
    ask: AskId,
    is_awaited: bool,
}

impl Sender {
    pub(crate) fn new(mailbox: Arc<Mailbox>, ask: AskId, is_awaited: bool) -> Self {
        Sender { mailbox: Some(mailbox), ask, is_awaited }
    }

    /// Answer, from any thread. To an environment that has ended it does nothing.
    pub(crate) fn answer(mut self, answer: Answer) {
        self.post(answer);
    }

    fn post(&mut self, answer: Answer) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.post_anywhere(Mail::Answer { ask: self.ask, answer, is_awaited: self.is_awaited });
        }
    }
}

impl Drop for Sender {
    /// Whoever waits must not wait for ever because somebody panicked.
    fn drop(&mut self) {
        self.post(Answer { code: LOST, ..Answer::default() });
    }
}

/// Of such news, no more than this are kept for a thread that does not look into its mailbox.
const NEWS: usize = 1_024;

#[derive(Default)]
struct Letters {
    queue: VecDeque<Mail>,
    /// How many of them nobody waits for.
    news: usize,
    /// The environment has ended: nobody reads any more.
    closed: bool,
}

/// The letters of one environment, and how to wake it.
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    /// Whether there are any, for a look without the lock. Changed under it.
    any: AtomicBool,
    /// None once the environment has begun to end. Used only under the lock, so that it is never used after.
    wake: Mutex<Option<Wake>>,
    /// A letter from this thread needs no wake-up: every call that may cause one is followed by a look into the mailbox, or asks
    /// for one by [`Mailbox::wake_up`].
    home: ThreadId,
    /// When the event loop last turned, as far as is known.
    ran_at: AtomicU64,
    /// Whether it has been asked to, and has not.
    pinged: AtomicBool,
}

struct Wake(sys::napi_threadsafe_function);

// SAFETY: a threadsafe function may be called from any thread until it is released, which happens under the lock around it.
unsafe impl Send for Wake {}

impl Mailbox {
    /// # Safety
    /// Runs on the thread of `env`; `on_mail` is a JavaScript function.
    pub(crate) unsafe fn open(env: sys::napi_env, on_mail: sys::napi_value) -> Result<Arc<Self>, sys::napi_status> {
        let mut function = ptr::null_mut();
        let name = c"spillway mail";
        let mut resource_name = ptr::null_mut();
        // SAFETY: all out-pointers are valid for the call, and nothing is handed over that would have to be finalized.
        unsafe {
            check(sys::napi_create_string_utf8(env, name.as_ptr(), name.count_bytes() as isize, &mut resource_name))?;
            check(sys::napi_create_threadsafe_function(
                env,
                on_mail,
                ptr::null_mut(),
                resource_name,
                0,
                1,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
                Some(deliver),
                &mut function,
            ))?;
            check(sys::napi_unref_threadsafe_function(env, function))?;
        }
        Ok(Arc::new(Mailbox {
            letters: Mutex::default(),
            any: AtomicBool::new(false),
            wake: Mutex::new(Some(Wake(function))),
            home: thread::current().id(),
            ran_at: AtomicU64::new(monotonic()),
            pinged: AtomicBool::new(false),
        }))
    }

    /// The next letter.
    pub(crate) fn next(&self) -> Option<Mail> {
        let mut letters = self.letters.lock();
        let next = letters.queue.pop_front();
        letters.news -= usize::from(matches!(next, Some(Mail::Moved { .. })));
        self.any.store(!letters.queue.is_empty(), Ordering::Release);
        next
    }

    /// Deliver, from any thread.
    pub(crate) fn post(&self, mail: Mail) {
        if self.put(mail) && thread::current().id() != self.home {
            self.wake_up();
        }
    }

    /// As [`Mailbox::post`], by who may be on the thread of this environment without a look into its mailbox thereafter.
    fn post_anywhere(self: Arc<Self>, mail: Mail) {
        if self.put(mail) {
            after_batch(move || self.wake_up());
        }
    }

    /// Whether it is the first letter: then somebody has to look into the mailbox.
    fn put(&self, mail: Mail) -> bool {
        let mut letters = self.letters.lock();
        if letters.closed {
            return false;
        }
        if matches!(mail, Mail::Moved { .. }) {
            if letters.news == NEWS {
                return false;
            }
            letters.news += 1;
        }
        letters.queue.push_back(mail);
        self.any.store(true, Ordering::Release);
        letters.queue.len() == 1
    }

    /// Whether there is mail.
    pub(crate) fn has_mail(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// While somebody waits the process stays alive, since the letter may come from another thread.
    pub(crate) fn keep_alive(&self, env: sys::napi_env, alive: bool) {
        if let Some(Wake(function)) = &*self.wake.lock() {
            // SAFETY: on the thread of `env`, with a function that is not released: it is still in `wake`.
            unsafe {
                if alive {
                    sys::napi_ref_threadsafe_function(env, *function);
                } else {
                    sys::napi_unref_threadsafe_function(env, *function);
                }
            }
        }
    }

    /// The environment ends: no wake-up from here on.
    pub(crate) fn close(&self) {
        let unread = {
            let mut letters = self.letters.lock();
            letters.closed = true;
            std::mem::take(&mut letters.queue)
        };
        drop(unread);
        if let Some(Wake(function)) = self.wake.lock().take() {
            // SAFETY: the one acquisition it was created with is released once, and nobody can find it any more.
            unsafe { sys::napi_release_threadsafe_function(function, sys::ThreadsafeFunctionReleaseMode::abort) };
        }
    }
}

impl Mailbox {
    /// Have the event loop of this environment look into the mailbox.
    pub(crate) fn wake_up(&self) {
        if let Some(Wake(function)) = &*self.wake.lock() {
            // SAFETY: not released, as it is still in `wake`. The queue is unbounded and holds at most one call per batch.
            unsafe {
                sys::napi_call_threadsafe_function(
                    *function,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                )
            };
        }
    }
}

impl Pulse for Mailbox {
    fn ran_at(&self) -> Nanos {
        self.ran_at.load(Ordering::Acquire)
    }

    /// A loop that hangs is asked once, however often it should turn meanwhile.
    fn ping(&self) {
        if !self.pinged.swap(true, Ordering::AcqRel) {
            self.wake_up();
        }
    }
}

/// What the ledger of the environment posts through.
pub(crate) struct Address(pub(crate) Arc<Mailbox>);

impl Post for Address {
    fn post(&self, letter: Letter) {
        self.0.post(Mail::Letter(letter));
    }
}

/// Runs on the environment's thread, in its event loop.
unsafe extern "C" fn deliver(env: sys::napi_env, on_mail: sys::napi_value, _: *mut c_void, _: *mut c_void) {
    if env.is_null() || on_mail.is_null() {
        return;
    }
    if let Some(mailbox) = Environment::of(env).and_then(Environment::mailbox) {
        // Only here: what runs elsewhere may be a loop that never ends.
        mailbox.ran_at.store(monotonic(), Ordering::Release);
        mailbox.pinged.store(false, Ordering::Release);
    }
    let mut this = ptr::null_mut();
    let mut result = ptr::null_mut();
    // SAFETY: Node calls this with a handle scope open, on the thread of `env`.
    unsafe {
        if sys::napi_get_undefined(env, &mut this) == sys::Status::napi_ok {
            sys::napi_call_function(env, this, on_mail, 0, ptr::null(), &mut result);
        }
    }
}

fn check(status: sys::napi_status) -> Result<(), sys::napi_status> {
    if status == sys::Status::napi_ok { Ok(()) } else { Err(status) }
}
