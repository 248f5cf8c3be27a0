//! Predictions for customers at given parameters: P(alive), expected and discounted purchases.
//!
//! Every prediction is a pure function of the parameters and the customer's key, computed the same
//! way alone or among others, so equal keys get equal bits whatever shard they are in. What depends
//! on fewer things than the key is kept while a slice of sorted keys is worked through.

use libm::{exp, log, log1p};
use serde::{Deserialize, Serialize};

use super::bg::FirstPurchase;
use super::predict::{BetaGeometric, BetaGeometricRow, Pareto};
use super::table::{distinct, index_of, possible};
use super::{Parameters, SpendFit, SpendKey, TransactionFit, TransactionKey};

/// An effective discount rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// Per year of twelve months, e.g. 0.1 for 10 %.
    Annual(f64),
    /// Per month.
    Monthly(f64),
}

impl Discount {
    /// `ln(1 + rate)` of one month.
    fn ln_per_month(self) -> f64 {
        match self {
            Self::Annual(rate) => log1p(rate) / 12.0,
            Self::Monthly(rate) => log1p(rate),
        }
    }
}

/// What to predict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreSpec {
    /// Horizons, in months from the end of observation.
    pub horizons_months: Vec<u32>,
    /// Days in a month (365.25/12 by default elsewhere).
    pub month_days: f64,
    /// Discount rate of future purchases, each counted at the end of its month.
    pub discount: Discount,
    /// Share of spend that counts as value.
    pub margin: f64,
    /// Also predict purchases without a horizon. Cheap in all models but BG/NBD and MBG/NBD.
    pub without_end: bool,
}

/// Predictions for one customer.
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionScore {
    /// Chance that the customer still buys.
    pub p_alive: f64,
    /// Expected purchases within each horizon.
    pub expected_purchases: Vec<f64>,
    /// The same, discounted month by month.
    pub discounted_purchases: Vec<f64>,
    /// Discounted expected residual transactions: purchases without a horizon, discounted
    /// continuously. None when not asked for or when the discount rate is not above zero.
    pub dert: Option<f64>,
}

/// Predictions for many customers, by column; every column is as long as the keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoreColumns {
    /// See [`TransactionScore::p_alive`].
    pub p_alive: Vec<f64>,
    /// One column per horizon.
    pub expected_purchases: Vec<Vec<f64>>,
    /// One column per horizon.
    pub discounted_purchases: Vec<Vec<f64>>,
    /// See [`TransactionScore::dert`].
    pub dert: Option<Vec<f64>>,
}

/// Predicts at fixed parameters.
pub struct Scorer {
    model: Model,
    unit_days: f64,
    /// End of each month up to the longest horizon, in units of time.
    months: Vec<f64>,
    horizons: Vec<usize>,
    /// Worth now of a purchase at the end of each month.
    discounts: Vec<f64>,
    /// Continuous discount rate per unit of time, if purchases without a horizon are asked for.
    delta: Option<f64>,
    spend: SpendFit,
    margin: f64,
}

enum Model {
    Pareto(Pareto),
    BetaGeometric(BetaGeometric),
    Nbd { r: f64, alpha: f64 },
    Poisson { rate: f64 },
}

impl Model {
    fn new(parameters: &Parameters) -> Self {
        match *parameters {
            Parameters::ParetoNbd { r, alpha, s, beta } => {
                Self::Pareto(Pareto::new(r, alpha, s, beta))
            }
            Parameters::BgNbd { r, alpha, a, b } => Self::BetaGeometric(BetaGeometric {
                r,
                alpha,
                a,
                b,
                first: FirstPurchase::Safe,
            }),
            Parameters::MbgNbd { r, alpha, a, b } => Self::BetaGeometric(BetaGeometric {
                r,
                alpha,
                a,
                b,
                first: FirstPurchase::Risky,
            }),
            Parameters::Nbd { r, alpha } => Self::Nbd { r, alpha },
            Parameters::Poisson { rate } => Self::Poisson { rate },
        }
    }

    /// What predictions per P(alive) are a multiple of, when they are not a function of x itself.
    fn purchases_so_far(&self, x: f64) -> f64 {
        match *self {
            Self::Pareto(Pareto { r, .. }) | Self::Nbd { r, .. } => r + x,
            Self::BetaGeometric(_) | Self::Poisson { .. } => 1.0,
        }
    }
}

impl Scorer {
    /// A scorer at the parameters of two fits.
    #[must_use]
    pub fn new(transactions: &TransactionFit, spend: &SpendFit, spec: &ScoreSpec) -> Self {
        let unit_days = transactions.unit.days();
        let month = spec.month_days / unit_days;
        let longest = spec.horizons_months.iter().copied().max().unwrap_or(0);
        let ln_rate = spec.discount.ln_per_month();
        let delta = ln_rate / month;
        Self {
            model: Model::new(&transactions.parameters),
            unit_days,
            months: (1..=longest).map(|i| f64::from(i) * month).collect(),
            horizons: spec.horizons_months.iter().map(|&h| h as usize).collect(),
            discounts: (1..=longest)
                .map(|i| exp(-f64::from(i) * ln_rate))
                .collect(),
            delta: (spec.without_end && delta > 0.0).then_some(delta),
            spend: spend.clone(),
            margin: spec.margin,
        }
    }

    /// Predictions for one customer.
    #[must_use]
    pub fn score(&self, key: TransactionKey) -> TransactionScore {
        let mut columns = self.score_all(&[key]);
        let first = |columns: &[Vec<f64>]| columns.iter().flatten().copied().collect();
        TransactionScore {
            p_alive: columns.p_alive.pop().unwrap_or_default(),
            expected_purchases: first(&columns.expected_purchases),
            discounted_purchases: first(&columns.discounted_purchases),
            dert: columns.dert.as_mut().and_then(Vec::pop),
        }
    }

    /// Predictions for many customers: fastest when the keys are sorted.
    #[must_use]
    pub fn score_all(&self, keys: &[TransactionKey]) -> ScoreColumns {
        let column = || Vec::with_capacity(keys.len());
        let mut columns = ScoreColumns {
            p_alive: column(),
            expected_purchases: self.horizons.iter().map(|_| column()).collect(),
            discounted_purchases: self.horizons.iter().map(|_| column()).collect(),
            dert: self.delta.map(|_| column()),
        };
        let mut memo = Memo::new(self, keys);
        for &key in keys {
            let key = possible(key);
            memo.turn_to(key.x);
            let (recency, age) = (memo.day(key.t_x_days), memo.day(key.age_days));
            let p_alive = memo.p_alive(recency, age);
            let scale = p_alive * memo.purchases_so_far;
            let rates = memo.rates(age);
            columns.p_alive.push(p_alive);
            for (column, rate) in columns.expected_purchases.iter_mut().zip(&rates.expected) {
                column.push(scale * rate);
            }
            for (column, rate) in columns
                .discounted_purchases
                .iter_mut()
                .zip(&rates.discounted)
            {
                column.push(scale * rate);
            }
            if let Some(column) = &mut columns.dert {
                column.push(scale * rates.dert);
            }
        }
        columns
    }

    /// Expected spend per future purchase, in major units.
    #[must_use]
    pub fn expected_spend(&self, key: SpendKey) -> f64 {
        self.spend.expected_spend(key)
    }

    /// Value of discounted purchases at an expected spend, in major units.
    #[must_use]
    pub fn value(&self, discounted_purchases: f64, expected_spend: f64) -> f64 {
        discounted_purchases * expected_spend * self.margin
    }

    /// Predictions per unit of P(alive) from expected purchases per month.
    fn by_horizon(&self, expected: &mut dyn FnMut(f64) -> f64, dert: f64) -> Rates {
        let (mut before, mut discounted) = (0.0, 0.0);
        let mut cumulative = vec![(0.0, 0.0)];
        for (&month, &discount) in self.months.iter().zip(&self.discounts) {
            let until = expected(month);
            discounted += (until - before) * discount;
            before = until;
            cumulative.push((until, discounted));
        }
        Rates {
            expected: self.horizons.iter().map(|&h| cumulative[h].0).collect(),
            discounted: self.horizons.iter().map(|&h| cumulative[h].1).collect(),
            dert,
        }
    }
}

/// Predictions per P(alive), and per [`Model::purchases_so_far`].
#[derive(Default)]
struct Rates {
    expected: Vec<f64>,
    discounted: Vec<f64>,
    dert: f64,
}

/// What one slice of keys has needed so far.
struct Memo<'a> {
    scorer: &'a Scorer,
    /// Distinct recencies and ages, ascending.
    days: Vec<u32>,
    /// `ln(alpha + t)`, and `ln(beta + t)` in Pareto/NBD, by day.
    ln_times: Vec<(f64, f64)>,
    /// The frequency at hand.
    x: Option<u32>,
    /// Counts the changes of frequency, to tell what is stale.
    turn: u32,
    purchases_so_far: f64,
    /// What BG/NBD and MBG/NBD know of it.
    row: Option<BetaGeometricRow>,
    /// Tails of Pareto/NBD at the frequency of a turn, by day.
    tails: Vec<(u32, f64)>,
    /// Rates by day; of any turn where they do not depend on the frequency.
    rates: Vec<(u32, Rates)>,
}

impl<'a> Memo<'a> {
    fn new(scorer: &'a Scorer, keys: &[TransactionKey]) -> Self {
        let days = distinct(
            keys.iter()
                .flat_map(|&k| [possible(k).t_x_days, k.age_days]),
        );
        let ln_times = days
            .iter()
            .map(|&day| {
                let t = f64::from(day) / scorer.unit_days;
                match &scorer.model {
                    Model::Pareto(m) => (log(m.alpha + t), log(m.beta + t)),
                    Model::BetaGeometric(m) => (log(m.alpha + t), 0.0),
                    Model::Nbd { .. } | Model::Poisson { .. } => (0.0, 0.0),
                }
            })
            .collect();
        Self {
            scorer,
            ln_times,
            x: None,
            turn: 0,
            purchases_so_far: 1.0,
            row: None,
            tails: vec![(0, 0.0); days.len()],
            rates: days.iter().map(|_| (0, Rates::default())).collect(),
            days,
        }
    }

    /// Makes `x` the frequency at hand.
    fn turn_to(&mut self, x: u32) {
        if self.x == Some(x) {
            return;
        }
        self.x = Some(x);
        self.turn += 1;
        self.purchases_so_far = self.scorer.model.purchases_so_far(f64::from(x));
        self.row = None;
    }

    fn day(&self, day: u32) -> usize {
        index_of(&self.days, day) as usize
    }

    fn time(&self, day: usize) -> f64 {
        f64::from(self.days[day]) / self.scorer.unit_days
    }

    fn p_alive(&mut self, recency: usize, age: usize) -> f64 {
        let x = f64::from(self.x.unwrap_or_default());
        let (alpha_gap, beta_gap) = {
            let (early, late) = (self.ln_times[recency], self.ln_times[age]);
            (late.0 - early.0, late.1 - early.1)
        };
        match &self.scorer.model {
            // Schmittlein, Morrison and Colombo 1987, equations 11 to 13: alive until T, over that
            // and gone at some time in between.
            Model::Pareto(model) => {
                let fall = exp(-(model.r + x) * alpha_gap - model.s * beta_gap);
                let early = self.tail(model, x, recency);
                let late = self.tail(model, x, age);
                fall / (fall * (1.0 - late) + early)
            }
            // Fader, Hardie and Lee 2005; Hardie, note 021.
            Model::BetaGeometric(model) => {
                let passed = x + model.first.chances();
                if passed == 0.0 {
                    return 1.0;
                }
                let odds = log(model.a / (model.b + passed - 1.0)) + (model.r + x) * alpha_gap;
                1.0 / (1.0 + exp(odds))
            }
            Model::Nbd { .. } | Model::Poisson { .. } => 1.0,
        }
    }

    fn tail(&mut self, model: &Pareto, x: f64, day: usize) -> f64 {
        if self.tails[day].0 != self.turn {
            let t = self.time(day);
            self.tails[day] = (self.turn, model.tail(x, model.alpha + t, model.beta + t));
        }
        self.tails[day].1
    }

    fn rates(&mut self, day: usize) -> &Rates {
        let by_frequency = matches!(self.scorer.model, Model::BetaGeometric(_));
        let turn = if by_frequency { self.turn } else { 1 };
        if self.rates[day].0 != turn {
            self.rates[day] = (turn, self.new_rates(self.time(day)));
        }
        &self.rates[day].1
    }

    fn new_rates(&mut self, age: f64) -> Rates {
        let scorer = self.scorer;
        let delta = scorer.delta;
        match &scorer.model {
            Model::Pareto(model) => {
                let dert = delta.map_or(0.0, |delta| model.discounted(age, delta));
                scorer.by_horizon(&mut |t| model.expected(age, t), dert)
            }
            Model::BetaGeometric(model) => {
                let x = f64::from(self.x.unwrap_or_default());
                let row = self.row.get_or_insert_with(|| model.row(x));
                let dert = delta.map_or(0.0, |delta| row.discounted(age, delta));
                scorer.by_horizon(&mut |t| row.expected(age, t), dert)
            }
            Model::Nbd { alpha, .. } => {
                let rate = 1.0 / (alpha + age);
                scorer.by_horizon(&mut |t| rate * t, delta.map_or(0.0, |delta| rate / delta))
            }
            Model::Poisson { rate } => {
                scorer.by_horizon(&mut |t| rate * t, delta.map_or(0.0, |delta| rate / delta))
            }
        }
    }
}
