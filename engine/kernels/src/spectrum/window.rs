//! Windows.

use std::f64::consts::PI;

/// The shape of a window. All are periodic: the value after the last would be the first again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// `sin^2(pi n / N)`: adds up to a constant at hops of `N / 2`, `N / 3`, ...
    Hann,
    /// Its root, `sin(pi n / N)`: the same when it is applied before and after.
    SqrtHann,
    /// `sin(pi / 2 sin^2(pi (n + 1/2) / N))` (Vorbis I specification, section 4.3.1), applied before
    /// and after at a hop of `N / 2`.
    Vorbis,
    /// 1 everywhere.
    Rectangular,
}

impl Window {
    /// Its `len` values.
    #[must_use]
    pub fn values(self, len: usize) -> Vec<f32> {
        let sine = |n: f64| (PI * n / len as f64).sin();
        let value = |n: usize| {
            let n = n as f64;
            match self {
                Self::Hann => sine(n).powi(2),
                Self::SqrtHann => sine(n),
                Self::Vorbis => (PI / 2.0 * sine(n + 0.5).powi(2)).sin(),
                Self::Rectangular => 1.0,
            }
        };
        (0..len).map(|n| value(n) as f32).collect()
    }
}
