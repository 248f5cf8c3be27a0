//! Fits of made-up customers: optima, edges and fallbacks.

use super::super::bg::{self, FirstPurchase};
use super::super::pareto::ParetoLikelihood;
use super::super::table::KeyTable;
use super::super::table::{MANY_KEYS, few_customers};
use super::*;

/// A small generator of uniform numbers (xorshift), so that the customers are always the same.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Gamma with an integer shape: a sum of exponentials.
    fn gamma(&mut self, shape: u32) -> f64 {
        (0..shape).map(|_| self.exponential()).sum()
    }
}

/// Customers with gamma(1, 60 days) purchase rates and lifetimes drawn by `lifetime`, in days.
fn customers(n: usize, lifetime: &dyn Fn(&mut Random) -> f64) -> Vec<(TransactionKey, u64)> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..n {
        let age = libm::floor(1.0 + 720.0 * random.uniform());
        let rate = random.gamma(1) / 60.0;
        let end = age.min(lifetime(&mut random));
        let (mut time, mut x, mut last) = (random.exponential() / rate, 0, 0.0);
        while time < end {
            // One purchase a day at most, none on the first.
            if libm::floor(time) > last {
                last = libm::floor(time);
                x += 1;
            }
            time += random.exponential() / rate;
        }
        let key = TransactionKey {
            x,
            t_x_days: last as u32,
            age_days: age as u32,
        };
        *counts.entry(key).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

const WITH_DROPOUT: [TransactionModel; 3] = [
    TransactionModel::ParetoNbd,
    TransactionModel::BgNbd,
    TransactionModel::MbgNbd,
];

#[test]
fn gradients_are_the_slopes_of_the_likelihoods() {
    let keys = customers(200, &|random| random.exponential() * 150.0);
    let table = KeyTable::new(&keys);
    let pareto = ParetoLikelihood::new(&table);
    let bg = |theta| bg::log_likelihood(&table, &Sequential, FirstPurchase::Safe, theta);
    let mbg = |theta| bg::log_likelihood(&table, &Sequential, FirstPurchase::Risky, theta);
    let pareto = |theta| pareto.evaluate(&Sequential, theta);
    let likelihoods: [&dyn Fn([f64; 4]) -> (f64, [f64; 4]); 3] = [&bg, &mbg, &pareto];
    let thetas = [
        [0.3, 1.1, 0.8, 2.5],
        [2.0, 9.0, 0.05, 0.4],
        [0.7, 0.02, 0.5, 30.0],
        [0.7, 40.0, 0.5, 0.03],
        [5.0, 300.0, 12.0, 500.0],
    ];
    for (model, likelihood) in likelihoods.into_iter().enumerate() {
        for theta in thetas {
            let gradient = likelihood(theta).1;
            for i in 0..4 {
                let step = 1e-5 * theta[i];
                let at = |h: f64| {
                    let mut theta = theta;
                    theta[i] += h;
                    likelihood(theta).0
                };
                let slope = (at(step) - at(-step)) / (2.0 * step);
                let error = (slope - gradient[i]).abs() * theta[i];
                assert!(
                    error < 1e-6 * likelihood(theta).0.abs(),
                    "{model} {theta:?} {i}: {slope} {gradient:?}"
                );
            }
        }
    }
}

#[test]
fn the_true_parameters_are_within_reach() {
    // Lifetimes are exponential with gamma(2, 400 days) rates.
    let keys = customers(20_000, &|random| {
        random.exponential() * 400.0 / random.gamma(2)
    });
    let fit = fit_transactions(
        TransactionModel::ParetoNbd,
        &keys,
        TimeUnit::Day,
        &Sequential,
    );
    assert_eq!(
        (fit.outcome, fit.used),
        (FitOutcome::Converged, TransactionModel::ParetoNbd)
    );
    assert!(fit.gradient_norm < 1e-9);
    let (Parameters::ParetoNbd { r, alpha, s, beta }, Some(errors)) =
        (fit.parameters, fit.standard_errors)
    else {
        panic!("{fit:?}");
    };
    // Whole days bias the rates by a few per cent.
    assert!(
        (r - 1.0).abs() < 0.1 && (alpha / 60.0 - 1.0).abs() < 0.1,
        "{fit:?}"
    );
    assert!((s * 400.0 / (2.0 * beta) - 1.0).abs() < 0.1, "{fit:?}");
    assert!(matches!(errors, Parameters::ParetoNbd { r, .. } if r > 0.0 && r < 0.1));
    assert_eq!(fit.histogram.unwrap().actual.iter().sum::<u64>(), 20_000);
}

#[test]
fn threads_do_not_change_a_bit() {
    let keys = customers(30_000, &|random| random.exponential() * 300.0);
    assert!(keys.len() > 3 * 4096, "more than one chunk");
    for model in WITH_DROPOUT {
        let alone = fit_transactions(model, &keys, TimeUnit::Month, &Sequential);
        assert_eq!(
            alone,
            fit_transactions(model, &keys, TimeUnit::Month, &Threads)
        );
        let json = serde_json::to_string(&alone).unwrap();
        assert_eq!(alone, serde_json::from_str(&json).unwrap());
    }
}

#[test]
fn counts_are_repetitions() {
    let keys = customers(500, &|random| random.exponential() * 150.0);
    let once: Vec<_> = keys.iter().map(|&(key, n)| (key, 3 * n)).collect();
    let thrice: Vec<_> = keys.iter().flat_map(|&key| [key; 3]).collect();
    for model in WITH_DROPOUT {
        let a = fit_transactions(model, &once, TimeUnit::Day, &Sequential);
        let b = fit_transactions(model, &thrice, TimeUnit::Day, &Sequential);
        assert_eq!(a.customers, b.customers);
        close(a.log_likelihood, b.log_likelihood, 1e-12);
    }
}

#[test]
fn few_customers_stand_for_all_of_many_keys() {
    // Half of the customers share one key, as those who purchased once do.
    let mut rows = vec![(0, 40_000.0)];
    rows.extend((1..=40_000).map(|key| (key, 1.0)));
    let few = few_customers(&rows, |row| &mut row.1).unwrap();
    assert_eq!(few[0], (0, 1024.0));
    assert_eq!(few.len(), 1025);
    assert!(few[1..].iter().all(|row| row.1 == 1.0));
    let mut apart = few[1..].windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(apart.all(|keys| keys == 39 || keys == 40));
    assert!(few_customers(&rows[..MANY_KEYS - 1], |row| &mut row.1).is_none());
}

#[test]
fn many_keys_have_the_optimum_of_few() {
    let keys = customers(45_000, &|random| {
        random.exponential() * 400.0 / random.gamma(2)
    });
    let once: Vec<_> = keys.iter().map(|&(key, n)| (key, 2 * n)).collect();
    let twice: Vec<_> = keys.iter().flat_map(|&key| [key; 2]).collect();
    assert!(once.len() < MANY_KEYS && twice.len() >= MANY_KEYS);
    for model in WITH_DROPOUT {
        let few = fit_transactions(model, &once, TimeUnit::Day, &Sequential);
        let many = fit_transactions(model, &twice, TimeUnit::Day, &Sequential);
        assert_eq!((few.outcome, few.used), (many.outcome, many.used));
        assert!(many.gradient_norm < 1e-8, "{many:?}");
        close(many.log_likelihood, few.log_likelihood, 1e-12);
        for (many, few) in numbers(many.parameters)
            .into_iter()
            .zip(numbers(few.parameters))
        {
            close(many, few, 1e-6);
        }
        for (many, few) in numbers(many.standard_errors.unwrap())
            .into_iter()
            .zip(numbers(few.standard_errors.unwrap()))
        {
            close(many, few, 1e-4);
        }
        assert!(many.evaluations < few.evaluations, "{many:?} {few:?}");
    }
}

#[test]
fn many_keys_fall_back_as_few_do() {
    let twice = |keys: Vec<(TransactionKey, u64)>| -> Vec<_> {
        keys.into_iter().flat_map(|key| [key; 2]).collect()
    };
    let keys = twice(customers(45_000, &|_| f64::INFINITY));
    assert!(keys.len() >= MANY_KEYS);
    for model in WITH_DROPOUT {
        let fit = fit_transactions(model, &keys, TimeUnit::Week, &Sequential);
        assert_eq!(fit.outcome, FitOutcome::NoDropout, "{fit:?}");
        let without = fit_transactions(TransactionModel::Nbd, &keys, TimeUnit::Week, &Sequential);
        assert_eq!(fit.parameters, without.parameters);
        assert!(fit.evaluations <= without.evaluations + 5, "{fit:?}");
    }
    // One in eighty leaves soon, which some of the keys may not show.
    let few = customers(30_000, &|random| match random.uniform() < 0.0125 {
        true => 40.0 * random.exponential(),
        false => f64::INFINITY,
    });
    let keys = twice(few.clone());
    assert!(few.len() < MANY_KEYS && keys.len() >= MANY_KEYS);
    let fits = [few, keys].map(|keys| {
        let model = TransactionModel::ParetoNbd;
        fit_transactions(model, &keys, TimeUnit::Week, &Sequential)
    });
    let [few, many] = &fits;
    assert_eq!(few.used, TransactionModel::ParetoNbd, "{few:?}");
    assert_eq!(
        (few.outcome, few.used),
        (many.outcome, many.used),
        "{many:?}"
    );
    close(many.log_likelihood, 2.0 * few.log_likelihood, 1e-9);
    // Everybody has the same chance to leave: no spread in it.
    let keys = twice(customers(45_000, &|random| random.exponential() * 300.0));
    assert!(keys.len() >= MANY_KEYS);
    let fit = fit_transactions(
        TransactionModel::ParetoNbd,
        &keys,
        TimeUnit::Week,
        &Sequential,
    );
    assert_possible(&fit, &keys);
    assert_eq!(fit.used, TransactionModel::ParetoNbd, "{fit:?}");
    let Parameters::ParetoNbd { s, beta, .. } = fit.parameters else {
        panic!("{fit:?}");
    };
    assert!((s / beta * 300.0 / 7.0 - 1.0).abs() < 0.1, "{fit:?}");
}

#[test]
fn without_dropout_the_nbd_is_used() {
    let keys = customers(3000, &|_| f64::INFINITY);
    for model in WITH_DROPOUT {
        for unit in [TimeUnit::Day, TimeUnit::Month] {
            let fit = fit_transactions(model, &keys, unit, &Sequential);
            assert_eq!(
                (fit.outcome, fit.requested),
                (FitOutcome::NoDropout, model),
                "{fit:?}"
            );
            assert!(matches!(fit.standard_errors, Some(Parameters::Nbd { r, .. }) if r < 0.1));
            assert_possible(&fit, &keys);
        }
    }
}

#[test]
fn one_rate_for_all_is_a_boundary() {
    // Everybody buys every tenth day and nobody stops.
    let keys: Vec<_> = (1..=60)
        .map(|x| {
            (
                TransactionKey {
                    x,
                    t_x_days: 10 * x,
                    age_days: 10 * x + 5,
                },
                5,
            )
        })
        .collect();
    for model in [
        TransactionModel::Nbd,
        WITH_DROPOUT[0],
        WITH_DROPOUT[1],
        WITH_DROPOUT[2],
    ] {
        let fit = fit_transactions(model, &keys, TimeUnit::Day, &Sequential);
        assert_eq!(
            (fit.outcome, fit.used),
            (FitOutcome::AtBoundary, TransactionModel::Poisson),
            "{fit:?}"
        );
        assert_possible(&fit, &keys);
    }
}

/// All that is fitted and predicted is finite and possible.
#[track_caller]
fn assert_possible(fit: &TransactionFit, keys: &[(TransactionKey, u64)]) {
    let json = serde_json::to_string(fit).unwrap();
    // JSON has no NaN or infinity: serde writes null, which cannot be read back as a number.
    assert_eq!(*fit, serde_json::from_str(&json).unwrap());
    assert!(!fit.explanation.is_empty());
    let spec = ScoreSpec {
        horizons_months: vec![3, 12],
        month_days: 365.25 / 12.0,
        discount: Discount::Annual(0.1),
        margin: 1.0,
        without_end: true,
    };
    let scorer = Scorer::new(fit, &fit_spend(&[], 100.0, &Sequential), &spec);
    let keys: Vec<_> = keys.iter().map(|k| k.0).collect();
    let scores = scorer.score_all(&keys);
    assert!(scores.p_alive.iter().all(|p| (0.0..=1.0).contains(p)));
    let purchases = scores
        .expected_purchases
        .iter()
        .chain(&scores.discounted_purchases)
        .chain(&scores.dert);
    assert!(
        purchases.flatten().all(|v| v.is_finite() && *v >= 0.0),
        "{fit:?}"
    );
}

#[test]
fn edges_are_answered() {
    let key = |x, t_x_days, age_days| TransactionKey {
        x,
        t_x_days,
        age_days,
    };
    let cases: [(&[(TransactionKey, u64)], Option<FitOutcome>); 11] = [
        (&[], Some(FitOutcome::NoCustomers)),
        (&[(key(0, 0, 0), 7)], Some(FitOutcome::NoCustomers)),
        (
            &[(key(0, 0, 100), 5000), (key(0, 0, 200), 1)],
            Some(FitOutcome::TooFewRepeaters),
        ),
        (&[(key(4, 90, 100), 1)], Some(FitOutcome::TooFewRepeaters)),
        (&[(key(4, 90, 100), 0)], Some(FitOutcome::NoCustomers)),
        (&[(key(4, 90, 100), 1000)], None),
        (&[(key(1, 1, 5000), 1000)], None),
        (&[(key(0, 0, 50), 10), (key(1, 50, 50), 500)], None),
        // Impossible recencies, the largest numbers.
        (&[(key(0, 40, 50), 10), (key(3, 80, 50), 500)], None),
        (
            &[
                (key(0, 0, u32::MAX), u64::MAX),
                (key(u32::MAX, u32::MAX, u32::MAX), u64::MAX),
            ],
            None,
        ),
        (
            &[
                (key(20_000, 14_000, 14_600), 30),
                (key(2, 3, 14_600), 300),
                (key(0, 0, 1), 10),
            ],
            None,
        ),
    ];
    for (keys, outcome) in cases {
        for model in WITH_DROPOUT {
            let fit = fit_transactions(model, keys, TimeUnit::Week, &Sequential);
            assert!(
                outcome.is_none_or(|outcome| outcome == fit.outcome),
                "{keys:?}: {fit:?}"
            );
            assert_possible(&fit, keys);
        }
    }
}

#[test]
fn pooled_rate() {
    let keys = [
        (
            TransactionKey {
                x: 3,
                t_x_days: 90,
                age_days: 100,
            },
            2,
        ),
        (
            TransactionKey {
                x: 0,
                t_x_days: 0,
                age_days: 200,
            },
            1,
        ),
    ];
    let fit = fit_transactions(
        TransactionModel::Poisson,
        &keys,
        TimeUnit::Week,
        &Sequential,
    );
    assert_eq!(fit.outcome, FitOutcome::Converged);
    // Six purchases in 400 days.
    let Parameters::Poisson { rate } = fit.parameters else {
        panic!("{fit:?}")
    };
    close(rate, 0.105, 1e-14);
    close(fit.log_likelihood, 6.0 * libm::log(0.105) - 6.0, 1e-14);
    let score = within(fit.parameters, TimeUnit::Week, 70.0).score(keys[0].0);
    close(score.expected_purchases[0], 1.05, 1e-14);
}

/// Purchases of customers with gamma(2, 1) spends over gamma(3)-distributed scales, in cents.
fn spends(n: usize) -> Vec<(SpendKey, u64)> {
    let mut random = Random(88_172_645_463_325_252);
    let mut keys: Vec<_> = (0..n)
        .map(|_| {
            let scale = 4000.0 / random.gamma(3);
            let x = 1 + (4.0 * random.uniform()) as u32;
            let repeat_sum = (0..x).map(|_| (random.gamma(2) * scale) as i64).sum();
            (SpendKey { x, repeat_sum }, 1)
        })
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn spend_finds_the_true_parameters() {
    let fit = fit_spend(&spends(20_000), 100.0, &Sequential);
    assert_eq!(fit.outcome, SpendOutcome::Converged);
    let SpendParameters::GammaGamma { p, q, gamma } = fit.parameters else {
        panic!("{fit:?}")
    };
    assert!(
        (p / 2.0 - 1.0).abs() < 0.05
            && (q / 3.0 - 1.0).abs() < 0.05
            && (gamma / 40.0 - 1.0).abs() < 0.1
    );
    assert!(fit.correlation.unwrap().abs() < 0.05 && fit.gradient_norm < 1e-9);
    assert_eq!(fit, fit_spend(&spends(20_000), 100.0, &Threads));
    // A scale of money only scales.
    let SpendParameters::GammaGamma {
        p: same,
        gamma: cents,
        ..
    } = fit_spend(&spends(20_000), 1.0, &Sequential).parameters
    else {
        panic!("not gamma-gamma");
    };
    close(same, p, 1e-12);
    close(cents, 100.0 * gamma, 1e-12);
    // Between the population mean and the customer's own.
    let population = fit.expected_spend(SpendKey {
        x: 0,
        repeat_sum: 0,
    });
    close(population, p * gamma / (q - 1.0), 1e-14);
    let expected = fit.expected_spend(SpendKey {
        x: 3,
        repeat_sum: 90_000,
    });
    assert!(population < expected && expected < 300.0);
}

#[test]
fn many_keys_of_spend_have_the_optimum_of_few() {
    let keys = spends(30_000);
    let once: Vec<_> = keys.iter().map(|&(key, n)| (key, 2 * n)).collect();
    let twice: Vec<_> = keys.iter().flat_map(|&key| [key; 2]).collect();
    assert!(once.len() < MANY_KEYS && twice.len() >= MANY_KEYS);
    let few = fit_spend(&once, 100.0, &Sequential);
    let many = fit_spend(&twice, 100.0, &Sequential);
    assert_eq!((few.outcome, few.customers), (many.outcome, many.customers));
    assert_eq!(many.outcome, SpendOutcome::Converged);
    close(many.log_likelihood, few.log_likelihood, 1e-12);
    let named =
        |of: Option<SpendParameters>| of.unwrap().named().into_iter().map(|(_, value)| value);
    for (of_many, of_few, digits) in [
        (Some(many.parameters), Some(few.parameters), 1e-9),
        (many.standard_errors, few.standard_errors, 1e-4),
    ] {
        for (many, few) in named(of_many).zip(named(of_few)) {
            close(many, few, digits);
        }
    }
    assert!(2 * many.evaluations < few.evaluations, "{many:?} {few:?}");
    // Where some of the keys have no optimum inside, all are asked from afar.
    let same = vec![
        (
            SpendKey {
                x: 2,
                repeat_sum: 1000
            },
            2
        );
        MANY_KEYS
    ];
    let same = fit_spend(&same, 100.0, &Sequential);
    close(
        same.expected_spend(SpendKey {
            x: 0,
            repeat_sum: 0,
        }),
        5.0,
        1e-2,
    );
}

#[test]
fn spend_falls_back_to_the_pooled_mean() {
    let key = |x, repeat_sum| SpendKey { x, repeat_sum };
    let none = fit_spend(&[], 100.0, &Sequential);
    assert_eq!(none.outcome, SpendOutcome::TooFewRepeaters);
    assert_eq!(
        (none.expected_spend(key(0, 0)), none.correlation),
        (0.0, None)
    );
    let few = fit_spend(
        &[
            (key(2, 3000), 3),
            (key(1, 0), 2),
            (key(1, -50), 1),
            (key(0, 0), 9),
        ],
        100.0,
        &Sequential,
    );
    assert_eq!(
        (few.outcome, few.customers, few.without_spend),
        (SpendOutcome::TooFewRepeaters, 3, 3)
    );
    close(few.expected_spend(key(0, 0)), 15.0, 1e-14);
    // Half as many customers spend four times as much, and so on: such a tail has no mean.
    let wild: Vec<_> = (0..24)
        .map(|i| (key(10, 1000i64 << i), 1 << ((24 - i) / 2)))
        .collect();
    let wild = fit_spend(&wild, 100.0, &Sequential);
    assert_eq!(wild.outcome, SpendOutcome::InfiniteMean, "{wild:?}");
    assert!(wild.expected_spend(key(1, 5)) > 0.0);
    // Everybody spends the same: no spread at all.
    let same = fit_spend(&[(key(1, 500), 40), (key(2, 1000), 40)], 100.0, &Sequential);
    assert_eq!(same.standard_errors, None, "{same:?}");
    close(same.expected_spend(key(0, 0)), 5.0, 1e-2);
    let negative = fit_spend(&spends(1000), 100.0, &Sequential);
    assert_eq!(
        negative.expected_spend(key(2, -5)),
        negative.expected_spend(key(2, 0))
    );
}
