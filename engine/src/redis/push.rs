//! The second connection: what is told without being asked. Owns subscriptions and the news of every gap.
