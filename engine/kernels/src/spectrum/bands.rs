//! Bands of frequencies: a sparse matrix each way.

use crate::ShapeError;

/// Groups bins into bands, and spreads values of bands over their bins.
#[derive(Clone, Debug)]
pub struct Bands {
    bins: usize,
    /// `(first bin, weights of it and the bins after it)` of each band.
    rows: Vec<(usize, Vec<f32>)>,
    /// Factor of a band where it is spread.
    spread: Vec<f32>,
}

impl Bands {
    /// Bands without overlap, `widths` bins each from bin 0 on: a band is the mean of its bins, and a
    /// bin gets the value of its band.
    ///
    /// # Errors
    /// [`ShapeError`] when a band is empty, or there are none.
    pub fn adjacent(widths: &[usize]) -> Result<Self, ShapeError> {
        if widths.is_empty() || widths.contains(&0) {
            return Err(ShapeError(format!("bands of {widths:?} bins")));
        }
        let mut first = 0;
        let mut rows = Vec::with_capacity(widths.len());
        for &width in widths {
            rows.push((first, vec![1.0 / width as f32; width]));
            first += width;
        }
        Ok(Self { bins: first, rows, spread: widths.iter().map(|w| *w as f32).collect() })
    }

    /// Bands with any weights, which may overlap (mel triangles): each is `(first bin, weights)` over
    /// a spectrum of `bins`. Spreading multiplies by the transposed matrix.
    ///
    /// # Errors
    /// [`ShapeError`] when there are no bands, or one leaves the spectrum.
    pub fn weighted(bins: usize, rows: Vec<(usize, Vec<f32>)>) -> Result<Self, ShapeError> {
        let fits = |(first, weights): &(usize, Vec<f32>)| {
            first.checked_add(weights.len()).is_some_and(|end| end <= bins)
        };
        if rows.is_empty() || !rows.iter().all(fits) {
            return Err(ShapeError(format!("{} bands that leave {bins} bins", rows.len())));
        }
        let spread = vec![1.0; rows.len()];
        Ok(Self { bins, rows, spread })
    }

    /// Number of bins.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Number of bands.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.rows.len()
    }

    /// The weighted sum of each band's bins.
    ///
    /// # Errors
    /// [`ShapeError`] when the lengths do not fit.
    pub fn group(&self, bins: &[f32], bands: &mut [f32]) -> Result<(), ShapeError> {
        self.check(bins.len(), bands.len())?;
        for (band, (first, weights)) in bands.iter_mut().zip(&self.rows) {
            *band = weights.iter().zip(&bins[*first..]).map(|(w, bin)| w * bin).sum();
        }
        Ok(())
    }

    /// The way back: gains of bands to gains of bins. Bins of no band get 0.
    ///
    /// # Errors
    /// [`ShapeError`] when the lengths do not fit.
    pub fn spread(&self, bands: &[f32], bins: &mut [f32]) -> Result<(), ShapeError> {
        self.check(bins.len(), bands.len())?;
        bins.fill(0.0);
        for ((band, factor), (first, weights)) in bands.iter().zip(&self.spread).zip(&self.rows) {
            for (bin, weight) in bins[*first..].iter_mut().zip(weights) {
                *bin += band * (factor * weight);
            }
        }
        Ok(())
    }

    fn check(&self, bins: usize, bands: usize) -> Result<(), ShapeError> {
        if (bins, bands) == (self.bins(), self.bands()) {
            return Ok(());
        }
        let (own_bins, own_bands) = (self.bins(), self.bands());
        Err(ShapeError(format!("{bins} bins and {bands} bands for {own_bins} and {own_bands}")))
    }
}

/// Bins of each of `bands` bands, equally wide on the scale of equivalent rectangular bandwidths
/// (Glasberg and Moore 1990) from 0 Hz to half of `sample_rate_hz`, but at least `least_bins` each,
/// for a transform of `fft_len` samples: the bands of DeepFilterNet (Schroeter et al. 2022, section
/// 2.2), which takes from later bands what it adds to narrow ones.
///
/// # Errors
/// [`ShapeError`] when there are more bands than bins for them.
pub fn erb_widths(
    sample_rate_hz: usize,
    fft_len: usize,
    bands: usize,
    least_bins: usize,
) -> Result<Vec<usize>, ShapeError> {
    // Q factor of the ear's filters, and their least width in Hz
    const Q: f32 = 9.265;
    const LEAST_HZ: f32 = 24.7;
    let bins = fft_len / 2 + 1;
    let is_possible = bands.checked_mul(least_bins.max(1)).is_some_and(|least| least <= bins);
    if bands == 0 || !is_possible || sample_rate_hz == 0 {
        return Err(ShapeError(format!("{bands} bands of {least_bins} bins or more in {bins}")));
    }
    let bin_hz = sample_rate_hz as f32 / fft_len as f32;
    let top = Q * ((sample_rate_hz / 2) as f32 / (LEAST_HZ * Q)).ln_1p();
    let mut widths = Vec::with_capacity(bands);
    // where bands end, and by how much narrow ones were widened beyond that
    let (mut end, mut ahead, mut used) = (0, 0, 0);
    for band in 1..=bands {
        let edge_hz = LEAST_HZ * Q * ((band as f32 * (top / bands as f32) / Q).exp() - 1.0);
        let next_end = (edge_hz / bin_hz).round() as usize;
        let wanted = next_end.saturating_sub(end);
        let width = wanted.saturating_sub(ahead).max(least_bins);
        ahead = (width + ahead).saturating_sub(wanted);
        end = next_end;
        widths.push(width);
        used += width;
    }
    // the bin of half the sample rate belongs to the last band, as does what rounding left over
    let last = widths.pop().unwrap_or(0) + bins;
    widths.push(last.saturating_sub(used));
    if widths.contains(&0) || widths.iter().sum::<usize>() != bins {
        return Err(ShapeError(format!("{bands} bands do not fit {bins} bins")));
    }
    Ok(widths)
}
