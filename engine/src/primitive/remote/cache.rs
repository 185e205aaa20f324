//! The second tier of a cache: Redis behind memory. Owns when what is there may be believed.
