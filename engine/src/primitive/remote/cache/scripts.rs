//! The scripts of the cache's second tier. Owns how their sources are put together. Never asks anything.

use crate::redis::Script;

macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!($(include_str!(concat!("../../../redis/lua/", $file, ".lua"))),+))
    };
}

/// Who loads a key.
pub(super) static CLAIM: Script = script!("cache_words", "cache_claim");
/// A load is over.
pub(super) static LAND: Script = script!("cache_words", "cache_land");
/// A value is stored without a load.
pub(super) static SET: Script = script!("cache_words", "cache_set");
/// A value goes, or is left only its grace.
pub(super) static DROP: Script = script!("cache_words", "cache_drop");
/// What a SCAN has found goes.
pub(super) static SWEEP: Script = script!("cache_words", "cache_sweep");
/// What concerns many values at once.
pub(super) static CHANGE: Script = script!("cache_words", "cache_state", "cache_change");
/// What has happened to the state.
pub(super) static SINCE: Script = script!("cache_words", "cache_state", "cache_since");
