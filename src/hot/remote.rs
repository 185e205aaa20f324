//! What is asked on the hot path of primitives whose state lives in Redis. Owns nothing but the list of them. Never waits.

pub(super) mod limiter;
