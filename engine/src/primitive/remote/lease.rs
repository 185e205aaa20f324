//! A right that expires by itself, over all hosts, with a fence. Owns its renewal.
