//! Where a Redis is and how to sign on. Never shows a password.
