//! What primitives ask through: one way to Redis for the whole process. Owns routing, deadlines and the breaker before it.
