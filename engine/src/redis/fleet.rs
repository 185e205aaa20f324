//! The processes that share a Redis: who lives, and what state each is in. Owns the heartbeat.
