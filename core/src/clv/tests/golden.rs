//! Predictions and likelihoods at given parameters, computed independently with 40 digits and more
//! (mpmath) for customers of the CDNOW sample calibrated to 1997-09-30 (Fader and Hardie 2001),
//! and the figures published for it.

use super::super::bg::{self, FirstPurchase};
use super::super::pareto::ParetoLikelihood;
use super::super::table::KeyTable;
use super::*;

pub(super) const BG: Parameters = Parameters::BgNbd {
    r: 0.2425945224301571,
    alpha: 4.413602019013505,
    a: 0.7929220172256102,
    b: 2.4259067768263827,
};
pub(super) const MBG: Parameters = Parameters::MbgNbd {
    r: 0.5248431591062962,
    alpha: 6.183085279575993,
    a: 0.8913593907322167,
    b: 1.6140022401703502,
};
pub(super) const PARETO: Parameters = Parameters::ParetoNbd {
    r: 0.5532770468531747,
    alpha: 10.577683463302282,
    s: 0.60623998912785,
    beta: 11.668735288855936,
};
pub(super) const SPEND: SpendParameters = SpendParameters::GammaGamma {
    p: 6.24957227132405,
    q: 3.744224667131976,
    gamma: 15.443520962588243,
};

/// Expected values of one customer. The last digits of the log-likelihoods are ours.
struct Golden {
    key: TransactionKey,
    repeat_sum: i64,
    e_spend: f64,
    bg_alive: f64,
    bg_39: f64,
    bg_52: f64,
    mbg_alive: f64,
    mbg_39: f64,
    pareto_alive: f64,
    pareto_39: f64,
    bg_clv: f64,
    pareto_clv: f64,
    pareto_dert: f64,
    pareto_dert_value: f64,
    bg_dert: f64,
    bg_ln_l: f64,
    mbg_ln_l: f64,
    pareto_ln_l: f64,
}

#[rustfmt::skip]
const GOLDEN: [Golden; 12] = [
    // Customer 1 of the sample.
    Golden {
        key: TransactionKey { x: 2, t_x_days: 213, age_days: 272 },
        repeat_sum: 4469,
        e_spend: 24.653918698220455,
        bg_alive: 0.7266203116623742,
        bg_39: 1.225994455287295,
        bg_52: 1.5586862322314985,
        mbg_alive: 0.7061384789853543,
        mbg_39: 1.2627588508636303,
        pareto_alive: 0.8691342636125678,
        pareto_39: 1.4552017016024346,
        bg_clv: 36.273978106349084,
        pareto_clv: 43.074362377128615,
        pareto_dert: 6.500351834270412,
        pareto_dert_value: 160.25914563193095,
        bg_dert: 5.169807374914376,
        bg_ln_l: -9.459559477645636,
        mbg_ln_l: -9.48571348276537,
        pareto_ln_l: -9.554173555465068,
    },
    // Customer 2 of the sample.
    Golden {
        key: TransactionKey { x: 1, t_x_days: 12, age_days: 272 },
        repeat_sum: 1177,
        e_spend: 18.91001844679004,
        bg_alive: 0.2123910443973399,
        bg_39: 0.2034188475296024,
        bg_52: 0.2601216228193828,
        mbg_alive: 0.1709510791533104,
        mbg_39: 0.18894490179777876,
        pareto_alive: 0.1679960579377163,
        pareto_39: 0.17111433630694986,
        bg_clv: 4.640936574048531,
        pareto_clv: 3.8849734365537043,
        pareto_dert: 0.7643637226770713,
        pareto_dert_value: 14.454132095880526,
        bg_dert: 0.9185912507341248,
        bg_ln_l: -4.4711179467262365,
        mbg_ln_l: -4.46116270760538,
        pareto_ln_l: -4.450328213853692,
    },
    // Customer 3 of the sample.
    Golden {
        key: TransactionKey { x: 0, t_x_days: 0, age_days: 272 },
        repeat_sum: 0,
        e_spend: 35.17037126565612,
        bg_alive: 1.0,
        bg_39: 0.19479363123438548,
        bg_52: 0.2516818968876381,
        mbg_alive: 0.3897229765828371,
        mbg_39: 0.15396601900139878,
        pareto_alive: 0.29511257157959,
        pareto_39: 0.10707023245072148,
        bg_clv: 8.344480507512024,
        pareto_clv: 4.521217525740352,
        pareto_dert: 0.47828021444751884,
        pareto_dert_value: 16.821292711136866,
        bg_dert: 1.0172975512306532,
        bg_ln_l: -0.5537912893004557,
        mbg_ln_l: -0.5395983758328633,
        pareto_ln_l: -0.521193005426778,
    },
    // Customer 6 of the sample.
    Golden {
        key: TransactionKey { x: 7, t_x_days: 206, age_days: 272 },
        repeat_sum: 51619,
        e_spend: 71.46470572270366,
        bg_alive: 0.6418347095104323,
        bg_39: 3.3375713580460773,
        bg_52: 4.199523518658956,
        mbg_alive: 0.6226798962830968,
        mbg_39: 3.1671695424997504,
        pareto_alive: 0.7494529096407515,
        pareto_39: 3.7120869982356925,
        bg_clv: 283.5580871191689,
        pareto_clv: 318.5073507327721,
        pareto_dert: 16.581805464755487,
        pareto_dert_value: 1185.01384788987,
        bg_dert: 12.703592948585301,
        bg_ln_l: -21.864414580121664,
        mbg_ln_l: -21.77683846603577,
        pareto_ln_l: -21.593846642121274,
    },
    // Customer 10 of the sample.
    Golden {
        key: TransactionKey { x: 0, t_x_days: 0, age_days: 272 },
        repeat_sum: 0,
        e_spend: 35.17037126565612,
        bg_alive: 1.0,
        bg_39: 0.19479363123438548,
        bg_52: 0.2516818968876381,
        mbg_alive: 0.3897229765828371,
        mbg_39: 0.15396601900139878,
        pareto_alive: 0.29511257157959,
        pareto_39: 0.10707023245072148,
        bg_clv: 8.344480507512024,
        pareto_clv: 4.521217525740352,
        pareto_dert: 0.47828021444751884,
        pareto_dert_value: 16.821292711136866,
        bg_dert: 1.0172975512306532,
        bg_ln_l: -0.5537912893004557,
        mbg_ln_l: -0.5395983758328633,
        pareto_ln_l: -0.521193005426778,
    },
    // Customer 18 of the sample.
    Golden {
        key: TransactionKey { x: 1, t_x_days: 34, age_days: 272 },
        repeat_sum: 999,
        e_spend: 17.67313943794881,
        bg_alive: 0.31085576994833314,
        bg_39: 0.29772405258537876,
        bg_52: 0.3807142978705645,
        mbg_alive: 0.25577310611634074,
        mbg_39: 0.2826950532106601,
        pareto_alive: 0.2511958164585902,
        pareto_39: 0.2558584168226724,
        bg_clv: 6.348192929495784,
        pareto_clv: 5.42904093525561,
        pareto_dert: 1.1429135406283115,
        pareto_dert_value: 20.198870369043924,
        bg_dert: 1.3444511811927184,
        bg_ln_l: -4.85201786448597,
        mbg_ln_l: -4.8640760261028015,
        pareto_ln_l: -4.8526204796121855,
    },
    // Customer 1516 of the sample.
    Golden {
        key: TransactionKey { x: 26, t_x_days: 216, age_days: 217 },
        repeat_sum: 103922,
        e_spend: 39.890286799259925,
        bg_alive: 0.9688544413976656,
        bg_39: 20.748902902649597,
        bg_52: 25.757336970269105,
        mbg_alive: 0.9654846491578878,
        mbg_39: 19.446607995779562,
        pareto_alive: 0.9978734047149961,
        pareto_39: 20.114820878986457,
        bg_clv: 972.0453544150217,
        pareto_clv: 958.957177871111,
        pareto_dert: 86.25762364243418,
        pareto_dert_value: 3440.841345719323,
        bg_dert: 71.06737837707313,
        bg_ln_l: -37.728327405776376,
        mbg_ln_l: -38.32357080883527,
        pareto_ln_l: -39.130760353907206,
    },
    // Customer 157 of the sample.
    Golden {
        key: TransactionKey { x: 29, t_x_days: 264, age_days: 266 },
        repeat_sum: 76158,
        e_spend: 26.39426350190181,
        bg_alive: 0.9692212686220131,
        bg_39: 20.05524926553189,
        bg_52: 25.06334134245255,
        mbg_alive: 0.965938082437686,
        mbg_39: 18.95187206745041,
        pareto_alive: 0.9961869438861576,
        pareto_39: 19.59584924732373,
        bg_clv: 625.4292274165348,
        pareto_clv: 620.7048294874756,
        pareto_dert: 87.1703454445652,
        pareto_dert_value: 2300.79706721566,
        bg_dert: 72.17489635213163,
        bg_ln_l: -43.87140440931899,
        mbg_ln_l: -44.409370468343944,
        pareto_ln_l: -45.055316341248954,
    },
    // Customer 2357 of the sample.
    Golden {
        key: TransactionKey { x: 0, t_x_days: 0, age_days: 189 },
        repeat_sum: 0,
        e_spend: 35.17037126565612,
        bg_alive: 1.0,
        bg_39: 0.2589789762138241,
        bg_52: 0.3320725181301956,
        mbg_alive: 0.428461992145133,
        mbg_39: 0.22062348844208213,
        pareto_alive: 0.38373851470517256,
        pareto_39: 0.1753474027097243,
        bg_clv: 11.017002011266147,
        pareto_clv: 7.350193349853372,
        pareto_dert: 0.7345443030532036,
        pareto_dert_value: 25.834195849453796,
        bg_dert: 1.2495136326596281,
        bg_ln_l: -0.47610384215218365,
        mbg_ln_l: -0.4740163714612581,
        pareto_ln_l: -0.4699226747253547,
    },
    // Customer 4 of the sample.
    Golden {
        key: TransactionKey { x: 0, t_x_days: 0, age_days: 272 },
        repeat_sum: 0,
        e_spend: 35.17037126565612,
        bg_alive: 1.0,
        bg_39: 0.19479363123438548,
        bg_52: 0.2516818968876381,
        mbg_alive: 0.3897229765828371,
        mbg_39: 0.15396601900139878,
        pareto_alive: 0.29511257157959,
        pareto_39: 0.10707023245072148,
        bg_clv: 8.344480507512024,
        pareto_clv: 4.521217525740352,
        pareto_dert: 0.47828021444751884,
        pareto_dert_value: 16.821292711136866,
        bg_dert: 1.0172975512306532,
        bg_ln_l: -0.5537912893004557,
        mbg_ln_l: -0.5395983758328633,
        pareto_ln_l: -0.521193005426778,
    },
    // Customer 129 of the sample.
    Golden {
        key: TransactionKey { x: 4, t_x_days: 53, age_days: 266 },
        repeat_sum: 5448,
        e_spend: 15.751712394227056,
        bg_alive: 0.031110026734580565,
        bg_39: 0.09827040543123336,
        bg_52: 0.12408742747819929,
        mbg_alive: 0.031065254250272963,
        mbg_39: 0.09846297261541921,
        pareto_alive: 0.053831012448837444,
        pareto_39: 0.16314517089746233,
        bg_clv: 1.8461511469021628,
        pareto_clv: 3.083993708664292,
        pareto_dert: 0.7257363906637874,
        pareto_dert_value: 11.431590899760387,
        bg_dert: 0.38661957938945596,
        bg_ln_l: -12.075941877137218,
        mbg_ln_l: -12.028138514765446,
        pareto_ln_l: -12.278574285500206,
    },
    // Customer 142 of the sample.
    Golden {
        key: TransactionKey { x: 5, t_x_days: 48, age_days: 266 },
        repeat_sum: 17788,
        e_spend: 35.54325307244439,
        bg_alive: 0.007725863552505035,
        bg_39: 0.0299042534767444,
        bg_52: 0.03769200985211161,
        mbg_alive: 0.008681977807053915,
        mbg_39: 0.03331616135340821,
        pareto_alive: 0.019444117973158412,
        pareto_39: 0.07187124813382575,
        bg_clv: 1.2655790976652341,
        pareto_clv: 3.0656590127166714,
        pareto_dert: 0.3197126824300963,
        pareto_dert_value: 11.363628782082955,
        bg_dert: 0.11566203972960726,
        bg_ln_l: -13.10163439495234,
        mbg_ln_l: -13.158485717766514,
        pareto_ln_l: -13.627586184985148,
    },
];

/// Twelve months of 4.345 weeks at 1 % a month.
pub(super) fn twelve_months() -> ScoreSpec {
    ScoreSpec {
        horizons_months: vec![12],
        month_days: 4.345 * 7.0,
        discount: Discount::Monthly(0.01),
        margin: 1.0,
        without_end: false,
    }
}

/// 15 % over a year of 52 weeks.
pub(super) fn without_end() -> ScoreSpec {
    ScoreSpec {
        horizons_months: vec![],
        month_days: 364.0 / 12.0,
        discount: Discount::Annual(0.15),
        margin: 1.0,
        without_end: true,
    }
}

const WEEKS_39: f64 = 273.0;
const WEEKS_52: f64 = 364.0;

fn expected(parameters: Parameters, key: TransactionKey, days: f64) -> f64 {
    within(parameters, TimeUnit::Week, days)
        .score(key)
        .expected_purchases[0]
}

#[test]
fn chance_to_be_alive_and_expected_purchases() {
    for golden in &GOLDEN {
        let alive = |parameters| {
            within(parameters, TimeUnit::Week, 7.0)
                .score(golden.key)
                .p_alive
        };
        close(alive(BG), golden.bg_alive, 1e-12);
        close(alive(MBG), golden.mbg_alive, 1e-12);
        close(alive(PARETO), golden.pareto_alive, 1e-12);
        close(expected(BG, golden.key, WEEKS_39), golden.bg_39, 1e-12);
        close(expected(BG, golden.key, WEEKS_52), golden.bg_52, 1e-12);
        close(expected(MBG, golden.key, WEEKS_39), golden.mbg_39, 1e-12);
        close(
            expected(PARETO, golden.key, WEEKS_39),
            golden.pareto_39,
            1e-12,
        );
    }
}

#[test]
fn value_of_twelve_months() {
    for golden in &GOLDEN {
        let value = |parameters| {
            let fit = given(parameters, TimeUnit::Week);
            let scorer = Scorer::new(&fit, &given_spend(SPEND), &twelve_months());
            let score = scorer.score(golden.key);
            let spend = SpendKey {
                x: golden.key.x,
                repeat_sum: golden.repeat_sum,
            };
            close(scorer.expected_spend(spend), golden.e_spend, 1e-13);
            scorer.value(score.discounted_purchases[0], scorer.expected_spend(spend))
        };
        close(value(BG), golden.bg_clv, 1e-12);
        close(value(PARETO), golden.pareto_clv, 1e-12);
    }
}

#[test]
fn purchases_without_end() {
    for golden in &GOLDEN {
        let dert = |parameters| {
            let fit = given(parameters, TimeUnit::Week);
            Scorer::new(&fit, &given_spend(SPEND), &without_end())
                .score(golden.key)
                .dert
                .unwrap()
        };
        close(dert(PARETO), golden.pareto_dert, 1e-12);
        close(
            dert(PARETO) * golden.e_spend,
            golden.pareto_dert_value,
            1e-12,
        );
        // Heavy buyers included: 64-node Gauss-Jacobi is at 1e-7 for x = 26.
        close(dert(BG), golden.bg_dert, 1e-12);
    }
}

#[test]
fn log_likelihoods() {
    for golden in &GOLDEN {
        let table = KeyTable::new(&[(golden.key, 1)]);
        // From internal time to weeks: the density of x purchases carries the unit to the power x.
        let weeks = table.days_per_unit / 7.0;
        let shift = f64::from(golden.key.x) * libm::log(weeks);
        let beta = |first, parameters| match parameters {
            Parameters::BgNbd { r, alpha, a, b } | Parameters::MbgNbd { r, alpha, a, b } => {
                let theta = [r, alpha / weeks, a, b];
                bg::log_likelihood(&table, &Sequential, first, theta).0 - shift
            }
            _ => f64::NAN,
        };
        close(beta(FirstPurchase::Safe, BG), golden.bg_ln_l, 1e-13);
        close(beta(FirstPurchase::Risky, MBG), golden.mbg_ln_l, 1e-13);
        let Parameters::ParetoNbd { r, alpha, s, beta } = PARETO else {
            unreachable!()
        };
        let theta = [r, alpha / weeks, s, beta / weeks];
        let pareto = ParetoLikelihood::new(&table).evaluate(&Sequential, theta).0 - shift;
        close(pareto, golden.pareto_ln_l, 1e-13);
    }
}

/// A customer whose first purchase is now.
const NEW: TransactionKey = TransactionKey {
    x: 0,
    t_x_days: 0,
    age_days: 0,
};

#[test]
fn purchases_of_a_new_customer() {
    // BG/NBD, days to E[X(t)], with 40 digits; Hardie, note 004, prints four of them.
    let table = [
        (1.0, 0.007813667738809461),
        (7.0, 0.053184291503212494),
        (21.0, 0.1506308392142508),
        (223.0, 1.0404901146948573),
        (224.0, 1.0437320427562535),
        (546.0, 1.8579583901132),
    ];
    for (days, purchases) in table {
        close(expected(BG, NEW, days), purchases, 1e-12);
    }
    // BTYD walkthrough (Dziurzynski, Wadsworth and McCarthy), E[X(52)], at its own optima.
    close(expected(PARETO, NEW, WEEKS_52), 1.473434, 1e-4);
    close(expected(BG, NEW, WEEKS_52), 1.444004, 1e-4);
}

#[test]
fn published_customers() {
    // BTYD walkthrough: at the same recency and age, more purchases make a customer less alive.
    let paradox = [10, 15, 20, 25].map(|x| TransactionKey {
        x,
        t_x_days: 140,
        age_days: 273,
    });
    let pareto = [0.7062289, 0.1442396, 0.02250658, 0.00309267];
    let bg = [0.3474606, 0.04283391, 0.004158973, 0.0003583685];
    for (i, key) in paradox.into_iter().enumerate() {
        close(expected(PARETO, key, WEEKS_52), pareto[i], 2e-3);
        close(expected(BG, key, WEEKS_52), bg[i], 2e-3);
    }
    // Customer 1516 (26 purchases, 30.857 weeks, 31 weeks), same source.
    let heavy = TransactionKey {
        x: 26,
        t_x_days: 216,
        age_days: 217,
    };
    close(expected(PARETO, heavy, WEEKS_52), 25.45647, 1e-4);
    close(expected(BG, heavy, WEEKS_52), 25.75659, 1e-4);
    close(
        within(PARETO, TimeUnit::Week, 1.0).score(heavy).p_alive,
        0.997874,
        1e-5,
    );
    close(
        within(BG, TimeUnit::Week, 1.0).score(heavy).p_alive,
        0.9688523,
        1e-5,
    );
}

#[test]
fn customers_that_broke_other_implementations() {
    // Regression cases of CLVTools: (x, t_x, T) in weeks; 0.142857 weeks are a day.
    for (x, t_x_days, age_days) in [
        (221, 724, 725),
        (254, 680, 681),
        (161, 663, 686),
        (204, 690, 696),
    ] {
        let key = TransactionKey {
            x,
            t_x_days,
            age_days,
        };
        for parameters in [BG, MBG, PARETO] {
            let fit = given(parameters, TimeUnit::Week);
            let spec = ScoreSpec {
                horizons_months: vec![12],
                ..without_end()
            };
            let score = Scorer::new(&fit, &given_spend(SPEND), &spec).score(key);
            assert!((0.0..=1.0).contains(&score.p_alive));
            let values = [
                score.expected_purchases[0],
                score.discounted_purchases[0],
                score.dert.unwrap(),
            ];
            assert!(
                values.iter().all(|v| v.is_finite() && *v >= 0.0),
                "{key:?} {values:?}"
            );
        }
    }
}

#[test]
fn frequencies_expected_of_the_sample() {
    // All customers of the sample as counted ages would need the sample: one age stands for it.
    // mpmath, Fader, Hardie and Lee 2005, equation 8, at T = 272/7 weeks.
    let keys = [(
        TransactionKey {
            x: 0,
            t_x_days: 0,
            age_days: 272,
        },
        1000,
    )];
    let check = |parameters, expected: [f64; 8]| {
        let histogram = FrequencyHistogram::new(&parameters, TimeUnit::Week, &keys);
        for (actual, expected) in histogram.expected.into_iter().zip(expected) {
            close(actual, expected, 1e-12);
        }
    };
    let expected = [
        574.7665680043586,
        199.11954008002306,
        85.25252920910552,
        45.741718622371835,
        27.587489298351116,
        17.903514009774437,
        12.221765293466541,
        37.40687548254883,
    ];
    check(BG, expected);
    let expected = [
        582.9823451610134,
        182.75687665625574,
        86.82414710269894,
        48.50220696914962,
        29.71568557849481,
        19.338755493828476,
        13.13402851469248,
        36.7459545238665,
    ];
    check(MBG, expected);
    let expected = [
        593.8117046411764,
        165.64720500723098,
        82.50557039518006,
        49.028855474874035,
        31.671495254023107,
        21.455687404513565,
        14.981377158283264,
        40.898104664718566,
    ];
    check(PARETO, expected);
}
