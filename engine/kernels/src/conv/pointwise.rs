//! 1 x 1 convolution: a matrix product over all pixels, whose inputs may lie in several features as
//! if they were joined.

use super::ConvSpec;
use crate::context::{SharedMut, channel_parts};
use crate::epilogue::Writer;
use crate::feature::{CHANNEL_BLOCK, padded};
use crate::gemm::{Micro, Packed, Panel};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, RunContext};

/// Pixels of one block of work.
const CHUNK: usize = 192;
/// No micro-kernel has more rows.
const MAX_ROWS: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    packed: Packed,
}

struct Block<'a> {
    packed: &'a Packed,
    panels: &'a [Panel],
    inputs: &'a [&'a Feature],
    writer: Writer<'a>,
    output: SharedMut,
    out_pixel: usize,
    pixels: std::ops::Range<usize>,
    /// Pixels of the whole feature.
    all_pixels: usize,
    scratch: &'a mut [f32],
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32], isa: Isa) -> Self {
        let (ins, outs) = (spec.in_channels, spec.out_channels);
        Self { packed: Packed::new(isa, 1, ins, outs, padded(outs), |_, k, n| weight[n * ins + k]) }
    }

    /// The inputs have one size, and as many channels together as the weights.
    pub(super) fn run(
        &self,
        isa: Isa,
        inputs: &[&Feature],
        output: &mut Feature,
        writer: Writer<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let all_pixels = output.height() * output.width();
        let out_pixel = output.pixel_stride();
        let panels = &self.packed.panels;
        let blocks = all_pixels.div_ceil(CHUNK);
        let parts = channel_parts(blocks, panels.len());
        let widest = panels.iter().map(|p| p.nr * isa.lanes()).max().unwrap_or(0);
        let deepest = inputs.iter().map(|input| input.pixel_stride()).max().unwrap_or(0);
        let output = output.shared_mut();
        cx.for_each_block(blocks * parts, MAX_ROWS * (widest + deepest), |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let block = Block {
                packed: &self.packed,
                panels: &panels[part * panels.len() / parts..(part + 1) * panels.len() / parts],
                inputs,
                writer,
                output,
                out_pixel,
                pixels: block * CHUNK..((block + 1) * CHUNK).min(all_pixels),
                all_pixels,
                scratch,
            };
            // SAFETY: blocks are disjoint ranges of output pixels or channels.
            unsafe { isa.run(block) }
        })?;
        Ok(())
    }
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let mut step = MAX_ROWS;
        for panel in self.panels {
            step = step.min(S::rows(panel.nr));
        }
        let mut first = self.pixels.start;
        while first < self.pixels.end {
            let count = step.min(self.pixels.end - first);
            for i in 0..self.panels.len() {
                // SAFETY: the pixels are this block's own.
                unsafe { self.group::<S>(self.panels[i], first, count) }
            }
            first += count;
        }
    }
}

impl Block<'_> {
    /// Computes `count` pixels from `first` on for one panel of output channels.
    ///
    /// # Safety
    /// The pixels lie inside the output, and no one else writes these channels of them.
    #[inline(always)]
    unsafe fn group<S: Simd>(&mut self, panel: Panel, first: usize, count: usize) {
        let width = panel.nr * S::LANES;
        let (sums, patch) = self.scratch.split_at_mut(MAX_ROWS * width);
        let target = self.output.get().wrapping_add(first * self.out_pixel + panel.channel);
        for m in 0..count {
            for c in (0..width).step_by(CHANNEL_BLOCK) {
                S::prefetch_to_write(target.wrapping_add(m * self.out_pixel + c));
            }
        }
        let mut depth = 0;
        for input in self.inputs {
            let pixel = input.pixel_stride();
            let a = if first + MAX_ROWS <= self.all_pixels {
                let a = input.as_ptr().wrapping_add(first * pixel);
                let ahead = a.wrapping_add(3 * MAX_ROWS * pixel);
                for line in (0..count * pixel).step_by(CHANNEL_BLOCK) {
                    S::prefetch(ahead.wrapping_add(line));
                }
                a
            } else {
                // the micro-kernel reads whole groups of rows, past the last pixel
                let rest = &input.data()[first * pixel..];
                patch[..rest.len()].copy_from_slice(rest);
                patch.as_ptr()
            };
            // SAFETY: `MAX_ROWS` pixels are readable from `a` on and writable in the sums; the
            // weights of this input start where those of the inputs before end.
            unsafe {
                S::micro(
                    panel.nr,
                    &Micro {
                        a,
                        row_stride: pixel,
                        taps: [1, 1],
                        tap_stride: [0, 0],
                        depth: input.channels(),
                        last_depth: input.channels(),
                        b: self.packed.slice::<S>(panel, 0).add(depth * width),
                        c: sums.as_mut_ptr(),
                        c_row: width,
                        c_vector: S::LANES,
                        adds: depth > 0,
                    },
                );
            }
            depth += input.channels();
        }
        for n in 0..panel.nr {
            let mut m = 0;
            while m < count {
                // SAFETY: rows below `count` are pixels of this block.
                unsafe {
                    m += if m + 4 <= count {
                        self.write::<S, 4>(panel, n, first, m)
                    } else if m + 2 <= count {
                        self.write::<S, 2>(panel, n, first, m)
                    } else {
                        self.write::<S, 1>(panel, n, first, m)
                    };
                }
            }
        }
    }

    /// Finishes and writes vector `n` of the panel for pixels `first + m` and `N - 1` more; hands
    /// back `N`.
    ///
    /// # Safety
    /// As for [`Block::group`], whose sums are in the scratch.
    #[inline(always)]
    unsafe fn write<S: Simd, const N: usize>(
        &self,
        panel: Panel,
        n: usize,
        first: usize,
        m: usize,
    ) -> usize {
        let width = panel.nr * S::LANES;
        let channel = panel.channel + n * S::LANES;
        let offset = (first + m) * self.out_pixel + channel;
        // SAFETY: the caller's promise.
        unsafe {
            let sums = S::load_each(self.scratch.as_ptr().add(m * width + n * S::LANES), width);
            let values: [S; N] = self.writer.finish(sums, channel, offset, self.out_pixel);
            for i in 0..N {
                values[i].store(self.output.get().add(offset + i * self.out_pixel));
            }
        }
        N
    }
}
