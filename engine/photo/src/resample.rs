//! Resampling of any region of a virtual picture of another size.
//!
//! Every weight follows from the absolute position of the output pixel in the whole picture, and
//! every sum runs in the same order, so a region holds bit for bit the pixels that the same place
//! has in the whole picture.

use limpid_kernels::{Planes, Pool, ShapeError};
use rayon::prelude::*;

use crate::geometry::Rect;

/// How output pixels are weighed from input pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Windowed sinc over three lobes: sharp, for results.
    Lanczos3,
    /// Cubic convolution with a = -1/2 (Keys, "Cubic Convolution Interpolation for Digital Image
    /// Processing", 1981, section III): the usual "bicubic".
    CatmullRom,
    /// Mean over the area that an output pixel covers: for much smaller views.
    Area,
}

impl Filter {
    /// Distance in input pixels, at equal size, beyond which the weight is zero.
    fn radius(self) -> f64 {
        match self {
            Self::Lanczos3 => 3.0,
            Self::CatmullRom => 2.0,
            Self::Area => 0.5,
        }
    }

    /// Weight at a distance of `t` input pixels.
    fn weight(self, t: f64) -> f64 {
        let t = t.abs();
        match self {
            Self::Lanczos3 if t < 1e-9 => 1.0,
            Self::Lanczos3 if t < 3.0 => {
                let x = std::f64::consts::PI * t;
                3.0 * x.sin() * (x / 3.0).sin() / (x * x)
            }
            Self::CatmullRom if t < 1.0 => (1.5 * t - 2.5) * t * t + 1.0,
            Self::CatmullRom if t < 2.0 => ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0,
            // `Area` is weighed by overlap, see `Taps::area`.
            Self::Lanczos3 | Self::CatmullRom | Self::Area => 0.0,
        }
    }
}

/// The input pixels that one output pixel is made of, along one axis.
struct Taps {
    /// First input pixel, in the whole picture.
    first: u32,
    /// One weight for each input pixel from `first` on; they add up to 1.
    weights: Vec<f32>,
}

impl Taps {
    /// The taps of output pixel `index` when `input` pixels become `output`.
    fn new(filter: Filter, index: u32, input: u32, output: u32) -> Self {
        let ratio = f64::from(input) / f64::from(output);
        match filter {
            Filter::Area => Self::area(index, input, ratio),
            Filter::Lanczos3 | Filter::CatmullRom => Self::windowed(filter, index, input, ratio),
        }
    }

    fn windowed(filter: Filter, index: u32, input: u32, ratio: f64) -> Self {
        // Making smaller widens the filter by the same factor: it then also removes what the
        // smaller picture cannot hold (aliasing).
        let stretch = ratio.max(1.0);
        let center = (f64::from(index) + 0.5) * ratio - 0.5;
        let radius = filter.radius() * stretch;
        let last_pixel = i64::from(input) - 1;
        let (low, high) = ((center - radius).ceil() as i64, (center + radius).floor() as i64);
        let (first, last) = (low.clamp(0, last_pixel), high.clamp(0, last_pixel));
        let mut sums = vec![0.0_f64; (last - first + 1) as usize];
        for position in low..=high {
            // Beyond the border the border pixel goes on.
            let slot = position.clamp(first, last) - first;
            sums[slot as usize] += filter.weight((position as f64 - center) / stretch);
        }
        Self::normalised(first as u32, &sums)
    }

    fn area(index: u32, input: u32, ratio: f64) -> Self {
        let start = f64::from(index) * ratio;
        let end = f64::from(index + 1) * ratio;
        let first = (start.floor() as u32).min(input - 1);
        let last = ((end.ceil() as u32).max(first + 1) - 1).min(input - 1);
        let overlap =
            |pixel: u32| (end.min(f64::from(pixel) + 1.0) - start.max(f64::from(pixel))).max(0.0);
        let sums: Vec<f64> = (first..=last).map(overlap).collect();
        Self::normalised(first, &sums)
    }

    fn normalised(first: u32, sums: &[f64]) -> Self {
        let total: f64 = sums.iter().sum();
        Self { first, weights: sums.iter().map(|w| (w / total) as f32).collect() }
    }

    /// One past the last input pixel.
    fn end(&self) -> u32 {
        self.first + self.weights.len() as u32
    }
}

/// Turns a picture of one size into one of another, region by region.
#[derive(Clone, Copy, Debug)]
pub struct Resampler {
    filter: Filter,
    input: (u32, u32),
    output: (u32, u32),
}

impl Resampler {
    /// From a picture of `input` columns and rows to one of `output`; all at least 1.
    #[must_use]
    pub fn new(filter: Filter, input: (u32, u32), output: (u32, u32)) -> Self {
        let at_least_one = |(w, h): (u32, u32)| (w.max(1), h.max(1));
        Self { filter, input: at_least_one(input), output: at_least_one(output) }
    }

    /// The input pixels that the output pixels of `region` depend on.
    #[must_use]
    pub fn input_rect(&self, region: Rect) -> Rect {
        if region.is_empty() {
            return Rect::default();
        }
        let (x, right) = self.span(region.x, region.right(), self.input.0, self.output.0);
        let (y, bottom) = self.span(region.y, region.bottom(), self.input.1, self.output.1);
        Rect::new(x, y, right - x, bottom - y)
    }

    fn span(&self, from: u32, to: u32, input: u32, output: u32) -> (u32, u32) {
        let first = Taps::new(self.filter, from, input, output);
        let last = Taps::new(self.filter, to - 1, input, output);
        (first.first, last.end())
    }

    /// The output pixels of `region`, from `source`, which holds the input pixels of `placed`.
    /// Shapes: `[C, placed.height, placed.width]` to `[C, region.height, region.width]`.
    ///
    /// # Errors
    /// `source` is not of the size of `placed`, `placed` lacks a pixel of
    /// [`Self::input_rect`], or `region` leaves the output picture.
    pub fn apply(
        &self,
        source: &Planes,
        placed: Rect,
        region: Rect,
        pool: &Pool,
    ) -> Result<Planes, ShapeError> {
        let needed = self.input_rect(region);
        let whole = Rect::new(0, 0, self.output.0, self.output.1);
        if (source.width(), source.height()) != (placed.width as usize, placed.height as usize)
            || needed.intersect(placed) != needed
            || region.intersect(whole) != region
        {
            return Err(ShapeError(format!(
                "region {region:?} of {whole:?} cannot be resampled from {placed:?}"
            )));
        }
        let (width, height) = (region.width as usize, region.height as usize);
        let channels = source.channels();
        let mut output = Planes::zeros(channels, height, width);
        if region.is_empty() || channels == 0 {
            return Ok(output);
        }
        let taps = |from: u32, count: u32, input: u32, output: u32| -> Vec<Taps> {
            (from..from + count).map(|i| Taps::new(self.filter, i, input, output)).collect()
        };
        let columns = taps(region.x, region.width, self.input.0, self.output.0);
        let rows = taps(region.y, region.height, self.input.1, self.output.1);

        pool.install(|| {
            // Rows first: each needed input row becomes as wide as the region.
            let needed_rows = needed.height as usize;
            let mut narrowed = vec![0.0_f32; channels * needed_rows * width];
            narrowed.par_chunks_mut(width).enumerate().for_each(|(index, out)| {
                let (channel, row) = (index / needed_rows, index % needed_rows);
                let row = row + (needed.y - placed.y) as usize;
                let line = &source.plane(channel)[row * source.width()..][..source.width()];
                for (value, taps) in out.iter_mut().zip(&columns) {
                    let from = (taps.first - placed.x) as usize;
                    let pixels = &line[from..from + taps.weights.len()];
                    *value = pixels.iter().zip(&taps.weights).map(|(p, w)| p * w).sum();
                }
            });
            output.data_mut().par_chunks_mut(width).enumerate().for_each(|(index, out)| {
                let (channel, taps) = (index / height, &rows[index % height]);
                let from = channel * needed_rows + (taps.first - needed.y) as usize;
                let lines = narrowed[from * width..].chunks_exact(width);
                for (line, weight) in lines.zip(&taps.weights) {
                    for (value, pixel) in out.iter_mut().zip(line) {
                        *value += pixel * weight;
                    }
                }
            });
        });
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::synthetic;

    const FILTERS: [Filter; 3] = [Filter::Lanczos3, Filter::CatmullRom, Filter::Area];

    fn whole(size: (u32, u32)) -> Rect {
        Rect::new(0, 0, size.0, size.1)
    }

    fn resize(filter: Filter, source: &Planes, output: (u32, u32)) -> Planes {
        let input = (source.width() as u32, source.height() as u32);
        let pool = Pool::new(2).unwrap();
        let resampler = Resampler::new(filter, input, output);
        resampler.apply(source, whole(input), whole(output), &pool).unwrap()
    }

    #[test]
    fn a_flat_picture_stays_flat_at_any_size() {
        let mut flat = Planes::zeros(1, 5, 7);
        flat.data_mut().fill(0.25);
        for filter in FILTERS {
            for size in [(1, 1), (3, 2), (7, 5), (20, 31)] {
                let result = resize(filter, &flat, size);
                let worst = result.data().iter().map(|v| (v - 0.25).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-6, "{filter:?} to {size:?}: {worst}");
            }
        }
    }

    #[test]
    fn equal_size_returns_the_picture() {
        let picture = synthetic::scene(19, 11, 3);
        for filter in FILTERS {
            let result = resize(filter, &picture, (19, 11));
            let pairs = result.data().iter().zip(picture.data());
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "{filter:?}: {worst}");
        }
    }

    #[test]
    fn a_ramp_keeps_its_slope_inside() {
        let ramp = (0..32).map(|x| x as f32 / 32.0).collect();
        let ramp = Planes::from_vec(1, 1, 32, ramp).unwrap();
        // Output pixel i lies at (i + 1/2) / factor - 1/2 of the input. Lanczos does not
        // reproduce a ramp exactly; its ripple stays below a fortieth of the step of 1/32.
        for (filter, tolerance) in
            [(Filter::CatmullRom, 1e-6), (Filter::Lanczos3, 1.0 / 32.0 / 40.0)]
        {
            let result = resize(filter, &ramp, (64, 1));
            for (i, value) in result.data().iter().enumerate().skip(12).take(40) {
                let wanted = ((i as f32 + 0.5) / 2.0 - 0.5) / 32.0;
                assert!((value - wanted).abs() < tolerance, "{filter:?} {i}: {value} {wanted}");
            }
        }
    }

    #[test]
    fn area_is_the_exact_mean() {
        let data = (0..24).map(|v| v as f32).collect();
        let picture = Planes::from_vec(1, 4, 6, data).unwrap();
        assert_eq!(
            resize(Filter::Area, &picture, (3, 2)).data(),
            [3.5, 5.5, 7.5, 15.5, 17.5, 19.5]
        );
        // 6 columns to 4: each covers one and a half.
        let row = Planes::from_vec(1, 1, 6, vec![0.0, 3.0, 6.0, 9.0, 12.0, 15.0]).unwrap();
        assert_eq!(resize(Filter::Area, &row, (4, 1)).data(), [1.0, 5.0, 10.0, 14.0]);
    }

    #[test]
    fn making_smaller_does_not_alias() {
        // Stripes one pixel wide hold nothing that a picture of a quarter of the size can show.
        let stripes = (0..64 * 8).map(|i| (i % 2) as f32).collect();
        let stripes = Planes::from_vec(1, 8, 64, stripes).unwrap();
        for filter in FILTERS {
            let result = resize(filter, &stripes, (16, 2));
            for value in &result.data()[3..13] {
                assert!((value - 0.5).abs() < 0.02, "{filter:?}: {value}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_region_is_bit_for_bit_the_same_place_of_the_whole(
            input in (1_u32..40, 1_u32..40),
            output in (1_u32..90, 1_u32..90),
            corner in (0.0_f64..1.0, 0.0_f64..1.0),
            extent in (0.0_f64..1.0, 0.0_f64..1.0),
            filter in prop::sample::select(&FILTERS[..]),
        ) {
            let source = synthetic::scene(input.0 as usize, input.1 as usize, 5);
            let pool = Pool::new(1).unwrap();
            let resampler = Resampler::new(filter, input, output);
            let all = resampler.apply(&source, whole(input), whole(output), &pool).unwrap();

            let x = (f64::from(output.0) * corner.0) as u32;
            let y = (f64::from(output.1) * corner.1) as u32;
            let width = 1 + (f64::from(output.0 - x - 1) * extent.0) as u32;
            let height = 1 + (f64::from(output.1 - y - 1) * extent.1) as u32;
            let region = Rect::new(x, y, width, height);
            let needed = resampler.input_rect(region);
            let part = source
                .crop(
                    needed.x as usize,
                    needed.y as usize,
                    needed.width as usize,
                    needed.height as usize,
                )
                .unwrap();
            let result = resampler.apply(&part, needed, region, &pool).unwrap();
            let wanted =
                all.crop(x as usize, y as usize, width as usize, height as usize).unwrap();
            prop_assert_eq!(result, wanted);
        }
    }

    #[test]
    fn a_source_that_lacks_pixels_is_refused() {
        let pool = Pool::new(1).unwrap();
        let resampler = Resampler::new(Filter::Lanczos3, (20, 20), (40, 40));
        let source = Planes::zeros(1, 4, 4);
        let placed = Rect::new(0, 0, 4, 4);
        assert!(resampler.apply(&source, placed, Rect::new(10, 10, 4, 4), &pool).is_err());
        assert!(resampler.apply(&source, placed, Rect::new(0, 0, 41, 1), &pool).is_err());
    }
}
