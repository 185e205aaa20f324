//! The one thread of all connections. Owns the runtime, which is never dropped. Never runs what may take long.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

/// Names are looked up on threads of their own, which cannot be called off: a few, however long that takes.
const RESOLVERS: usize = 4;

static THREAD: OnceLock<Option<Handle>> = OnceLock::new();

/// Run it on the thread of the connections, which starts at first need. None where the system gives no thread.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
    let handle = THREAD.get_or_init(start).as_ref()?;
    Some(handle.spawn(task).abort_handle())
}

fn start() -> Option<Handle> {
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(RESOLVERS).build().ok()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("spillway-redis".to_owned()).spawn(run).ok()?;
    Some(handle)
}
