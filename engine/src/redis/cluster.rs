//! A cluster: which node has which slot. Owns the map of slots and its redirections.
