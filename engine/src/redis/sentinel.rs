//! Who is master, by asking the sentinels. Owns their list.
