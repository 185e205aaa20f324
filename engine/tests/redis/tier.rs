//! The second tier of a cache, over one Redis, from several hosts in this process.

mod clustered;
mod coherence;
mod host;
mod loads;
mod outage;
mod values;
