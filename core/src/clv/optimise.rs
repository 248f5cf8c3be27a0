//! Minimises a smooth function of a few log-parameters inside a box.
//!
//! BFGS (Nocedal and Wright 2006, algorithm 6.1) with backtracking comes near; Newton steps on a
//! Hessian of differences of the analytic gradient finish, and leave the Hessian that the
//! standard errors need. A parameter that is pushed out of the box is held at its side.

/// Sides of the box of every log-parameter: a parameter that wants to leave has run away.
pub(crate) const LOWEST: f64 = -20.0;
/// See [`LOWEST`].
pub(crate) const HIGHEST: f64 = 14.0;

/// Components of a gradient that count as zero at an optimum.
const GRADIENT_TOLERANCE: f64 = 1e-8;

/// Where BFGS hands over to Newton.
const NEAR: f64 = 1e-6;

/// Relative error of a value that is taken for rounding.
const ROUNDING: f64 = 1e-11;

/// A function value and its gradient.
pub(crate) type Evaluation<const N: usize> = (f64, [f64; N]);

pub(crate) type Matrix<const N: usize> = [[f64; N]; N];

/// Where a minimisation ended.
#[derive(Debug, Clone)]
pub(crate) struct Optimum<const N: usize> {
    pub(crate) point: [f64; N],
    pub(crate) value: f64,
    /// Largest component of the gradient, those held at a side of the box left out.
    pub(crate) gradient_norm: f64,
    pub(crate) converged: bool,
    /// Inverse of the Hessian, where it is positive definite and no parameter is held.
    pub(crate) inverse_hessian: Option<Matrix<N>>,
    pub(crate) evaluations: u32,
}

/// Minimises `f` from `start`.
pub(crate) fn minimise<const N: usize>(
    f: &dyn Fn([f64; N]) -> Evaluation<N>,
    start: [f64; N],
) -> Optimum<N> {
    minimise_near(f, start, None)
}

/// Minimises `f` from `start`, where the inverse of its Hessian may be known to be about this.
pub(crate) fn minimise_near<const N: usize>(
    f: &dyn Fn([f64; N]) -> Evaluation<N>,
    start: [f64; N],
    inverse_hessian: Option<Matrix<N>>,
) -> Optimum<N> {
    let mut search = Search::new(f, start);
    // With a good inverse each step gains digits, and one Hessian suffices for all of Newton's steps from closer by.
    let near = match inverse_hessian {
        Some(_) => 0.1 * NEAR,
        None => NEAR,
    };
    search.bfgs(near, inverse_hessian);
    search.newton(match inverse_hessian {
        Some(_) => Differences::Forward,
        None => Differences::Central,
    });
    if search.gradient_norm() >= GRADIENT_TOLERANCE {
        // No bowl to finish in: perhaps a slope that flattens out towards infinity.
        search.bfgs(0.1 * GRADIENT_TOLERANCE, None);
        search.newton(Differences::Central);
    }
    search.finish()
}

/// How the Hessian is computed from gradients.
#[derive(Clone, Copy)]
enum Differences {
    /// To eight digits or so, by two evaluations for each parameter.
    Central,
    /// To five or so, by one.
    Forward,
}

/// Steps of [`Differences`] in a log-parameter, about where rounding errs as much as curvature does.
const CENTRAL: f64 = 1e-4;
/// See [`CENTRAL`].
const FORWARD: f64 = 1e-6;

struct Search<'a, const N: usize> {
    f: &'a dyn Fn([f64; N]) -> Evaluation<N>,
    point: [f64; N],
    value: f64,
    gradient: [f64; N],
    evaluations: u32,
    inverse_hessian: Option<Matrix<N>>,
}

impl<'a, const N: usize> Search<'a, N> {
    fn new(f: &'a dyn Fn([f64; N]) -> Evaluation<N>, start: [f64; N]) -> Self {
        let point = start.map(|v| v.clamp(LOWEST, HIGHEST));
        let (value, gradient) = f(point);
        Self {
            f,
            point,
            value,
            gradient,
            evaluations: 1,
            inverse_hessian: None,
        }
    }

    fn evaluate(&mut self, point: [f64; N]) -> Evaluation<N> {
        self.evaluations += 1;
        (self.f)(point)
    }

    /// Which parameters are held at a side of the box, the function falling beyond it.
    fn held(&self) -> [bool; N] {
        std::array::from_fn(|i| {
            (self.point[i] <= LOWEST && self.gradient[i] > 0.0)
                || (self.point[i] >= HIGHEST && self.gradient[i] < 0.0)
        })
    }

    /// The gradient without the held parameters.
    fn free_gradient(&self) -> [f64; N] {
        let held = self.held();
        std::array::from_fn(|i| if held[i] { 0.0 } else { self.gradient[i] })
    }

    fn gradient_norm(&self) -> f64 {
        largest(&self.free_gradient())
    }

    /// Descends until the gradient is smaller than `near`, by an inverse of the Hessian where one is known.
    fn bfgs(&mut self, near: f64, inverse_hessian: Option<Matrix<N>>) {
        let mut fresh = inverse_hessian.is_none();
        let mut inverse = inverse_hessian.unwrap_or_else(identity::<N>);
        let mut held = self.held();
        for _ in 0..100 {
            let gradient = self.free_gradient();
            if largest(&gradient) < near {
                return;
            }
            if held != self.held() {
                held = self.held();
                (inverse, fresh) = (identity(), true);
            }
            let mut direction = times(&inverse, &gradient).map(|d| -d);
            for i in 0..N {
                if held[i] || self.room(i, direction[i]) <= 0.0 {
                    direction[i] = 0.0;
                }
            }
            if dot(&direction, &gradient) >= 0.0 {
                (inverse, fresh) = (identity(), true);
                direction = gradient.map(|g| -g);
            }
            let Some((moved, turned)) = self.line_search(direction) else {
                if fresh {
                    return;
                }
                (inverse, fresh) = (identity(), true);
                continue;
            };
            let curvature = dot(&moved, &turned);
            if curvature > 1e-12 * dot(&turned, &turned) {
                if fresh {
                    inverse = scaled_identity(curvature / dot(&turned, &turned));
                    fresh = false;
                }
                inverse = bfgs_update(&inverse, &moved, &turned);
            }
        }
    }

    /// Backtracks along `direction` until the value falls enough; the step taken and the change of
    /// the gradient.
    fn line_search(&mut self, direction: [f64; N]) -> Option<([f64; N], [f64; N])> {
        // To the side of the box at most: cutting off one parameter alone would leave the valley.
        let mut step = (2.0 / largest(&direction)).min(1.0);
        for (i, d) in direction.iter().enumerate().filter(|(_, d)| **d != 0.0) {
            step = step.min(self.room(i, *d) / d.abs());
        }
        for _ in 0..15 {
            let point = self.moved(step, &direction);
            let moved = minus(&point, &self.point);
            let (value, gradient) = self.evaluate(point);
            let slope = dot(&self.gradient, &moved);
            // Where the value drowns in rounding, the slope still tells (Hager and Zhang 2005).
            let falls = value <= self.value + 1e-4 * slope;
            let flattens = value <= self.value + ROUNDING * self.value.abs()
                && dot(&gradient, &moved).abs() <= 0.8 * slope.abs();
            if (falls || flattens) && value.is_finite() && slope < 0.0 {
                let turned = minus(&gradient, &self.gradient);
                (self.point, self.value, self.gradient) = (point, value, gradient);
                return Some((moved, turned));
            }
            step *= 0.3;
        }
        None
    }

    /// How far parameter `i` can go in the direction of `d`.
    fn room(&self, i: usize, d: f64) -> f64 {
        if d > 0.0 {
            HIGHEST - self.point[i]
        } else {
            self.point[i] - LOWEST
        }
    }

    fn moved(&self, step: f64, direction: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|i| (self.point[i] + step * direction[i]).clamp(LOWEST, HIGHEST))
    }

    fn newton(&mut self, differences: Differences) {
        let mut last_step = f64::INFINITY;
        for _ in 0..8 {
            if last_step > 1e-5 || self.inverse_hessian.is_none() {
                let hessian = self.hessian(differences);
                self.inverse_hessian = inverse_positive_definite(&hessian);
            }
            let Some(inverse) = self.inverse_hessian else {
                return;
            };
            let direction = times(&inverse, &self.free_gradient()).map(|d| -d);
            last_step = largest(&direction);
            if !(1e-11..=2.0).contains(&last_step) {
                return;
            }
            let point = self.moved(1.0, &direction);
            let (value, gradient) = self.evaluate(point);
            let before = largest(&self.free_gradient());
            let falls = value <= self.value + ROUNDING * self.value.abs();
            let better = value < self.value || largest(&gradient) < before;
            if !falls || !better || !value.is_finite() {
                return;
            }
            (self.point, self.value, self.gradient) = (point, value, gradient);
        }
    }

    /// The Hessian by differences of the gradient; held parameters get a unit row.
    fn hessian(&mut self, differences: Differences) -> Matrix<N> {
        let held = self.held();
        let mut hessian = identity::<N>();
        for i in 0..N {
            if held[i] {
                continue;
            }
            let shifted = |h: f64| {
                let mut point = self.point;
                point[i] += h;
                point
            };
            let slopes = match differences {
                Differences::Central => {
                    let (up, down) = (shifted(CENTRAL), shifted(-CENTRAL));
                    minus(&self.evaluate(up).1, &self.evaluate(down).1).map(|d| d / (2.0 * CENTRAL))
                }
                Differences::Forward => {
                    let up = shifted(FORWARD);
                    minus(&self.evaluate(up).1, &self.gradient).map(|d| d / FORWARD)
                }
            };
            hessian[i] = std::array::from_fn(|j| if held[j] { 0.0 } else { slopes[j] });
        }
        std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (hessian[i][j] + hessian[j][i])))
    }

    fn finish(self) -> Optimum<N> {
        let capped = self.held().contains(&true);
        let gradient_norm = self.gradient_norm();
        Optimum {
            point: self.point,
            value: self.value,
            gradient_norm,
            converged: self.value.is_finite() && gradient_norm < GRADIENT_TOLERANCE,
            inverse_hessian: if capped { None } else { self.inverse_hessian },
            evaluations: self.evaluations,
        }
    }
}

fn identity<const N: usize>() -> Matrix<N> {
    scaled_identity(1.0)
}

fn scaled_identity<const N: usize>(scale: f64) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { scale } else { 0.0 }))
}

/// The largest absolute component; NaN if there is one.
fn largest<const N: usize>(v: &[f64; N]) -> f64 {
    v.iter().fold(0.0, |most: f64, x| {
        if most.is_nan() || x.abs() <= most {
            most
        } else {
            x.abs()
        }
    })
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn minus<const N: usize>(a: &[f64; N], b: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn times<const N: usize>(m: &Matrix<N>, v: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| dot(&m[i], v))
}

/// Nocedal and Wright 2006, equation 6.17.
fn bfgs_update<const N: usize>(h: &Matrix<N>, s: &[f64; N], y: &[f64; N]) -> Matrix<N> {
    let rho = 1.0 / dot(s, y);
    let hy = times(h, y);
    let factor = rho * (1.0 + rho * dot(y, &hy));
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            h[i][j] - rho * (s[i] * hy[j] + hy[i] * s[j]) + factor * s[i] * s[j]
        })
    })
}

/// The inverse; nothing where the matrix is not positive definite.
fn inverse_positive_definite<const N: usize>(m: &Matrix<N>) -> Option<Matrix<N>> {
    let lower = cholesky(m)?;
    Some(std::array::from_fn(|i| {
        solve(
            &lower,
            std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }),
        )
    }))
}

/// The lower triangle whose product with its transpose is `m`.
fn cholesky<const N: usize>(m: &Matrix<N>) -> Option<Matrix<N>> {
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let rest: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            if i == j {
                let pivot = m[i][i] - rest;
                if pivot.is_nan() || pivot <= 1e-13 * m[i][i].abs() {
                    return None;
                }
                lower[i][i] = pivot.sqrt();
            } else {
                lower[i][j] = (m[i][j] - rest) / lower[j][j];
            }
        }
    }
    Some(lower)
}

/// Solves `m x = right` for the `m` that `lower` came from.
fn solve<const N: usize>(lower: &Matrix<N>, right: [f64; N]) -> [f64; N] {
    let mut x = right;
    for i in 0..N {
        let rest: f64 = (0..i).map(|k| lower[i][k] * x[k]).sum();
        x[i] = (x[i] - rest) / lower[i][i];
    }
    for i in (0..N).rev() {
        let rest: f64 = (i + 1..N).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - rest) / lower[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn finds_the_minimum_of_a_curved_valley() {
        // Rosenbrock's function, minimum 0 at (1, 1), Hessian [[802, -400], [-400, 200]].
        let valley = |[x, y]: [f64; 2]| {
            let (a, b) = (1.0 - x, y - x * x);
            (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
        };
        let optimum = minimise(&valley, [-1.2, 1.0]);
        assert!(optimum.converged);
        assert!((optimum.point[0] - 1.0).abs() < 1e-9 && (optimum.point[1] - 1.0).abs() < 1e-9);
        let inverse = optimum.inverse_hessian.unwrap();
        assert!((inverse[0][0] - 0.5).abs() < 1e-5 && (inverse[1][1] - 2.005).abs() < 1e-5);
    }

    #[test]
    fn begins_near_the_minimum_by_what_is_known_of_it() {
        // Two bowls whose minima are close by, of which the first is found from afar.
        let bowl = |middle: f64| {
            move |[x, y]: [f64; 2]| {
                let (a, b) = (x - middle, y - 3.0 * middle);
                let value = libm::cosh(a) + 50.0 * b * b + a * b;
                (value, [libm::sinh(a) + b, 100.0 * b + a])
            }
        };
        let (first, second) = (bowl(1.0), bowl(1.01));
        let afar = minimise(&first, [-3.0, 5.0]);
        let near = minimise_near(&second, afar.point, afar.inverse_hessian);
        let cold = minimise(&second, [-3.0, 5.0]);
        assert!(near.converged && cold.converged);
        let apart = minus(&near.point, &cold.point);
        assert!(largest(&apart) < 1e-9, "{near:?} {cold:?}");
        assert!(
            2 * near.evaluations < cold.evaluations + 10,
            "{near:?} {cold:?}"
        );
    }

    #[test]
    fn a_parameter_that_runs_away_is_held_at_the_side() {
        let slope = |[x, y]: [f64; 2]| {
            let fall = libm::exp(-x);
            (fall + y * y, [-fall, 2.0 * y])
        };
        let optimum = minimise(&slope, [0.0, 3.0]);
        assert!(optimum.value < 1e-5 && optimum.point[0] > 11.0);
        assert!(optimum.point[1].abs() < 1e-6);
    }

    #[test]
    fn no_optimum_is_said() {
        let optimum = minimise(&|_: [f64; 1]| (f64::NAN, [f64::NAN]), [0.0]);
        assert!(!optimum.converged);
    }
}
