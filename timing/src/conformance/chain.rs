//! Convolutions in a row.

use super::Specs;
use super::ask::{Found, failed, is_time, medians, sampling, skipped, twice};
use super::latencies::TOLERANCE;
use crate::door::{LatencySource, Request};
use crate::policy::Policy;
use crate::sample::measure;
use crate::stop::Count;

/// Readings of the chain and of each of its parts.
const READINGS: u32 = 21;

/// In warm caches, so that the parts do not pay for memory which the chain finds in the caches.
pub(super) fn chain(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let parts = [specs.first.clone(), specs.second.clone()];
    let Some(chain) = source.chain(&parts) else {
        return skipped("the source offers no chain");
    };
    let requests = parts.map(Request::settled);
    let mut chain = chain.or_else(|error| failed(format!("it cannot be prepared: {error}")))?;
    twice(|| {
        let parts_ns = medians(source, &requests, &sampling(READINGS).policy(Policy::warm()))?;
        let whole = measure(&mut *chain, &mut Count::new(READINGS), &Policy::warm());
        let whole_ns = whole.or_else(|error| failed(format!("it does not run: {error}")))?.median_ns;
        let longest_ns = parts_ns[0].max(parts_ns[1]);
        if !is_time(whole_ns) || TOLERANCE * whole_ns < longest_ns {
            return failed(format!("it takes {whole_ns:.0} ns, and one of its parts alone {longest_ns:.0} ns"));
        }
        Ok(())
    })
}
