//! Log-likelihood of the Pareto/NBD model, by quadrature.
//!
//! With `k = r + x`, a key contributes (Schmittlein, Morrison and Colombo 1987; Fader and Hardie,
//! note 009, equations 22 and 23, before the hypergeometric functions are brought in)
//!
//! `L = Gamma(k)/Gamma(r) alpha^r beta^s [ F(T) + int_{t_x}^T s (alpha+t)^-k (beta+t)^-(s+1) dt ]`,
//! `F(t) = (alpha+t)^-k (beta+t)^-s`.
//!
//! The integral is `J(t_x) - J(T)` with `J(t)` the same integral up to the longest age. `J(T)` is at
//! most `F(T)`, so the difference costs no digits. `J` depends on (x, day) alone: it
//! is summed down the distinct days of each frequency, where neighbouring days need few nodes, and
//! a key itself costs one exponential and one logarithm.

use std::ops::Range;

use libm::{exp, expm1, log, log1p};

use super::chunks::{ChunkMap, sum_by_chunks};
use super::quadrature::GaussLegendre;
use super::special::{digamma_rise, ln_rising};
use super::table::KeyTable;

/// Beyond this many e-folds below its top an integrand adds nothing.
const NEGLIGIBLE: f64 = 45.0;

/// Integrals of `w(t) = s (alpha+t)^-k (beta+t)^-(s+1)` over an interval from `t0`, in units of
/// `F(t0)`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Moments {
    /// `int w`.
    pub(crate) whole: f64,
    /// `int w ln((alpha+t)/(alpha+t0))`.
    ln_alpha: f64,
    /// `int w (alpha+t0)/(alpha+t)`.
    inverse_alpha: f64,
    /// `int w ln((beta+t)/(beta+t0))`.
    ln_beta: f64,
    /// `int w (beta+t0)/(beta+t)`.
    inverse_beta: f64,
}

/// Gauss-Legendre rules of several sizes.
pub(crate) struct Rules([GaussLegendre; 4]);

impl Rules {
    pub(crate) fn new() -> Self {
        Self([8, 16, 32, 64].map(GaussLegendre::new))
    }

    /// The smallest rule that is exact to double precision for an integrand that falls by `decay`
    /// e-folds over `length` in the logarithm of time, with its nearest singularity at distance pi.
    fn pick(&self, length: f64, decay: f64) -> &GaussLegendre {
        let [eight, sixteen, thirty_two, sixty_four] = &self.0;
        if length <= 1.0 && decay <= 3.0 {
            eight
        } else if length <= 4.0 && decay <= 14.0 {
            sixteen
        } else if length <= 9.0 && decay <= 50.0 {
            thirty_two
        } else {
            sixty_four
        }
    }
}

/// `k` and `s` of the weight function.
#[derive(Clone, Copy)]
pub(crate) struct Powers {
    pub(crate) k: f64,
    pub(crate) s: f64,
}

impl Powers {
    /// The moments over `[t0, t0 + width]`, given `alpha + t0` and `beta + t0`.
    ///
    /// Integrates over `l = ln((c+t)/(c+t0))` with `c` the smaller of alpha and beta: the other
    /// factor's singularity then lies at `Im l = pi`, never beside the interval.
    pub(crate) fn moments(self, rules: &Rules, alpha: f64, beta: f64, width: f64) -> Moments {
        let alpha_first = alpha <= beta;
        let (near, far) = if alpha_first {
            (alpha, beta)
        } else {
            (beta, alpha)
        };
        let ratio = near / far;
        // Powers of the two factors after dt = (c+t) dl took one power away.
        let (near_power, far_power, scale) = if alpha_first {
            (self.k - 1.0, self.s + 1.0, self.s * ratio)
        } else {
            (self.s, self.k, self.s)
        };
        let length = negligible_from(near_power, far_power, ratio).min(log1p(width / near));
        let decay = near_power * length + far_power * log1p(ratio * expm1(length));
        let mut sums = [0.0; 5];
        for (node, weight) in rules.pick(length, decay).iter() {
            let ln_near = length * node;
            let growth = expm1(ln_near);
            let ln_far = log1p(ratio * growth);
            let w = weight * exp(-near_power * ln_near - far_power * ln_far);
            sums[0] += w;
            sums[1] += w * ln_near;
            sums[2] += w / (1.0 + growth);
            sums[3] += w * ln_far;
            sums[4] += w / (1.0 + ratio * growth);
        }
        let [whole, ln_near, inverse_near, ln_far, inverse_far] =
            sums.map(|sum| scale * length * sum);
        let (of_alpha, of_beta) = if alpha_first {
            ((ln_near, inverse_near), (ln_far, inverse_far))
        } else {
            ((ln_far, inverse_far), (ln_near, inverse_near))
        };
        Moments {
            whole,
            ln_alpha: of_alpha.0,
            inverse_alpha: of_alpha.1,
            ln_beta: of_beta.0,
            inverse_beta: of_beta.1,
        }
    }
}

/// Where either factor alone has fallen below [`NEGLIGIBLE`].
fn negligible_from(near_power: f64, far_power: f64, ratio: f64) -> f64 {
    let by_near = if near_power > 0.0 {
        NEGLIGIBLE / near_power
    } else {
        f64::INFINITY
    };
    let by_far = log1p(expm1((NEGLIGIBLE / far_power).min(700.0)) / ratio);
    if near_power >= 0.0 {
        by_near.min(by_far)
    } else {
        f64::INFINITY
    }
}

impl Moments {
    /// The moments over this interval and over all that follows it.
    fn followed_by(self, step: &Step, later: &Moments) -> Moments {
        let Step {
            fall,
            ln_alpha,
            ln_beta,
            alpha,
            beta,
        } = *step;
        Moments {
            whole: self.whole + fall * later.whole,
            ln_alpha: self.ln_alpha + fall * (later.ln_alpha + ln_alpha * later.whole),
            inverse_alpha: self.inverse_alpha + fall * alpha * later.inverse_alpha,
            ln_beta: self.ln_beta + fall * (later.ln_beta + ln_beta * later.whole),
            inverse_beta: self.inverse_beta + fall * beta * later.inverse_beta,
        }
    }
}

/// From one day to a later one: `F` later over `F` here, the differences of the two logarithms, and
/// the two times here over those later.
struct Step {
    fall: f64,
    ln_alpha: f64,
    ln_beta: f64,
    alpha: f64,
    beta: f64,
}

/// The distinct (x, day) pairs of a table, grouped by frequency.
pub(crate) struct Pairs {
    /// Index into [`KeyTable::days`] for each pair, ascending within a frequency.
    days: Vec<u32>,
    /// The pairs of each frequency.
    by_x: Vec<Range<usize>>,
    /// For each row the pairs of its recency and of its age.
    rows: Vec<(u32, u32)>,
    /// Frequencies that are worked on together, so that chunks are of like size.
    chunks: Vec<Range<usize>>,
}

/// Pairs that one chunk of work has at least, the last one apart.
const PAIRS_PER_CHUNK: usize = 512;

impl Pairs {
    pub(crate) fn new(table: &KeyTable) -> Self {
        let mut days_of_x: Vec<Vec<u32>> = vec![Vec::new(); table.xs.len()];
        for row in &table.rows {
            days_of_x[row.x as usize].extend([row.recency, row.age]);
        }
        let (mut days, mut by_x) = (Vec::new(), Vec::new());
        for mut of_x in days_of_x {
            of_x.sort_unstable();
            of_x.dedup();
            by_x.push(days.len()..days.len() + of_x.len());
            days.extend(of_x);
        }
        let place = |x: u32, day: u32| -> u32 {
            let range = by_x[x as usize].clone();
            (range.start + days[range].partition_point(|&d| d < day)) as u32
        };
        let rows = table
            .rows
            .iter()
            .map(|row| (place(row.x, row.recency), place(row.x, row.age)))
            .collect();
        let chunks = group(&by_x);
        Self {
            rows,
            chunks,
            days,
            by_x,
        }
    }
}

/// Consecutive frequencies, gathered until each group has [`PAIRS_PER_CHUNK`] pairs.
fn group(by_x: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    for (x, pairs) in by_x.iter().enumerate() {
        if pairs.end - by_x[start].start >= PAIRS_PER_CHUNK || x + 1 == by_x.len() {
            groups.push(start..x + 1);
            start = x + 1;
        }
    }
    groups
}

/// `J` at one pair, with `ln(1 + t/alpha)` and `1/(alpha + t)`, and the same of beta.
struct Tail {
    moments: Moments,
    ln_alpha: f64,
    ln_beta: f64,
    inverse_alpha: f64,
    inverse_beta: f64,
}

const TAIL_WIDTH: usize = 9;

impl Tail {
    /// Nothing lies beyond the longest age.
    fn new(alpha: f64, beta: f64, t: f64) -> Self {
        Self {
            moments: Moments::default(),
            ln_alpha: log1p(t / alpha),
            ln_beta: log1p(t / beta),
            inverse_alpha: 1.0 / (alpha + t),
            inverse_beta: 1.0 / (beta + t),
        }
    }

    fn to_row(&self) -> [f64; TAIL_WIDTH] {
        let m = &self.moments;
        [
            m.whole,
            m.ln_alpha,
            m.inverse_alpha,
            m.ln_beta,
            m.inverse_beta,
            self.ln_alpha,
            self.ln_beta,
            self.inverse_alpha,
            self.inverse_beta,
        ]
    }

    fn from_row(row: &[f64]) -> Self {
        let moments = Moments {
            whole: row[0],
            ln_alpha: row[1],
            inverse_alpha: row[2],
            ln_beta: row[3],
            inverse_beta: row[4],
        };
        let (ln_alpha, ln_beta, inverse_alpha, inverse_beta) = (row[5], row[6], row[7], row[8]);
        Self {
            moments,
            ln_alpha,
            ln_beta,
            inverse_alpha,
            inverse_beta,
        }
    }
}

/// Evaluates the log-likelihood over a table.
pub(crate) struct ParetoLikelihood<'a> {
    table: &'a KeyTable,
    pairs: Pairs,
    rules: Rules,
}

impl<'a> ParetoLikelihood<'a> {
    pub(crate) fn new(table: &'a KeyTable) -> Self {
        Self {
            table,
            pairs: Pairs::new(table),
            rules: Rules::new(),
        }
    }

    /// Log-likelihood at `[r, alpha, s, beta]` (internal time) and its derivatives.
    pub(crate) fn evaluate(&self, chunks: &dyn ChunkMap, theta: [f64; 4]) -> (f64, [f64; 4]) {
        let [r, alpha, s, beta] = theta;
        let tails: Vec<Tail> = chunks
            .map(self.pairs.chunks.len(), &|chunk| {
                self.tails(self.pairs.chunks[chunk].clone(), theta)
            })
            .iter()
            .flat_map(|part| part.chunks_exact(TAIL_WIDTH).map(Tail::from_row))
            .collect();
        let rises: Vec<(f64, f64)> = self
            .table
            .xs
            .iter()
            .map(|&x| (ln_rising(r, x), digamma_rise(r, x)))
            .collect();
        let (ln_alpha, by_alpha, by_beta) = (log(alpha), r / alpha, s / beta);
        let [value, gradient @ ..] =
            sum_by_chunks::<5>(chunks, self.pairs.rows.len(), &|rows, sums| {
                for (row, pair) in self.table.rows[rows.clone()]
                    .iter()
                    .zip(&self.pairs.rows[rows])
                {
                    let x = self.table.xs[row.x as usize];
                    let (rise, rise_slope) = rises[row.x as usize];
                    let (early, late) = (&tails[pair.0 as usize], &tails[pair.1 as usize]);
                    let mut terms = Powers { k: r + x, s }.key_terms(early, late);
                    terms[0] += rise - x * ln_alpha;
                    terms[1] += rise_slope;
                    terms[2] += by_alpha;
                    terms[4] += by_beta;
                    sums.add(terms.map(|term| row.customers * term));
                }
            });
        (value, gradient)
    }

    /// Tails of the pairs of some frequencies, flattened.
    fn tails(&self, xs: Range<usize>, [r, alpha, s, beta]: [f64; 4]) -> Vec<f64> {
        let pairs = self.pairs.by_x[xs.start].start..self.pairs.by_x[xs.end - 1].end;
        let mut rows = vec![0.0; pairs.len() * TAIL_WIDTH];
        for x in xs {
            let powers = Powers {
                k: r + self.table.xs[x],
                s,
            };
            let mut later: Option<(f64, Tail)> = None;
            for pair in self.pairs.by_x[x].clone().rev() {
                let t = self.table.days[self.pairs.days[pair] as usize];
                let mut tail = Tail::new(alpha, beta, t);
                if let Some((later_t, later)) = &later {
                    let here = powers.moments(&self.rules, alpha + t, beta + t, later_t - t);
                    tail.moments = here.followed_by(&powers.step(&tail, later), &later.moments);
                }
                let at = (pair - pairs.start) * TAIL_WIDTH;
                rows[at..at + TAIL_WIDTH].copy_from_slice(&tail.to_row());
                later = Some((t, tail));
            }
        }
        rows
    }
}

impl Powers {
    fn step(self, from: &Tail, to: &Tail) -> Step {
        let ln_alpha = to.ln_alpha - from.ln_alpha;
        let ln_beta = to.ln_beta - from.ln_beta;
        Step {
            fall: exp(-self.k * ln_alpha - self.s * ln_beta),
            ln_alpha,
            ln_beta,
            alpha: to.inverse_alpha / from.inverse_alpha,
            beta: to.inverse_beta / from.inverse_beta,
        }
    }

    /// `ln[F(T) + J(t_x) - J(T)] - ln F(0)` and its derivatives by k, alpha, s and beta (those by
    /// alpha and beta without their parts from `F(0)`), for the tails at `t_x` and `T`; everything
    /// inside is in units of `F(t_x)`.
    fn key_terms(self, recency: &Tail, age: &Tail) -> [f64; 5] {
        let Self { k, s } = self;
        let (early, late) = (&recency.moments, &age.moments);
        let fall = self.step(recency, age).fall;
        let kept = fall * (1.0 - late.whole);
        let total = kept + early.whole;
        let by_k = kept * age.ln_alpha + recency.ln_alpha * early.whole + early.ln_alpha
            - fall * late.ln_alpha;
        let by_alpha = fall * (1.0 - late.inverse_alpha) * age.inverse_alpha
            + early.inverse_alpha * recency.inverse_alpha;
        let by_s = kept * age.ln_beta + recency.ln_beta * early.whole + early.ln_beta
            - fall * late.ln_beta
            - (early.whole - fall * late.whole) / s;
        let by_beta = fall * (s - (s + 1.0) * late.inverse_beta) * age.inverse_beta
            + (s + 1.0) * early.inverse_beta * recency.inverse_beta;
        [
            log(total) - k * recency.ln_alpha - s * recency.ln_beta,
            -by_k / total,
            -k * by_alpha / total,
            -by_s / total,
            -by_beta / total,
        ]
    }
}
