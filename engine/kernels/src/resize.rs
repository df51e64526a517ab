//! Resampling to another size, as networks define it: no filter against aliasing when shrinking.

use crate::context::SharedMut;
use crate::feature::Feature;
use crate::simd::{Isa, Simd, Task};
use crate::{KernelError, RunContext, ShapeError};

/// How values between pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A straight line between two pixels.
    Bilinear,
    /// Keys' cubic through four pixels with a = -3/4, as in PyTorch and ONNX.
    Bicubic,
    /// Lanczos with three lobes, six pixels, weights brought to a sum of 1.
    Lanczos3,
}

/// Where output pixels lie in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Pixels are areas: `(x + 1/2) * from / to - 1/2`.
    HalfPixel,
    /// Corner pixels lie on corner pixels: `x * (from - 1) / (to - 1)`.
    AlignCorners,
}

/// A resampling between two sizes, its weights computed once.
#[derive(Clone, Debug)]
pub struct Resize {
    from: [usize; 2],
    rows: Axis,
    columns: Axis,
}

/// For each output coordinate, the inputs it is made of and their weights.
#[derive(Clone, Debug)]
struct Axis {
    taps: usize,
    /// `[outputs][taps]`.
    table: Vec<(usize, f32)>,
}

struct Row<'a> {
    resize: &'a Resize,
    input: &'a Feature,
    output: SharedMut,
    row: usize,
    /// A row of the input's width.
    scratch: &'a mut [f32],
}

impl Filter {
    /// Pixels on each side.
    fn radius(self) -> isize {
        match self {
            Self::Bilinear => 1,
            Self::Bicubic => 2,
            Self::Lanczos3 => 3,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        let d = distance.abs();
        match self {
            Self::Bilinear => (1.0 - d).max(0.0),
            Self::Bicubic => {
                const A: f64 = -0.75;
                match d {
                    d if d <= 1.0 => ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0,
                    d if d < 2.0 => ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A,
                    _ => 0.0,
                }
            }
            Self::Lanczos3 => {
                let sinc = |x: f64| if x == 0.0 { 1.0 } else { x.sin() / x };
                let x = std::f64::consts::PI * d;
                if d < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
            }
        }
    }
}

impl Axis {
    fn new(filter: Filter, alignment: Alignment, from: usize, to: usize) -> Self {
        let radius = filter.radius();
        let mut table = Vec::with_capacity(to * 2 * radius as usize);
        for x in 0..to {
            let place = match alignment {
                Alignment::HalfPixel => (x as f64 + 0.5) * from as f64 / to as f64 - 0.5,
                Alignment::AlignCorners if to == 1 => 0.0,
                Alignment::AlignCorners => x as f64 * (from - 1) as f64 / (to - 1) as f64,
            };
            let first = place.floor() as isize + 1 - radius;
            let weights = (first..first + 2 * radius).map(|i| filter.weight(place - i as f64));
            let sum: f64 = weights.clone().sum();
            for (i, weight) in (first..).zip(weights) {
                // beyond the sides the nearest pixel repeats
                let i = i.clamp(0, from as isize - 1) as usize;
                table.push((i, (weight / sum) as f32));
            }
        }
        Self { taps: 2 * radius as usize, table }
    }

    fn len(&self) -> usize {
        self.table.len() / self.taps
    }

    fn of(&self, index: usize) -> &[(usize, f32)] {
        &self.table[index * self.taps..(index + 1) * self.taps]
    }
}

impl Resize {
    /// A resampling from `[height, width]` to `[height, width]`.
    ///
    /// # Errors
    /// [`ShapeError`] when a side is 0.
    pub fn new(
        filter: Filter,
        alignment: Alignment,
        from: [usize; 2],
        to: [usize; 2],
    ) -> Result<Self, ShapeError> {
        if from.into_iter().chain(to).any(|side| side == 0) {
            return Err(ShapeError(format!("no picture goes from {from:?} to {to:?}")));
        }
        let axis = |i: usize| Axis::new(filter, alignment, from[i], to[i]);
        Ok(Self { from, rows: axis(0), columns: axis(1) })
    }

    /// Resamples `input`, which has the size this was made for, into `output`.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the input has another size; [`KernelError::Cancelled`].
    pub fn run(
        &self,
        input: &Feature,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        if [input.height(), input.width()] != self.from {
            let message = format!("{:?} for a resampling from {:?}", input.shape(), self.from);
            return Err(ShapeError(message).into());
        }
        let height = self.rows.len();
        output.reset(input.channels(), height, self.columns.len())?;
        let output = output.shared_mut();
        cx.for_each_block(height, self.from[1] * input.pixel_stride(), |row, scratch| {
            let row = Row { resize: self, input, output, row, scratch };
            // SAFETY: each block writes its own row.
            unsafe { Isa::current().run(row) }
        })?;
        Ok(())
    }
}

impl Task for Row<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { resize, input, output, row, scratch } = self;
        let pixel = input.pixel_stride();
        let len = input.width() * pixel;
        for i in (0..len).step_by(S::LANES) {
            let mut sum = S::zero();
            for &(y, weight) in resize.rows.of(row) {
                // SAFETY: the table holds rows of the input; `i` starts a whole vector of it and of
                // the scratch.
                let value = unsafe { S::load(input.as_ptr().add(y * len + i)) };
                sum = value.mul_add(S::splat(weight), sum);
            }
            // SAFETY: as above.
            unsafe { sum.store(scratch.as_mut_ptr().add(i)) }
        }
        for x in 0..resize.columns.len() {
            for c in (0..pixel).step_by(S::LANES) {
                let mut sum = S::zero();
                for &(from, weight) in resize.columns.of(x) {
                    // SAFETY: the table holds columns of the input, which the scratch has too.
                    let value = unsafe { S::load(scratch.as_ptr().add(from * pixel + c)) };
                    sum = value.mul_add(S::splat(weight), sum);
                }
                let to = (row * resize.columns.len() + x) * pixel + c;
                // SAFETY: a pixel of this block's row.
                unsafe { sum.store(output.get().add(to)) }
            }
        }
    }
}
