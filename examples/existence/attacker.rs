//! The attacker: learns from half of the addresses how the responses of new and known ones differ,
//! and guesses the other half.

use std::collections::HashMap;

/// Responses of one probe fall into this many bins of time, with equally many of each.
const BINS: usize = 8;

/// The response to one probe, as its sender sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Everything but the time: status, headers and body.
    pub(crate) visible: String,
    /// The time, in units of the floor, or seconds without one.
    pub(crate) time: f64,
}

/// The probes of one address, each by its name, and whether the address was new.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    pub(crate) is_new: bool,
    pub(crate) probes: Vec<(&'static str, Seen)>,
}

/// The share of right guesses beyond half of them, and half the width of its 95 % interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Advantage {
    pub(crate) mean: f64,
    pub(crate) margin: f64,
}

/// Guesses every address, with the probes that `uses` selects, from what the other half shows.
pub(crate) fn advantage(trials: &[Trial], uses: impl Fn(&str) -> bool) -> Advantage {
    let (one, other): (Vec<_>, Vec<_>) =
        trials.iter().enumerate().partition(|(nth, _)| nth % 2 == 0);
    let half = |half: Vec<(usize, &Trial)>| -> Vec<Trial> {
        let probes =
            |trial: &Trial| trial.probes.iter().filter(|(name, _)| uses(name)).cloned().collect();
        let trials = half.into_iter();
        trials.map(|(_, trial)| Trial { is_new: trial.is_new, probes: probes(trial) }).collect()
    };
    let (one, other) = (half(one), half(other));
    let right = right(&one, &other) + right(&other, &one);
    let total = trials.len() as f64;
    let share = right / total;
    // Each half learns from the other, so both are right, or wrong, by the same chance: the interval is
    // that of one half.
    Advantage { mean: share - 0.5, margin: 1.96 * (2.0 * share * (1.0 - share) / total).sqrt() }
}

/// The number of right guesses: naive Bayes over the bins of each probe. A tie counts half.
fn right(learn: &[Trial], guess: &[Trial]) -> f64 {
    let Some(first) = learn.first() else { return 0.0 };
    let edges: Vec<Vec<f64>> = (0..first.probes.len()).map(|nth| edges(learn, nth)).collect();
    let bins = |trial: &Trial| -> Vec<(usize, String)> {
        let seen = trial.probes.iter().zip(&edges).enumerate();
        let signs = seen.map(|(nth, ((_, seen), edges))| {
            [(nth, time_bin(seen, edges)), (nth, seen.visible.clone())]
        });
        signs.flatten().collect()
    };
    // The counts of new and of known addresses, in every bin of every probe.
    let mut counts: HashMap<(usize, String), [f64; 2]> = HashMap::new();
    let mut totals = [0.0; 2];
    for trial in learn {
        totals[usize::from(trial.is_new)] += 1.0;
        for key in bins(trial) {
            counts.entry(key).or_default()[usize::from(trial.is_new)] += 1.0;
        }
    }
    let log_odds = |key: &(usize, String)| {
        let [known, new] = counts.get(key).copied().unwrap_or_default();
        // One more of each: what was seen a few times proves little.
        ((new + 1.0) / (totals[1] + 2.0)).ln() - ((known + 1.0) / (totals[0] + 2.0)).ln()
    };
    let guesses = guess.iter().map(|trial| {
        let odds: f64 = bins(trial).iter().map(log_odds).sum();
        match (odds.abs() < 1e-12, (odds > 0.0) == trial.is_new) {
            (true, _) => 0.5,
            (false, right) => f64::from(u8::from(right)),
        }
    });
    guesses.sum()
}

/// The bounds between bins of time: of one probe, with equally many responses in each bin.
fn edges(trials: &[Trial], nth: usize) -> Vec<f64> {
    let mut times: Vec<f64> =
        trials.iter().filter_map(|trial| Some(trial.probes.get(nth)?.1.time)).collect();
    times.sort_by(f64::total_cmp);
    (1..BINS).filter_map(|bin| times.get(bin * times.len() / BINS).copied()).collect()
}

/// Times that are alike to the attacker: as many whole floors, and within the same bin.
fn time_bin(seen: &Seen, edges: &[f64]) -> String {
    let place = edges.partition_point(|edge| *edge <= seen.time);
    // Half a floor, so that the end of a bin is not where responses leave.
    format!("{} {place}", (seen.time + 0.5).floor())
}
