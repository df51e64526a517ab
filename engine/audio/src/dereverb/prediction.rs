//! The filter that predicts the late echo of a band from the past of the band, and its result.

use realfft::num_complex::Complex;

use super::Spectrum;

/// Spectra between a sound and what counts as its echo; closer ones belong to the sound itself.
const DELAY: usize = 2;
/// Echo is longer in low bands: spectra that the filter sees, up to these frequencies in Hz.
const TAPS: [(f64, usize); 3] = [(1000.0, 40), (4000.0, 30), (f64::INFINITY, 15)];
/// How often power and filter are estimated, each from the other.
const ROUNDS: usize = 2;
/// The least power of a spectrum, relative to the loudest one of the block.
const POWER_FLOOR: f64 = 1e-6;
/// Added to the diagonal, relative to its mean.
const LOADING: f64 = 1e-6;
/// Spectra that a filter needs for each tap, or it would predict the sound itself.
const SPECTRA_A_TAP: usize = 8;

/// Weighted prediction error (Nakatani et al. 2010), a band at a time.
pub(super) struct Predictor {
    taps: Vec<usize>,
    work: Work,
}

/// A band of a block, and the equations of its filter. Reused from band to band.
#[derive(Default)]
struct Work {
    /// The band, newest first: the past of a spectrum lies behind it.
    re: Vec<f64>,
    im: Vec<f64>,
    /// What is left of the band without its echo, oldest first.
    clean: Vec<Complex<f64>>,
    /// Upper triangle, row by row, `[taps, taps]`.
    matrix_re: Vec<f64>,
    matrix_im: Vec<f64>,
    filter: Vec<Complex<f64>>,
}

impl Predictor {
    pub(super) fn new(bins: usize, hertz_a_bin: f64) -> Self {
        let taps = |bin: usize| {
            let hertz = bin as f64 * hertz_a_bin;
            TAPS.iter().find(|(top, _)| hertz < *top).map_or(TAPS[2].1, |(_, taps)| *taps)
        };
        Self { taps: (0..bins).map(taps).collect(), work: Work::default() }
    }

    /// Spectra before a spectrum that its echo is predicted from.
    pub(super) fn reach(&self) -> usize {
        DELAY + TAPS[0].1
    }

    /// What `heard[from..to]` is without its late echo, by filters that suit `heard[first..to]` best.
    /// What lies before `heard` was silent.
    pub(super) fn predict(
        &mut self,
        heard: &[Spectrum],
        first: usize,
        from: usize,
        to: usize,
    ) -> Vec<Spectrum> {
        let mut clean: Vec<Spectrum> = heard[from..to].to_vec();
        for (bin, taps) in self.taps.iter().enumerate() {
            let taps = (*taps).min((to - first) / SPECTRA_A_TAP);
            if taps == 0 {
                continue;
            }
            self.work.load(heard, bin, first, to, taps);
            if !self.work.solve(taps) {
                continue;
            }
            for (spectrum, value) in clean.iter_mut().zip(&self.work.clean[from - first..]) {
                spectrum[bin] = Complex::new(value.re as f32, value.im as f32);
            }
        }
        clean
    }
}

impl Work {
    /// Takes a band in, with the past that its first spectrum needs.
    fn load(&mut self, heard: &[Spectrum], bin: usize, first: usize, to: usize, taps: usize) {
        let past = DELAY + taps;
        self.re.clear();
        self.im.clear();
        for at in (0..to - first + past).rev() {
            let value =
                (at + first).checked_sub(past).map_or(Complex::default(), |at| heard[at][bin]);
            self.re.push(f64::from(value.re));
            self.im.push(f64::from(value.im));
        }
        self.clean.clear();
        let length = to - first;
        self.clean.extend((0..length).map(|at| {
            let place = length - 1 - at;
            Complex::new(self.re[place], self.im[place])
        }));
    }

    /// Finds filter and clean band in turns. False where there is nothing to predict.
    fn solve(&mut self, taps: usize) -> bool {
        let length = self.clean.len();
        for _ in 0..ROUNDS {
            let power: Vec<f64> = self.clean.iter().map(Complex::norm_sqr).collect();
            let loudest = power.iter().copied().fold(0.0, f64::max);
            if loudest <= f64::MIN_POSITIVE * 1e12 {
                return false;
            }
            let floor = loudest * POWER_FLOOR;
            self.clear(taps);
            for at in 0..length {
                let near = &power[at.saturating_sub(1)..(at + 2).min(length)];
                // At the ends the outer one counts twice.
                let edge = if near.len() < 3 { power[at] } else { 0.0 };
                let weight = 3.0 / (near.iter().sum::<f64>() + edge).max(3.0 * floor);
                self.add(at, weight, taps);
            }
            if !self.solve_equations(taps) {
                return false;
            }
            for at in 0..length {
                let now = length - 1 - at;
                let mut rest = Complex::new(self.re[now], self.im[now]);
                let past = now + DELAY;
                let past = self.re[past..past + taps].iter().zip(&self.im[past..past + taps]);
                for ((re, im), filter) in past.zip(&self.filter) {
                    rest -= Complex::new(*re, *im) * filter;
                }
                self.clean[at] = rest;
            }
        }
        self.clean.iter().all(|value| value.re.is_finite() && value.im.is_finite())
    }

    fn clear(&mut self, taps: usize) {
        for matrix in [&mut self.matrix_re, &mut self.matrix_im] {
            matrix.clear();
            matrix.resize(taps * taps, 0.0);
        }
        self.filter.clear();
        self.filter.resize(taps, Complex::default());
    }

    /// Adds one spectrum to the normal equations.
    fn add(&mut self, at: usize, weight: f64, taps: usize) {
        let now = self.clean.len() - 1 - at;
        let past = now + DELAY..now + DELAY + taps;
        let (re, im) = (&self.re[past.clone()], &self.im[past]);
        let target = Complex::new(self.re[now], self.im[now]);
        for row in 0..taps {
            let (a, b) = (weight * re[row], weight * im[row]);
            self.filter[row] += Complex::new(a, -b) * target;
            let matrix = row * taps + row..(row + 1) * taps;
            let sums = self.matrix_re[matrix.clone()].iter_mut().zip(&mut self.matrix_im[matrix]);
            for ((sum_re, sum_im), (x, y)) in sums.zip(re[row..].iter().zip(&im[row..])) {
                *sum_re += a * x + b * y;
                *sum_im += a * y - b * x;
            }
        }
    }

    /// Solves them by Cholesky's method, in place: the right side becomes the filter.
    fn solve_equations(&mut self, taps: usize) -> bool {
        let trace: f64 = (0..taps).map(|row| self.matrix_re[row * taps + row]).sum();
        let loading = LOADING * trace / taps as f64;
        // A = Uᴴ U, with U in the upper triangle.
        for row in 0..taps {
            for column in row..taps {
                let place = row * taps + column;
                let mut sum = Complex::new(self.matrix_re[place], self.matrix_im[place]);
                if row == column {
                    sum.re += loading;
                }
                for above in 0..row {
                    sum -= self.at(above, row, taps).conj() * self.at(above, column, taps);
                }
                let value = if row == column {
                    if sum.re.is_nan() || sum.re <= 0.0 {
                        return false;
                    }
                    Complex::new(sum.re.sqrt(), 0.0)
                } else {
                    sum / self.at(row, row, taps).re
                };
                (self.matrix_re[place], self.matrix_im[place]) = (value.re, value.im);
            }
        }
        for row in 0..taps {
            let mut sum = self.filter[row];
            for above in 0..row {
                sum -= self.at(above, row, taps).conj() * self.filter[above];
            }
            self.filter[row] = sum / self.at(row, row, taps).re;
        }
        for row in (0..taps).rev() {
            let mut sum = self.filter[row];
            for below in row + 1..taps {
                sum -= self.at(row, below, taps) * self.filter[below];
            }
            self.filter[row] = sum / self.at(row, row, taps).re;
        }
        true
    }

    fn at(&self, row: usize, column: usize, taps: usize) -> Complex<f64> {
        let place = row * taps + column;
        Complex::new(self.matrix_re[place], self.matrix_im[place])
    }
}
