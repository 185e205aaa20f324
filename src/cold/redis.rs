//! Opening a registry over Redis. Owns which of them share one. Never shows a password.
