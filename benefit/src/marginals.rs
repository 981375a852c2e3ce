//! The largest sum that any assignment reaches with one level of one variable: back through an elimination.

use crate::eliminate::{Decision, Elimination, Reach};
use crate::factor::{Factor, Walk};
use crate::units::Tie;
use std::borrow::Cow;

/// Returns, for each variable and each of its levels, the largest sum of an assignment with it; those of at most `cut`
/// may be lower than they are.
pub(crate) fn marginals(elimination: &Elimination<f64>, sizes: &[usize], ties: &[Tie], cut: f64) -> Vec<Vec<f64>> {
    let mut most: Vec<Vec<f64>> = sizes.iter().map(|&size| vec![f64::NEG_INFINITY; size]).collect();
    // What the rest of an assignment adds to a message, by the message's place among the factors.
    let mut rests: Vec<Option<Factor<f64>>> = vec![None; elimination.factors.len()];
    let is_message = |id: usize| id >= elimination.factors.len() - elimination.decisions.len();
    let total = elimination.largest();
    for decision in elimination.decisions.iter().rev() {
        let message = &elimination.factors[decision.message];
        let rest = rests[decision.message]
            .take()
            .unwrap_or_else(|| Factor { scope: Vec::new(), table: vec![total - message.table[0]] });
        let beliefs = backward(elimination, decision, &rest, sizes, ties, cut, &mut most);
        for (&id, belief) in decision.joined.iter().zip(beliefs) {
            if is_message(id) {
                rests[id] = Some(belief);
            }
        }
    }
    most
}

/// What the rest of an assignment adds to each of the factors that a decision joined.
fn backward(
    elimination: &Elimination<f64>,
    decision: &Decision,
    rest: &Factor<f64>,
    sizes: &[usize],
    ties: &[Tie],
    cut: f64,
    most: &mut [Vec<f64>],
) -> Vec<Factor<f64>> {
    let message = &elimination.factors[decision.message];
    let v = decision.unit.decided(ties);
    let from = decision.unit.tie(ties).map(|tie| tie.from);
    let lane = message.scope.last().copied().filter(|&lane| Some(lane) != from);
    let n = lane.map_or(1, |lane| sizes[lane]);
    let aligned = |f| lane.map_or(Cow::Borrowed(f), |lane| Factor::with_last(Cow::Borrowed(f), sizes, lane));
    let joined: Vec<Cow<'_, Factor<f64>>> =
        decision.joined.iter().map(|&id| aligned(&elimination.factors[id])).collect();
    let rest = aligned(rest);
    let mut tables: Vec<&Factor<f64>> = joined.iter().map(Cow::as_ref).collect();
    let k = tables.len();
    tables.extend([message, rest.as_ref()]);
    let is_row: Vec<bool> = tables.iter().map(|f| lane.is_some() && f.scope.last().copied() == lane).collect();
    let mut beliefs: Vec<Vec<f64>> = joined.iter().map(|f| vec![f64::NEG_INFINITY; f.table.len()]).collect();
    let outer: Vec<usize> = message.scope.iter().copied().filter(|&w| Some(w) != lane).collect();
    let mut walk = Walk::new(sizes, outer, &tables);
    let reach = Reach::new(sizes, &tables, ties, decision.unit);
    let (mut base, mut sums) = (vec![0.0; n], vec![0.0; n]);
    for _ in 0..walk.len() {
        let entry = |t: usize, i: usize| tables[t].table[walk.at[t] + if is_row[t] { i } else { 0 }];
        (0..n).for_each(|i| base[i] = entry(k + 1, i));
        // The message is the largest over the levels: where it does not exceed the cut, no level does.
        if (0..n).any(|i| entry(k, i) + base[i] > cut) {
            let from = reach.tie.and_then(|tie| walk.level(tie.from)).unwrap_or(0);
            for level in 0..sizes[v] {
                let Some(to) = reach.to(sizes, from, level) else { continue };
                sums.copy_from_slice(&base);
                for (t, table) in tables[..k].iter().enumerate() {
                    let at = walk.at[t] + reach.offset(t, level, to);
                    if is_row[t] {
                        sums.iter_mut().zip(&table.table[at..at + n]).for_each(|(sum, more)| *sum += more);
                    } else {
                        sums.iter_mut().for_each(|sum| *sum += table.table[at]);
                    }
                }
                let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if largest <= cut {
                    continue;
                }
                most[v][level] = most[v][level].max(largest);
                if let Some(tie) = reach.tie {
                    most[tie.to][to] = most[tie.to][to].max(largest);
                }
                for (t, belief) in beliefs.iter_mut().enumerate() {
                    let at = walk.at[t] + reach.offset(t, level, to);
                    if is_row[t] {
                        belief[at..at + n].iter_mut().zip(&sums).for_each(|(most, sum)| *most = most.max(*sum));
                    } else {
                        belief[at] = belief[at].max(largest);
                    }
                }
            }
        }
        walk.advance();
    }
    let pairs = joined.iter().zip(beliefs);
    pairs
        .map(|(factor, mut belief)| {
            for (rest, own) in belief.iter_mut().zip(&factor.table) {
                *rest = if *rest > f64::NEG_INFINITY { *rest - own } else { f64::NEG_INFINITY };
            }
            Factor { scope: factor.scope.clone(), table: belief }
        })
        .collect()
}
