//! One kernel for each channel: vectors run over the channels of a pixel.

use super::ConvSpec;
use crate::aligned::AlignedBuf;
use crate::context::{Crew, SharedMut};
use crate::epilogue::Writer;
use crate::feature::padded;
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError};

/// Outputs computed together, across and down: each input vector serves as many of them as it can.
const COLUMNS: usize = 4;
/// See [`COLUMNS`].
const ROWS: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// `[taps][channels]`, padded like a pixel.
    data: AlignedBuf,
}

/// A rectangle of outputs and where they go.
pub(super) struct Tile<'a> {
    pub(super) spec: &'a ConvSpec,
    pub(super) weights: &'a Weights,
    pub(super) input: &'a Feature,
    pub(super) writer: Writer<'a>,
    pub(super) rows: std::ops::Range<usize>,
    pub(super) columns: std::ops::Range<usize>,
    /// Columns of the whole output.
    pub(super) width: usize,
    /// Where the first output goes; pixels are as wide as the input's.
    pub(super) to: SharedMut,
    /// Values from one row of `to` to the next.
    pub(super) to_row: usize,
    /// Room for [`patch_len`] values.
    pub(super) patch: &'a mut [f32],
}

/// Values of scratch that a [`Tile`] needs for pixels of `pixel` values.
pub(super) fn patch_len(spec: &ConvSpec, pixel: usize) -> usize {
    (spec.kernel[0] + ROWS - 1) * (spec.kernel[1] + COLUMNS - 1) * pixel
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32]) -> Self {
        let taps = spec.kernel[0] * spec.kernel[1];
        let pixel = padded(spec.in_channels);
        let mut data = AlignedBuf::zeros(taps * pixel);
        for (channel, kernel) in weight.chunks_exact(taps).enumerate() {
            for (tap, value) in kernel.iter().enumerate() {
                data[tap * pixel + channel] = *value;
            }
        }
        Self { data }
    }

    pub(super) fn run(
        &self,
        spec: &ConvSpec,
        isa: Isa,
        input: &Feature,
        output: &mut Feature,
        writer: Writer<'_>,
        crew: Crew<'_>,
    ) -> Result<(), KernelError> {
        let (height, width) = (output.height(), output.width());
        let (pixel, to_row) = (output.pixel_stride(), width * output.pixel_stride());
        let output = output.shared_mut();
        let blocks = height.div_ceil(ROWS);
        crew.for_each_block(blocks, patch_len(spec, pixel), |block, patch| {
            let rows = block * ROWS..((block + 1) * ROWS).min(height);
            let to = SharedMut(output.get().wrapping_add(rows.start * to_row));
            let columns = 0..width;
            let weights = self;
            let tile =
                Tile { spec, weights, input, writer, rows, columns, width, to, to_row, patch };
            // SAFETY: each block writes its own rows.
            unsafe { isa.run(tile) }
        })?;
        Ok(())
    }
}

/// Taps `k` for which `start + k * dilation` lies in `0..size`.
#[inline(always)]
fn taps_inside(
    start: isize,
    dilation: usize,
    kernel: usize,
    size: usize,
) -> std::ops::Range<usize> {
    let step = dilation as isize;
    let first = if start < 0 { (-start + step - 1) / step } else { 0 };
    let end = if size as isize > start { (size as isize - start + step - 1) / step } else { 0 };
    let end = (end as usize).min(kernel);
    (first as usize).min(end)..end
}

impl Task for Tile<'_> {
    /// # Safety
    /// The rectangle lies inside the output, `to` has room for it and no one else writes there.
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let spec = self.spec;
        let plain = spec.stride == [1, 1] && spec.dilation == [1, 1];
        // SAFETY: the caller's promise; all outputs are in the rectangle.
        unsafe {
            match spec.kernel {
                [3, 3] if plain => self.groups::<S, 3>(),
                [5, 5] if plain => self.groups::<S, 5>(),
                _ => {
                    for y in self.rows.clone() {
                        for x in self.columns.clone() {
                            self.pixel::<S>(y, x);
                        }
                    }
                }
            }
        }
    }
}

impl Tile<'_> {
    /// All outputs of a kernel of `K` x `K`, in groups.
    ///
    /// # Safety
    /// As [`Task::run`]; stride and dilation are 1.
    #[inline(always)]
    unsafe fn groups<S: Simd, const K: usize>(&mut self) {
        let pixel = self.input.pixel_stride();
        let padding = self.spec.padding;
        let (in_height, in_width) = (self.input.height(), self.input.width());
        for y in self.rows.clone().step_by(ROWS) {
            let top = y as isize - padding.top as isize;
            let height = ROWS.min(self.rows.end - y);
            let rows_inside = top >= 0 && top as usize + K + ROWS - 1 <= in_height;
            for x in self.columns.clone().step_by(COLUMNS) {
                let left = x as isize - padding.left as isize;
                let width = COLUMNS.min(self.columns.end - x);
                let inside =
                    rows_inside && left >= 0 && left as usize + K + COLUMNS - 1 <= in_width;
                let (from, row) = if inside {
                    let start = (top as usize * in_width + left as usize) * pixel;
                    (self.input.as_ptr().wrapping_add(start), in_width * pixel)
                } else {
                    copy_patch(self.input, self.patch, top, left, K);
                    (self.patch.as_ptr(), (K + COLUMNS - 1) * pixel)
                };
                // SAFETY: what the group sees lies inside the input or the patch; its outputs in
                // the rectangle.
                unsafe {
                    if (height, width) == (ROWS, COLUMNS) {
                        self.group::<S, K, true>(y, x, from, row, height, width);
                    } else {
                        self.group::<S, K, false>(y, x, from, row, height, width);
                    }
                }
            }
        }
    }

    /// `height` x `width` outputs from (`x`, `y`) on, all of a group where it is `WHOLE`.
    ///
    /// # Safety
    /// The outputs lie in the rectangle; `K + ROWS - 1` rows, `row` values apart, of
    /// `K + COLUMNS - 1` pixels are readable from `from` on.
    #[inline(always)]
    unsafe fn group<S: Simd, const K: usize, const WHOLE: bool>(
        &self,
        y: usize,
        x: usize,
        from: *const f32,
        row: usize,
        height: usize,
        width: usize,
    ) {
        let pixel = self.input.pixel_stride();
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: the caller's promise; `c` starts a whole vector of the padded channels, and
            // there are weights for all of them.
            unsafe {
                let weights = self.weights.data.as_ptr().add(c);
                let [upper, lower] = sums::<S, K>(from.add(c), row, pixel, weights);
                let first = (y * self.width + x) * pixel + c;
                let second = first + self.width * pixel;
                let to = self.place(y, x, c);
                if WHOLE {
                    let upper = self.writer.finish(upper, c, first, pixel);
                    let lower = self.writer.finish(lower, c, second, pixel);
                    for i in 0..COLUMNS {
                        upper[i].store(to.add(i * pixel));
                    }
                    for i in 0..COLUMNS {
                        lower[i].store(to.add(self.to_row + i * pixel));
                    }
                    continue;
                }
                for i in 0..width {
                    let [value] = self.writer.finish([upper[i]], c, first + i * pixel, 0);
                    value.store(to.add(i * pixel));
                    if height == ROWS {
                        let [value] = self.writer.finish([lower[i]], c, second + i * pixel, 0);
                        value.store(to.add(self.to_row + i * pixel));
                    }
                }
            }
        }
    }

    /// Output (`x`, `y`) of any kernel.
    ///
    /// # Safety
    /// It lies in the rectangle.
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, y: usize, x: usize) {
        let spec = self.spec;
        let pixel = self.input.pixel_stride();
        let top = (y * spec.stride[0]) as isize - spec.padding.top as isize;
        let left = (x * spec.stride[1]) as isize - spec.padding.left as isize;
        let rows = taps_inside(top, spec.dilation[0], spec.kernel[0], self.input.height());
        let columns = taps_inside(left, spec.dilation[1], spec.kernel[1], self.input.width());
        for c in (0..pixel).step_by(S::LANES) {
            let mut sum = S::zero();
            for ky in rows.clone() {
                let y = (top + (ky * spec.dilation[0]) as isize) as usize;
                for kx in columns.clone() {
                    let x = (left + (kx * spec.dilation[1]) as isize) as usize;
                    // SAFETY: `taps_inside` keeps pixel and tap in range; `c` starts a whole
                    // vector of the padded channels.
                    unsafe {
                        let from = (y * self.input.width() + x) * pixel + c;
                        let value = S::load(self.input.as_ptr().add(from));
                        let tap = (ky * spec.kernel[1] + kx) * pixel + c;
                        sum = value.mul_add(S::load(self.weights.data.as_ptr().add(tap)), sum);
                    }
                }
            }
            // SAFETY: the output lies inside the rectangle and the output.
            unsafe {
                let offset = (y * self.width + x) * pixel + c;
                let [value] = self.writer.finish([sum], c, offset, 0);
                value.store(self.place(y, x, c));
            }
        }
    }

    /// Where channel `c` of output (`x`, `y`) goes.
    ///
    /// # Safety
    /// It lies in the rectangle.
    #[inline(always)]
    unsafe fn place(&self, y: usize, x: usize, c: usize) -> *mut f32 {
        let column = (x - self.columns.start) * self.input.pixel_stride();
        // SAFETY: `to` has room for the rectangle.
        unsafe { self.to.get().add((y - self.rows.start) * self.to_row + column + c) }
    }
}

/// Copies the pixels that a group with its first tap at (`left`, `top`) sees, with zeros where they
/// lie outside the input.
fn copy_patch(input: &Feature, patch: &mut [f32], top: isize, left: isize, kernel: usize) {
    let pixel = input.pixel_stride();
    let (rows, columns) = (kernel + ROWS - 1, kernel + COLUMNS - 1);
    for (i, to) in patch.chunks_exact_mut(pixel).take(rows * columns).enumerate() {
        let (y, x) = (top + (i / columns) as isize, left + (i % columns) as isize);
        let inside =
            y >= 0 && x >= 0 && (y as usize) < input.height() && (x as usize) < input.width();
        if inside {
            let from = (y as usize * input.width() + x as usize) * pixel;
            to.copy_from_slice(&input.data()[from..from + pixel]);
        } else {
            to.fill(0.0);
        }
    }
}

/// One vector of channels of a group's two rows of outputs. Written out tap by tap, because the
/// sums stay in registers only where every index is known when compiling.
///
/// # Safety
/// `K + ROWS - 1` rows, `row` values apart, of `K + COLUMNS - 1` pixels are readable from `from` on,
/// and `K` x `K` taps from `weights` on.
#[inline(always)]
unsafe fn sums<S: Simd, const K: usize>(
    from: *const f32,
    row: usize,
    pixel: usize,
    weights: *const f32,
) -> [[S; COLUMNS]; ROWS] {
    let mut upper = [S::zero(); COLUMNS];
    let mut lower = [S::zero(); COLUMNS];
    macro_rules! column {
        ($r:literal, $($i:literal)+) => {$(
            if $i < K + COLUMNS - 1 {
                // SAFETY: the caller's promise; a prefetch may point anywhere.
                let value = unsafe { S::load(from.add($r * row + $i * pixel)) };
                if $i >= K - 1 {
                    // what this strip reads four groups further on
                    S::prefetch(from.wrapping_add($r * row + ($i + 4 * COLUMNS) * pixel));
                }
                for kx in 0..K {
                    let to = $i.wrapping_sub(kx);
                    if to < COLUMNS {
                        // SAFETY: taps of the kernel.
                        unsafe {
                            if $r < K {
                                let weight = S::load(weights.add(($r * K + kx) * pixel));
                                upper[to] = value.mul_add(weight, upper[to]);
                            }
                            if (1..=K).contains(&$r) {
                                let weight = S::load(weights.add(($r.saturating_sub(1) * K + kx) * pixel));
                                lower[to] = value.mul_add(weight, lower[to]);
                            }
                        }
                    }
                }
            }
        )+};
    }
    macro_rules! rows {
        ($($r:literal)+) => {$(
            if $r < K + ROWS - 1 {
                column!($r, 0usize 1usize 2usize 3usize 4usize 5usize 6usize 7usize);
            }
        )+};
    }
    rows!(0usize 1usize 2usize 3usize 4usize 5usize);
    [upper, lower]
}
