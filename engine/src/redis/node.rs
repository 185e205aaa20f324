//! One connection to one server. Owns its pipeline and its end.
