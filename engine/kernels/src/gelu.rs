//! The Gaussian error linear unit `x * Phi(x)` (Hendrycks and Gimpel 2016), exact and by `tanh`.

use crate::simd::Simd;

/// Where the fit of [`tail`] ends; `14 * Phi(-14)` is below 1e-42.
const FAR: f32 = 14.0;
/// Scale of the fit's variable `1 / (1 + KNEE * t)`.
const KNEE: f32 = 0.3;
/// `Phi(-t) * exp(t^2 / 2)` as a polynomial in `1 / (1 + KNEE * t)`, constant term last: the form of
/// Abramowitz and Stegun 7.1.26, fitted anew for the least relative error over `0..=FAR`, 5.8e-8.
const FIT: [f32; 9] = [
    3.837_842e-2,
    -1.691_667_1e-1,
    2.286_612_7e-1,
    -7.650_775_5e-2,
    1.425_363_4e-1,
    9.468_321e-2,
    1.219_204_1e-1,
    1.194_876_8e-1,
    7.169_343_5e-6,
];

/// `x * Phi(x)` with the normal distribution function `Phi(x) = (1 + erf(x / sqrt(2))) / 2`, within
/// 3e-7 of the value, absolute or relative, whichever is more. Written as
/// `max(x, 0) - |x| * Phi(-|x|)`, so that neither tail cancels.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(x: S) -> S {
    let t = x.max(S::zero().sub(x)).min(S::splat(FAR));
    x.max(S::zero()).sub(t.mul(tail(t)))
}

/// `Phi(-t)` for `t` in `0..=FAR`.
#[inline(always)]
fn tail<S: Simd>(t: S) -> S {
    let u = t.mul_add(S::splat(KNEE), S::splat(1.0)).reciprocal();
    let mut fit = S::splat(FIT[0]);
    for i in 1..FIT.len() {
        fit = fit.mul_add(u, S::splat(FIT[i]));
    }
    fit.mul(t.mul(t).mul(S::splat(-0.5 * std::f32::consts::LOG2_E)).exp2())
}

/// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`, which is `x * sigmoid` of twice that.
#[inline(always)]
pub(crate) fn gelu_tanh<S: Simd>(x: S) -> S {
    let square = x.mul(x);
    let root = 2.0 * 0.797_884_6f32;
    let inner = square.mul_add(S::splat(0.044_715 * root), S::splat(root));
    x.mul(x.mul(inner).sigmoid())
}
