//! Special functions that the CLV models need, from `libm` and plain arithmetic alone.
//!
//! Ratios of gamma functions are computed as ratios ([`ln_rising`], [`digamma_rise`]): the
//! difference of two large logarithms would lose the digits that the fit lives on.

use libm::{exp, expm1, log, log1p};

/// From here on Stirling's series with the terms below is exact to double precision.
const STIRLING_FROM: f64 = 10.0;

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// `ln Gamma(x)` for `x > 0`.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma_r(x).0
}

/// `ln Gamma(a + n) - ln Gamma(a)` for `a > 0`, `n >= 0` (real): the logarithm of the rising
/// factorial.
pub(crate) fn ln_rising(a: f64, n: f64) -> f64 {
    let mut base = a;
    let mut shift = 1.0;
    while base < STIRLING_FROM {
        shift *= base / (base + n);
        base += 1.0;
    }
    let top = base + n;
    // Stirling: ln Gamma(x) = (x - 1/2) ln x - x + ln(2 pi)/2 + correction(x).
    (base - 0.5) * log1p(n / base)
        + n * (log(top) - 1.0)
        + (stirling_correction(top) - stirling_correction(base))
        + log(shift)
}

/// `psi(a + n) - psi(a)` for `a > 0`, `n >= 0` (real).
pub(crate) fn digamma_rise(a: f64, n: f64) -> f64 {
    let mut base = a;
    let mut shift = 0.0;
    while base < STIRLING_FROM {
        shift += n / (base * (base + n));
        base += 1.0;
    }
    let top = base + n;
    shift + log1p(n / base) + (digamma_correction(top) - digamma_correction(base))
}

/// The asymptotic series of `ln Gamma(x)` after its leading terms (DLMF 5.11.1).
fn stirling_correction(x: f64) -> f64 {
    let y = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - y * (1.0 / 360.0
            - y * (1.0 / 1260.0
                - y * (1.0 / 1680.0
                    - y * (1.0 / 1188.0
                        - y * (691.0 / 360_360.0
                            - y * (1.0 / 156.0 - y * (3617.0 / 122_400.0)))))));
    series / x
}

/// The asymptotic series of `psi(x) - ln x` (DLMF 5.11.2).
fn digamma_correction(x: f64) -> f64 {
    let y = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - y * (1.0 / 120.0
            - y * (1.0 / 252.0
                - y * (1.0 / 240.0
                    - y * (1.0 / 132.0
                        - y * (691.0 / 32_760.0 - y * (1.0 / 12.0 - y * (3617.0 / 8160.0)))))));
    -0.5 / x - series * y
}

/// `e^z E_s(z)`, the scaled generalised exponential integral, for real `s > 0` and `z > 0`.
///
/// Continued fraction (DLMF 8.19.17 in its even form) unless both `z` and `s` are small, where it
/// would need thousands of terms: there the series at the fractional part of `s` and the
/// recurrence upwards in `s`, which is stable for `z < 1`.
pub(crate) fn scaled_exp_integral(s: f64, z: f64) -> f64 {
    if z >= 1.0 || s >= 32.0 {
        exp_integral_fraction(s, z)
    } else {
        exp_integral_small(s, z)
    }
}

fn exp_integral_fraction(s: f64, z: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = z + s;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut value = d;
    for n in 1..2000 {
        let n = f64::from(n);
        let a = -n * (s - 1.0 + n);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < 4e-16 {
            break;
        }
    }
    value
}

fn exp_integral_small(s: f64, z: f64) -> f64 {
    // s = order + steps; order stays off 0, where the recurrence would divide by next to nothing.
    let steps = libm::ceil(s - 1.5).max(0.0);
    let mut order = s - steps;
    let mut value = exp(z) * exp_integral_series((steps + 1.0) - s, z);
    // DLMF 8.19.12: s E_{s+1}(z) = e^-z - z E_s(z).
    while order < s - 0.5 {
        value = (1.0 - z * value) / order;
        order += 1.0;
    }
    value
}

/// `E_{1-eta}(z)` for `-1/2 <= eta < 1` and `z < 1` (DLMF 8.19.10), with the two parts that are
/// infinite at `eta = 0` taken together.
fn exp_integral_series(eta: f64, z: f64) -> f64 {
    let ln_z = log(z);
    let mut value = if eta == 0.0 {
        -EULER_GAMMA - ln_z
    } else {
        expm1(ln_gamma_one_plus(eta) - eta * ln_z) / eta
    };
    let mut power = 1.0;
    for k in 1..64 {
        let k = f64::from(k);
        power *= -z / k;
        let term = power / (eta + k);
        value -= term;
        if term.abs() < 1e-18 * value.abs() {
            break;
        }
    }
    value
}

/// `ln Gamma(1 + eta)`, relatively exact near `eta = 0`.
fn ln_gamma_one_plus(eta: f64) -> f64 {
    /// Riemann's zeta function at 2, 3, ..., 8.
    const ZETA: [f64; 7] = [
        1.644_934_066_848_226_4,
        1.202_056_903_159_594_3,
        1.082_323_233_711_138_2,
        1.036_927_755_143_37,
        1.017_343_061_984_449_2,
        1.008_349_277_381_923,
        1.004_077_356_197_944_3,
    ];
    if eta.abs() > 0.01 {
        return ln_gamma(1.0 + eta);
    }
    // DLMF 5.7.3: -gamma eta + sum over k of zeta(k) (-eta)^k / k.
    let mut power = -eta;
    let mut sum = -EULER_GAMMA * eta;
    for (i, zeta) in ZETA.into_iter().enumerate() {
        power *= -eta;
        sum += zeta * power / (i as f64 + 2.0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(actual: f64, expected: f64, relative: f64) {
        let error = (actual - expected).abs();
        assert!(
            error <= relative * expected.abs().max(1e-300),
            "{actual} against {expected}"
        );
    }

    #[test]
    fn rising_factorials_of_integers_are_products() {
        close(ln_rising(1.0, 10.0), log(3_628_800.0), 1e-15);
        close(ln_rising(0.25, 3.0), log(0.25 * 1.25 * 2.25), 1e-14);
        close(ln_rising(1e-8, 1.0), log(1e-8), 1e-14);
        assert_eq!(ln_rising(3.5, 0.0), 0.0);
        close(
            digamma_rise(0.25, 3.0),
            1.0 / 0.25 + 1.0 / 1.25 + 1.0 / 2.25,
            1e-14,
        );
        // DLMF 5.4.12 to 5.4.14: psi(1) - psi(1/2) = 2 ln 2.
        close(digamma_rise(0.5, 0.5), 2.0 * std::f64::consts::LN_2, 1e-14);
        close(digamma_rise(1e6, 2.0), 1.0 / 1e6 + 1.0 / 1_000_001.0, 1e-13);
        assert_eq!(digamma_rise(0.3, 0.0), 0.0);
    }

    #[test]
    fn rising_factorials_agree_with_the_logarithm_of_gamma() {
        for a in [1e-6, 0.1, 0.9, 3.7, 9.99, 55.5, 1234.5] {
            for n in [0.5, 1.0, 7.25, 100.0, 20_000.0] {
                let expected = ln_gamma(a + n) - ln_gamma(a);
                let scale = ln_gamma(a + n).abs() + ln_gamma(a).abs() + 1.0;
                assert!(
                    (ln_rising(a, n) - expected).abs() < 1e-14 * scale,
                    "{a} {n}"
                );
            }
        }
    }
    #[test]
    fn exponential_integral_against_forty_digits() {
        // e^z E_s(z) by mpmath with 40 digits.
        let table = [
            (1.0, 0.5, 0.9229106324837305),
            (0.6, 0.03, 6.739120506785724),
            (0.606, 0.1, 3.44015984686991),
            (0.001, 0.2, 4.99254033573362),
            (1e-09, 0.2, 4.999999992533256),
            (0.9999999, 0.01, 4.078512344894858),
            (1.0000000001, 0.3, 1.2225356049820932),
            (0.9995, 0.0001, 8.653162388775792),
            (1.0005, 0.9, 0.6397979025572543),
            (1.009, 1e-08, 16.478094515686028),
            (2.02, 0.5, 0.5337184045598611),
            (31.5001, 0.7, 0.032027423587078545),
            (2.0, 1e-06, 0.9999867616908686),
            (2.5, 0.3, 0.49656232429041647),
            (11.9, 0.001, 0.09173385332541312),
            (12.0, 1e-09, 0.0909090909),
            (1.5, 0.2, 0.9793825468719973),
            (0.5, 0.99, 0.7641366940275129),
            (1.3, 1.0, 0.5245175090539496),
            (3.7, 45.0, 0.020564807296320868),
            (20000.25, 0.002, 5.0001870069690575e-05),
            (20000.25, 3.0, 4.9994375257849116e-05),
            (0.05, 700.0, 0.0014284695403700177),
            (1.0, 1e-10, 22.44863526738379),
            (500.0, 0.9, 0.00200039286133222),
        ];
        for (s, z, expected) in table {
            let actual = scaled_exp_integral(s, z);
            assert!(
                (actual / expected - 1.0).abs() < 2e-14,
                "E_{s}({z}): {actual} {expected}"
            );
        }
    }
}
