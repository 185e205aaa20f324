//! The one thread of all connections. Owns the runtime.
