//! Fitting a transaction model to counted keys, with the ladder of fallbacks.

use libm::{exp, log, log1p};
use serde::{Deserialize, Serialize};

use super::bg::{self, FirstPurchase};
use super::chunks::ChunkMap;
use super::histogram::FrequencyHistogram;
use super::nbd;
use super::optimise::{Evaluation, Matrix, Optimum, minimise, minimise_near};
use super::pareto::ParetoLikelihood;
use super::table::{KeyTable, MEAN_AGE};
use super::{MIN_REPEAT_CUSTOMERS, Parameters, TimeUnit, TransactionKey, TransactionModel};

/// Below this chance a model with dropout says the same as one without.
const NO_DROPOUT: f64 = 1e-6;

/// A model with dropout without an optimum inside, that gained less log-likelihood than this over the
/// one without, is creeping towards no dropout.
const NO_GAIN: f64 = 0.01;

/// A standard error of a log-parameter from which the data do not say what the parameter is.
const UNKNOWN: f64 = 10.0;

/// The first parameter of a dropout that is close to none: hardly anybody leaves.
const LITTLE: f64 = 1e-3;

/// Its second parameter, in parts of [`MEAN_AGE`]: those who leave do so soon, or late, or in between.
const SCALES: [f64; 5] = [1e-2, 1e-1, 1.0, 1e1, 1e2];

/// How a fit of a transaction model ended; the table is in the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitOutcome {
    /// The requested model, at an optimum.
    Converged,
    /// No spread in rates or in dropout: a parameter ran away and was held.
    AtBoundary,
    /// No sign of dropout: NBD.
    NoDropout,
    /// No optimum was found: the next simpler model.
    NotConverged,
    /// Too few customers with a repeat purchase: Poisson.
    TooFewRepeaters,
    /// Nobody to fit to.
    NoCustomers,
}

/// A fitted transaction model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransactionFit {
    /// The model asked for.
    pub requested: TransactionModel,
    /// The model used: another one when the requested one cannot be fitted.
    pub used: TransactionModel,
    /// How the fit ended.
    pub outcome: FitOutcome,
    /// The outcome in one sentence.
    pub explanation: String,
    /// Unit of time of the parameters and of the log-likelihood.
    pub unit: TimeUnit,
    /// Parameters of the model used; always finite.
    pub parameters: Parameters,
    /// Standard errors, from the inverse Hessian of the log-likelihood; none at a boundary.
    pub standard_errors: Option<Parameters>,
    /// Log-likelihood of all customers, the density of purchase times in the unit of time.
    pub log_likelihood: f64,
    /// Customers fitted to.
    pub customers: u64,
    /// Distinct keys among them.
    pub distinct_keys: u64,
    /// Customers with a repeat purchase.
    pub repeat_customers: u64,
    /// Evaluations of a likelihood and its gradient over all keys; those over a few of many customers are not counted.
    pub evaluations: u32,
    /// Largest slope of the mean log-likelihood per customer by a log-parameter, at the end.
    pub gradient_norm: f64,
    /// Expected against actual frequencies; none without customers.
    pub histogram: Option<FrequencyHistogram>,
}

/// Fits `model` to customers counted by key, with times stated in `unit`.
///
/// A pure function of its arguments: `chunks` decides only who computes. The keys should be
/// distinct, and sorted where the result is to have the same bits for the same customers. Never
/// fails: see the module's documentation for what it falls back to.
#[must_use]
pub fn fit_transactions(
    model: TransactionModel,
    keys: &[(TransactionKey, u64)],
    unit: TimeUnit,
    chunks: &dyn ChunkMap,
) -> TransactionFit {
    let table = KeyTable::new(keys);
    let fitter = Fitter {
        table: &table,
        chunks,
    };
    let choice = fitter.choose(model);
    let internal = choice.candidate.parameters;
    let parameters = internal.in_time(table.days_per_unit / unit.days());
    let occupied = table.customers > 0;
    TransactionFit {
        requested: model,
        used: parameters.model(),
        outcome: choice.outcome,
        explanation: explain(choice.outcome, model, parameters.model()).to_owned(),
        unit,
        parameters,
        standard_errors: choice
            .candidate
            .standard_errors
            .map(|errors| errors.in_time(table.days_per_unit / unit.days())),
        log_likelihood: choice.candidate.log_likelihood
            + table.purchases * log(unit.days() / table.days_per_unit),
        customers: table.customers,
        distinct_keys: table.rows.len() as u64,
        repeat_customers: table.repeat_customers,
        evaluations: choice.evaluations,
        gradient_norm: choice.candidate.gradient_norm,
        histogram: occupied.then(|| FrequencyHistogram::new(&parameters, unit, keys)),
    }
}

impl Parameters {
    /// The same parameters (or standard errors) with one unit of time being `factor` new ones.
    fn in_time(self, factor: f64) -> Self {
        match self {
            Self::ParetoNbd { r, alpha, s, beta } => Self::ParetoNbd {
                r,
                alpha: alpha * factor,
                s,
                beta: beta * factor,
            },
            Self::BgNbd { r, alpha, a, b } => Self::BgNbd {
                r,
                alpha: alpha * factor,
                a,
                b,
            },
            Self::MbgNbd { r, alpha, a, b } => Self::MbgNbd {
                r,
                alpha: alpha * factor,
                a,
                b,
            },
            Self::Nbd { r, alpha } => Self::Nbd {
                r,
                alpha: alpha * factor,
            },
            Self::Poisson { rate } => Self::Poisson {
                rate: rate / factor,
            },
        }
    }

    /// A name-by-name constructor for the models with four parameters.
    fn from_four(model: FourParameters, [first, second, third, fourth]: [f64; 4]) -> Self {
        let (r, alpha) = (first, second);
        match model {
            FourParameters::Pareto => Self::ParetoNbd {
                r,
                alpha,
                s: third,
                beta: fourth,
            },
            FourParameters::Beta(FirstPurchase::Safe) => Self::BgNbd {
                r,
                alpha,
                a: third,
                b: fourth,
            },
            FourParameters::Beta(FirstPurchase::Risky) => Self::MbgNbd {
                r,
                alpha,
                a: third,
                b: fourth,
            },
        }
    }

    /// Chance to drop out: at one purchase, or within the mean age (in internal time).
    fn dropout(&self) -> f64 {
        match *self {
            Self::ParetoNbd { s, beta, .. } => s * log1p(MEAN_AGE / beta),
            Self::BgNbd { a, b, .. } | Self::MbgNbd { a, b, .. } => a / (a + b),
            Self::Nbd { .. } | Self::Poisson { .. } => 0.0,
        }
    }
}

/// A model with dropout.
#[derive(Clone, Copy)]
enum FourParameters {
    Pareto,
    Beta(FirstPurchase),
}

/// The likelihood of a model with dropout, with what it prepares once.
enum Likelihood<'a> {
    Pareto(Box<ParetoLikelihood<'a>>),
    Beta(&'a KeyTable, FirstPurchase),
}

impl<'a> Likelihood<'a> {
    fn new(model: FourParameters, table: &'a KeyTable) -> Self {
        match model {
            FourParameters::Pareto => Self::Pareto(Box::new(ParetoLikelihood::new(table))),
            FourParameters::Beta(first) => Self::Beta(table, first),
        }
    }

    fn evaluate(&self, chunks: &dyn ChunkMap, theta: [f64; 4]) -> Evaluation<4> {
        match self {
            Self::Pareto(likelihood) => likelihood.evaluate(chunks, theta),
            Self::Beta(table, first) => bg::log_likelihood(table, chunks, *first, theta),
        }
    }
}

/// A fitted model in internal time.
struct Candidate {
    parameters: Parameters,
    standard_errors: Option<Parameters>,
    log_likelihood: f64,
    gradient_norm: f64,
    found: Found,
}

/// What kind of optimum was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Inside,
    AtBoundary,
    Nothing,
}

struct Choice {
    candidate: Candidate,
    outcome: FitOutcome,
    evaluations: u32,
}

/// An optimum of a model with dropout.
struct Attempt {
    candidate: Candidate,
    optimum: Optimum<4>,
}

/// What a few of many customers tell of the fit to all.
enum Few {
    /// Where about the optimum is, and the inverse of the Hessian there.
    Inside([f64; 4], Matrix<4>),
    /// There is no dropout.
    NoDropout,
    /// Nothing that helps.
    Unknown,
}

struct Fitter<'a> {
    table: &'a KeyTable,
    chunks: &'a dyn ChunkMap,
}

impl Fitter<'_> {
    /// Walks the ladder of fallbacks.
    fn choose(&self, model: TransactionModel) -> Choice {
        let choice = |candidate, outcome, evaluations| Choice {
            candidate,
            outcome,
            evaluations,
        };
        if self.table.exposure_days <= 0.0 {
            return choice(self.poisson(), FitOutcome::NoCustomers, 0);
        }
        let four = match model {
            TransactionModel::Poisson => return choice(self.poisson(), FitOutcome::Converged, 1),
            _ if self.table.repeat_customers < MIN_REPEAT_CUSTOMERS => {
                return choice(self.poisson(), FitOutcome::TooFewRepeaters, 1);
            }
            TransactionModel::Nbd => None,
            TransactionModel::ParetoNbd => Some(FourParameters::Pareto),
            TransactionModel::BgNbd => Some(FourParameters::Beta(FirstPurchase::Safe)),
            TransactionModel::MbgNbd => Some(FourParameters::Beta(FirstPurchase::Risky)),
        };
        let (nbd, rates, evaluations) = self.nbd();
        let Some(four) = four else {
            return self.simpler(nbd, FitOutcome::Converged, evaluations);
        };
        let (attempt, more) = self.with_dropout(four, &nbd, rates, &starts(rates));
        match attempt {
            Some(attempt) => self.judge(attempt.candidate, nbd, evaluations + more),
            None => self.simpler(nbd, FitOutcome::NoDropout, evaluations + more),
        }
    }

    /// Takes the model with dropout, or what it falls back to.
    fn judge(&self, candidate: Candidate, nbd: Candidate, evaluations: u32) -> Choice {
        let outcome = match candidate.found {
            _ if candidate.shows_no_dropout(&nbd) => FitOutcome::NoDropout,
            Found::Inside => FitOutcome::Converged,
            Found::AtBoundary => FitOutcome::AtBoundary,
            Found::Nothing => FitOutcome::NotConverged,
        };
        match outcome {
            FitOutcome::Converged | FitOutcome::AtBoundary => Choice {
                candidate,
                outcome,
                evaluations,
            },
            _ => self.simpler(nbd, outcome, evaluations),
        }
    }

    /// NBD, or Poisson where that could not be fitted or has no spread in rates.
    fn simpler(&self, nbd: Candidate, outcome: FitOutcome, evaluations: u32) -> Choice {
        let (candidate, outcome) = match nbd.found {
            Found::Inside => (nbd, outcome),
            Found::AtBoundary => (self.poisson(), FitOutcome::AtBoundary),
            Found::Nothing => (self.poisson(), FitOutcome::NotConverged),
        };
        Choice {
            candidate,
            outcome,
            evaluations,
        }
    }

    /// The pooled rate: purchases over ages.
    fn poisson(&self) -> Candidate {
        let exposure = self.table.exposure_days / self.table.days_per_unit;
        let purchases = self.table.purchases;
        let rate = if exposure > 0.0 {
            purchases / exposure
        } else {
            0.0
        };
        let seen = rate > 0.0;
        Candidate {
            parameters: Parameters::Poisson { rate },
            standard_errors: seen.then(|| Parameters::Poisson {
                rate: rate / purchases.sqrt(),
            }),
            log_likelihood: if seen {
                purchases * log(rate) - purchases
            } else {
                0.0
            },
            gradient_norm: 0.0,
            found: if seen {
                Found::Inside
            } else {
                Found::AtBoundary
            },
        }
    }

    /// The NBD fit and its log-parameters.
    fn nbd(&self) -> (Candidate, [f64; 2], u32) {
        let rate = self.table.purchases * self.table.days_per_unit / self.table.exposure_days;
        let table = self.table.without_recency();
        let objective = self.objective(|theta| nbd::log_likelihood(&table, self.chunks, theta));
        let optimum = minimise(&objective, [0.0, -log(rate)]);
        let named = |[r, alpha]: [f64; 2]| Parameters::Nbd { r, alpha };
        (
            self.candidate(&optimum, &named),
            optimum.point,
            optimum.evaluations,
        )
    }

    /// Fits from where the optimum is nearly known, if it is, and from the starts, until an optimum is found that
    /// beats the model without dropout; else the best of them. None where many keys show no dropout without being
    /// fitted. With the number of evaluations.
    fn with_dropout(
        &self,
        model: FourParameters,
        nbd: &Candidate,
        rates: [f64; 2],
        starts: &[[f64; 4]],
    ) -> (Option<Attempt>, u32) {
        let likelihood = Likelihood::new(model, self.table);
        let objective = self.objective(|theta| likelihood.evaluate(self.chunks, theta));
        let mut evaluations = 0;
        let first = match self.few(model, rates) {
            Few::Inside(point, inverse_hessian) => Some((point, Some(inverse_hessian))),
            Few::Unknown => None,
            Few::NoDropout => {
                let (value, point) = with_little_dropout(&objective, rates);
                evaluations += SCALES.len() as u32;
                if self.log_likelihood(value) <= nbd.log_likelihood {
                    return (None, evaluations);
                }
                Some((point, None))
            }
        };
        let mut best: Option<Attempt> = None;
        let begins = first
            .into_iter()
            .chain(starts.iter().map(|start| (*start, None)));
        for (start, inverse_hessian) in begins {
            let optimum = minimise_near(&objective, start, inverse_hessian);
            evaluations += optimum.evaluations;
            let candidate = self.candidate(&optimum, &|theta| Parameters::from_four(model, theta));
            let settled = match inverse_hessian {
                // What runs away from there may not do so from elsewhere.
                Some(_) => candidate.found == Found::Inside,
                None => candidate.found != Found::Nothing,
            };
            let good = settled && candidate.log_likelihood > nbd.log_likelihood;
            best = match best {
                Some(best) if !candidate.is_better_than(&best.candidate) => Some(best),
                _ => Some(Attempt { candidate, optimum }),
            };
            if good {
                break;
            }
        }
        (best, evaluations)
    }

    /// What a few of many customers tell: with it the fit to all takes a few evaluations.
    fn few(&self, model: FourParameters, rates: [f64; 2]) -> Few {
        let Some(few) = self.table.few() else {
            return Few::Unknown;
        };
        let few = Fitter {
            table: &few,
            chunks: self.chunks,
        };
        let (nbd, ..) = few.nbd();
        let Some(found) = few.with_dropout(model, &nbd, rates, &starts(rates)[..1]).0 else {
            return Few::NoDropout;
        };
        match (found.candidate.found, found.optimum.inverse_hessian) {
            (Found::Nothing, _) => Few::Unknown,
            _ if found.candidate.shows_no_dropout(&nbd) => Few::NoDropout,
            (Found::Inside, Some(inverse)) => Few::Inside(found.optimum.point, inverse),
            _ => Few::Unknown,
        }
    }

    /// The mean negative log-likelihood as a function of log-parameters.
    fn objective<const N: usize>(
        &self,
        log_likelihood: impl Fn([f64; N]) -> Evaluation<N>,
    ) -> impl Fn([f64; N]) -> Evaluation<N> {
        let customers = self.table.customers as f64;
        move |logs| {
            let theta = logs.map(exp);
            let (value, slopes) = log_likelihood(theta);
            let gradient = std::array::from_fn(|i| -slopes[i] * theta[i] / customers);
            (-value / customers, gradient)
        }
    }

    /// The log-likelihood of all customers, from a value of the [`objective`](Self::objective).
    fn log_likelihood(&self, value: f64) -> f64 {
        -value * self.table.customers as f64
    }

    fn candidate<const N: usize>(
        &self,
        optimum: &Optimum<N>,
        named: &dyn Fn([f64; N]) -> Parameters,
    ) -> Candidate {
        let customers = self.table.customers as f64;
        let theta = optimum.point.map(exp);
        let errors = optimum
            .inverse_hessian
            .map(|inverse| std::array::from_fn(|i| (inverse[i][i] / customers).sqrt()))
            .filter(|errors: &[f64; N]| errors.iter().all(|&error| error < UNKNOWN));
        let found = match (optimum.converged, errors) {
            (true, Some(_)) => Found::Inside,
            (true, None) => Found::AtBoundary,
            (false, _) => Found::Nothing,
        };
        Candidate {
            parameters: named(theta),
            standard_errors: errors
                .filter(|_| optimum.converged)
                .map(|errors| named(std::array::from_fn(|i| theta[i] * errors[i]))),
            log_likelihood: self.log_likelihood(optimum.value),
            gradient_norm: optimum.gradient_norm,
            found,
        }
    }
}

/// Where fits of a model with dropout begin, the best start first.
fn starts([r, alpha]: [f64; 2]) -> [[f64; 4]; 3] {
    [
        [r, alpha, 0.0, log(MEAN_AGE)],
        [0.0; 4],
        [r, alpha, log(0.1), log(MEAN_AGE)],
    ]
}

/// The likeliest of some points that are close to no dropout, at the rates without any, after the value there. When all of
/// them are less likely than it, a little dropout of whatever kind makes the data less likely: having none is an optimum.
fn with_little_dropout(
    objective: &dyn Fn([f64; 4]) -> Evaluation<4>,
    [r, alpha]: [f64; 2],
) -> (f64, [f64; 4]) {
    let tried = SCALES.map(|scale| {
        let point = [r, alpha, log(LITTLE), log(MEAN_AGE * scale)];
        (objective(point).0, point)
    });
    let [first, others @ ..] = tried;
    others.into_iter().fold(first, |least, other| {
        match other.0.total_cmp(&least.0).is_lt() {
            true => other,
            false => least,
        }
    })
}

impl Candidate {
    /// Whether it says the same as the model without dropout.
    fn shows_no_dropout(&self, nbd: &Candidate) -> bool {
        let wanted_gain = if self.found == Found::Inside {
            0.0
        } else {
            NO_GAIN
        };
        self.log_likelihood - nbd.log_likelihood <= wanted_gain
            || self.parameters.dropout() < NO_DROPOUT
    }

    fn is_better_than(&self, other: &Candidate) -> bool {
        match (self.found == Found::Nothing, other.found == Found::Nothing) {
            (false, true) => true,
            (true, false) => false,
            _ => self.log_likelihood > other.log_likelihood,
        }
    }
}

fn explain(
    outcome: FitOutcome,
    requested: TransactionModel,
    used: TransactionModel,
) -> &'static str {
    let fallen_to_poisson = used == TransactionModel::Poisson && requested != used;
    match outcome {
        FitOutcome::Converged => "The fit converged.",
        FitOutcome::AtBoundary if fallen_to_poisson => {
            "Customers show no spread in purchase rates: one pooled rate is used for all."
        }
        FitOutcome::AtBoundary => {
            "Customers show no spread in purchase rates or in dropout: a parameter ran away and was \
             held, so there are no standard errors."
        }
        FitOutcome::NoDropout => {
            "The data show no dropout: the NBD model is used and everybody counts as alive."
        }
        FitOutcome::NotConverged if fallen_to_poisson => {
            "No optimum was found: one pooled rate is used for all."
        }
        FitOutcome::NotConverged => {
            "No optimum was found: the NBD model, without dropout, is used."
        }
        FitOutcome::TooFewRepeaters => {
            "Too few customers bought again to tell them apart: one pooled rate is used for all."
        }
        FitOutcome::NoCustomers => {
            "No customer was observed for a day or more: no repeat purchases are expected."
        }
    }
}
