//! The bridge between Node and the engine: Node-API, and only here. Never decides anything a policy could.
//!
//! | file | owns |
//! | --- | --- |
//! | `environment.rs` | what one JavaScript environment has: its table of primitives, its arrays, its ledger |
//! | `hot.rs` | the raw callbacks of the hot path |
//! | `cold.rs` | opening, configuring, statistics, as comfortable `#[napi]` |
//! | `mailbox.rs` | completions from other threads, one wake-up per batch |
//! | `slots.rs` | the numbers that tell JavaScript whether a decoded copy is current |

mod cold;
mod environment;
mod hot;
mod mailbox;
mod slots;

use napi::bindgen_prelude::Object;
use napi::{Env, JsValue};

/// Runs once per environment that loads the addon.
#[napi_derive::napi(module_exports)]
pub fn init(exports: Object, env: Env) -> napi::Result<()> {
    pin();
    environment::install(env.raw(), exports.raw())
}

/// Keep the library mapped for the life of the process, whatever its loader does: threads, statics and the functions Node
/// holds all point into it.
fn pin() {
    #[cfg(unix)]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            let mut info = libc::Dl_info {
                dli_fname: std::ptr::null(),
                dli_fbase: std::ptr::null_mut(),
                dli_sname: std::ptr::null(),
                dli_saddr: std::ptr::null_mut(),
            };
            // SAFETY: `pin` is an address inside this library and `info` outlives the call; a file name that dladdr reports stays
            // valid while the library is loaded. The handle is not closed, on purpose.
            unsafe {
                if libc::dladdr(pin as *const libc::c_void, &mut info) != 0 && !info.dli_fname.is_null() {
                    libc::dlopen(info.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
                }
            }
        });
    }
}
