//! What may have been missed: the exact bound that random audits give.

/// A bound on the widths that were never probed and are cheaper than the staircase claims.
///
/// The staircase claims of every width in [`Staircase::dominated`](crate::Staircase::dominated) that was never probed that
/// the next larger probed one costs no more (within the tolerance), so that no edge was missed. An exception is a width
/// for which this is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MissBound {
    /// Dominated widths never probed before the audits.
    pub unseen: usize,
    /// Those checked at random.
    pub audits: usize,
    /// Exceptions among the audits; their surroundings were searched then.
    pub exceptions: usize,
    /// Exceptions among the unseen at most, with 95 % confidence; all of them where nothing was audited.
    pub at_most: usize,
}

impl MissBound {
    pub(crate) fn new(unseen: usize, audits: usize, exceptions: usize) -> MissBound {
        MissBound { unseen, audits, exceptions, at_most: most_unseen(unseen, audits, exceptions) }
    }
}

/// The most exceptions among `population` widths that `audits` random ones, of which `exceptions` failed, leave
/// possible with 95 % confidence.
///
/// The largest m with P(at most `exceptions` of the audits fail | m exceptions) > 0.05, drawing without
/// replacement: hypergeometric. Drawing with replacement the rule would read (1 - m/n)^k > 0.05.
///
/// ```
/// use stairstep::most_unseen;
/// // Of 512 widths, 30 clean audits leave 47 possible, 77 clean ones 18.
/// assert_eq!(most_unseen(512, 30, 0), 47);
/// assert_eq!(most_unseen(512, 77, 0), 18);
/// // One audit of all but one tells little about the one; all audits tell everything.
/// assert_eq!(most_unseen(2, 1, 0), 1);
/// assert_eq!(most_unseen(512, 512, 3), 3);
/// assert_eq!(most_unseen(512, 0, 0), 512);
/// ```
pub fn most_unseen(population: usize, audits: usize, exceptions: usize) -> usize {
    let audits = audits.min(population);
    let exceptions = exceptions.min(audits);
    // The probability falls as m grows, so that the first m that is too unlikely ends the search.
    let unlikely = |m: &usize| tail(population, audits, exceptions, *m) <= 0.05;
    (exceptions..=population).take_while(|m| !unlikely(m)).last().unwrap_or(exceptions)
}

/// P(at most x of k draws without replacement hit one of m among n).
fn tail(n: usize, k: usize, x: usize, m: usize) -> f64 {
    let ln_choose =
        |n: usize, k: usize| -> f64 { (0..k.min(n - k)).map(|i| ((n - i) as f64).ln() - ((i + 1) as f64).ln()).sum() };
    let possible = |hits: &usize| *hits <= m && k - hits <= n - m;
    let hits = 0..=x.min(k);
    hits.filter(possible).map(|h| (ln_choose(m, h) + ln_choose(n - m, k - h) - ln_choose(n, k)).exp()).sum()
}
