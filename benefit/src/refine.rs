//! Local search within the budget: one group, two neighbors, two groups apart.

use crate::solution::StepKind;
use crate::state::State;
use crate::ticks::Ticks;
use std::collections::BTreeSet;

/// Improves a choice that holds the budget until nothing that it tries helps.
pub(crate) fn refine(state: &mut State<'_, '_>, limit: Ticks) {
    debug_assert!(state.cost <= limit, "local search starts within the budget");
    let worst: f64 = state.groups().iter().flat_map(|group| group.value.first()).sum();
    // Gains below rounding noise could be made forever.
    let least = -worst * 1e-12;
    loop {
        let before = state.steps.len();
        singles(state, limit, least);
        neighbors(state, limit, least);
        swaps(state, limit, least);
        debug_assert!(state.cost <= limit && state.cost == state.ledger.total(&state.levels), "every move is checked");
        if state.steps.len() == before || state.lookups == 0 {
            return;
        }
    }
}

/// Whether value won and time saved make a choice better: more value, or as much in less time.
fn is_gain(gain: f64, saved: Ticks, least: f64) -> bool {
    gain > least || (gain == 0.0 && saved > 0)
}

/// Moves one group at a time to the best level that fits.
fn singles(state: &mut State<'_, '_>, limit: Ticks, least: f64) {
    let mut is_moving = true;
    while is_moving && state.lookups > 0 {
        is_moving = false;
        for g in 0..state.levels.len() {
            let now = state.value_now(g);
            let mut best = (0.0, 0, None);
            for (level, total) in state.totals(g).into_iter().enumerate().filter(|&(_, total)| total <= limit) {
                let (gain, saved) = (state.value(g, level) - now, state.cost - total);
                if is_gain(gain, saved, least) && (gain, saved) > (best.0, best.1) {
                    best = (gain, saved, Some((level, total)));
                }
            }
            if let (.., Some((level, total))) = best {
                state.set(StepKind::Refine, g, level, total);
                is_moving = true;
            }
        }
    }
}

/// Moves two groups that share a layer to the best pair of levels that fits.
fn neighbors(state: &mut State<'_, '_>, limit: Ticks, least: f64) {
    let ledger = state.ledger;
    for g in 0..state.levels.len() {
        for &h in ledger.neighbors[g].iter().filter(|&&h| h > g) {
            if state.lookups == 0 {
                return;
            }
            let (groups, cost) = (state.groups(), state.cost);
            let (now_g, now_h) = (state.value_now(g), state.value_now(h));
            let mut best = (0.0, 0, None);
            state.pairs(g, h, |own, other, total| {
                let (gain, saved) = (groups[g].value[own] - now_g + (groups[h].value[other] - now_h), cost - total);
                if total <= limit && is_gain(gain, saved, least) && (gain, saved) > (best.0, best.1) {
                    best = (gain, saved, Some((own, other, total)));
                }
            });
            if let (.., Some((own, other, total))) = best {
                state.set_both(StepKind::Swap, (g, own), (h, other), total);
            }
        }
    }
}

/// A move of one group, by how much it changes time and value, both as positive numbers.
struct Move {
    g: usize,
    level: usize,
    time: Ticks,
    value: f64,
}

/// Lets one group win value while another one, which shares no layer with it, pays for the time.
fn swaps(state: &mut State<'_, '_>, limit: Ticks, least: f64) {
    let (mut ups, mut downs) = (Vec::new(), Vec::new());
    for g in 0..state.levels.len() {
        let (cost, now) = (state.cost, state.value_now(g));
        for (level, total) in state.totals(g).into_iter().enumerate() {
            let gain = state.value(g, level) - now;
            if gain > least && total > cost {
                ups.push(Move { g, level, time: total - cost, value: gain });
            } else if gain < 0.0 && total < cost {
                downs.push(Move { g, level, time: cost - total, value: -gain });
            }
        }
    }
    // Sorting is stable, so equal moves stay in the order of their groups.
    ups.sort_by(|a, b| b.value.total_cmp(&a.value));
    downs.sort_by(|a, b| a.value.total_cmp(&b.value));
    // most_time[i] is the most time that any of the i + 1 cheapest moves down saves.
    let most_time: Vec<Ticks> = downs
        .iter()
        .scan(0, |most, down| {
            *most = down.time.max(*most);
            Some(*most)
        })
        .collect();
    let mut touched = BTreeSet::new();
    for up in &ups {
        let needed = up.time - (limit - state.cost);
        let cheaper = downs.partition_point(|down| down.value < up.value - least);
        let start = most_time.partition_point(|&time| time < needed);
        let near = &state.ledger.neighbors[up.g];
        if touched.contains(&up.g) || start >= cheaper {
            continue;
        }
        let is_apart =
            |down: &&Move| down.g != up.g && near.binary_search(&down.g).is_err() && !touched.contains(&down.g);
        let candidates = &downs[start..cheaper];
        state.lookups = state.lookups.saturating_sub(candidates.len() as u64 / 8);
        let Some(down) = candidates.iter().filter(|down| down.time >= needed).find(is_apart) else { continue };
        let (after_down, after_both) = (state.cost - down.time, state.cost - down.time + up.time);
        state.set(StepKind::Swap, down.g, down.level, after_down);
        state.set(StepKind::Swap, up.g, up.level, after_both);
        // What was computed for the two and for whatever shares a layer with them no longer holds.
        for g in [up.g, down.g] {
            touched.insert(g);
            touched.extend(state.ledger.neighbors[g].iter().copied());
        }
        if state.lookups == 0 {
            return;
        }
    }
}

/// The fastest of several descents over one group and over two neighbors; not proven to be the fastest of all.
pub(crate) fn fastest(state: &State<'_, '_>) -> Vec<usize> {
    let narrowest = vec![0; state.levels.len()];
    let starts = [narrowest, state.levels.clone(), state.ledger.problem.full_levels()];
    let descents = starts.map(|levels| {
        let mut state = State::new(state.ledger, levels, state.lookups.max(1_000_000));
        faster(&mut state);
        (state.cost, state.levels)
    });
    descents.into_iter().min_by_key(|(cost, _)| *cost).map(|(_, levels)| levels).unwrap_or_default()
}

fn faster(state: &mut State<'_, '_>) {
    let ledger = state.ledger;
    let mut is_moving = true;
    while is_moving && state.lookups > 0 {
        is_moving = false;
        for g in 0..state.levels.len() {
            let best = state.totals(g).into_iter().enumerate().min_by_key(|&(_, total)| total);
            if let Some((level, total)) = best.filter(|&(_, total)| total < state.cost) {
                (state.levels[g], state.cost, is_moving) = (level, total, true);
            }
        }
        for g in (0..state.levels.len()).filter(|_| !is_moving).collect::<Vec<_>>() {
            for &h in ledger.neighbors[g].iter().filter(|&&h| h > g) {
                let mut best = (state.cost, None);
                state.pairs(g, h, |own, other, total| {
                    if total < best.0 {
                        best = (total, Some((own, other)));
                    }
                });
                if let (total, Some((own, other))) = best {
                    (state.levels[g], state.levels[h], state.cost, is_moving) = (own, other, total, true);
                }
            }
        }
    }
}
