//! Rates in place of a limit's own, for single calls. Owns which of them count in cells of their own. Never charges anything.

use super::RemoteLimiter;
use super::measure::Measure;
use crate::error::{Code, Fault};
use crate::primitive::limit::LimitConfig;
use std::sync::Arc;

/// The windows that the plans of one limit may have beside its own.
const WINDOWS: usize = 16;

/// Another rate in place of a limit's own, for one call.
#[derive(Clone)]
pub struct RemotePlan {
    pub(super) measure: Arc<Measure>,
    /// Whether it counts in the same cells.
    pub(super) same_cell: bool,
}

impl RemoteLimiter {
    /// Another rate for some keys. Only a limiter of one limit has plans; of several, each would need its own.
    pub fn plan(&self, limit: Option<u32>, window_ms: Option<f64>, burst: Option<u32>) -> Result<RemotePlan, Fault> {
        let [own] = &*self.config.limits else {
            return Err(Fault::new(Code::Option, "a limiter of several limits takes no override"));
        };
        let burst = burst.or(limit).unwrap_or(own.burst);
        let window = window_ms.unwrap_or(own.window_ms);
        let config = LimitConfig { limit: limit.unwrap_or(own.limit), window_ms: window, burst, ..own.clone() };
        let measure = Arc::new(Measure::new(&config, false, own.limit)?);
        let same_cell = window == own.window_ms;
        if !same_cell {
            let mut apart = self.apart.lock();
            if !apart.iter().any(|other| other.shares_cells(&measure)) {
                if apart.len() >= WINDOWS {
                    let message =
                        format!("the plans of \"{}\" have {WINDOWS} windows of different lengths already", own.name);
                    return Err(Fault::new(Code::Option, format!("{message}; open a limiter for each")));
                }
                apart.push(measure.clone());
            }
        }
        Ok(RemotePlan { measure, same_cell })
    }
}
