//! 1 x 1 convolution: a matrix product over all pixels, whose inputs may lie in several features as
//! if they were joined.

use super::ConvSpec;
use crate::context::{Crew, SharedMut};
use crate::epilogue::Writer;
use crate::feature::{CHANNEL_BLOCK, padded};
use crate::gemm::{Micro, Packed, Panel};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError};

/// Pixels of one block of work.
const CHUNK: usize = 192;
/// No micro-kernel has more rows.
pub(super) const MAX_ROWS: usize = 12;
/// Up to this many input channels the sums are not worth a micro-kernel, nor their way through the
/// scratch.
const FEW: usize = 4;
/// Values of a pixel up to which the processor sees by itself what is read and written next, and
/// asking for every line takes longer than it saves.
const THIN: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    packed: Packed,
}

struct Block<'a> {
    weights: &'a Weights,
    panels: &'a [Panel],
    inputs: &'a [&'a Feature],
    sink: Sink<'a>,
    pixels: std::ops::Range<usize>,
    scratch: &'a mut [f32],
}

/// Where finished pixels go.
#[derive(Clone, Copy)]
pub(super) struct Sink<'a> {
    pub(super) writer: Writer<'a>,
    pub(super) output: SharedMut,
    pub(super) out_pixel: usize,
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32], isa: Isa) -> Self {
        let (ins, outs) = (spec.in_channels, spec.out_channels);
        Self { packed: Packed::new(isa, 1, ins, outs, padded(outs), |_, k, n| weight[n * ins + k]) }
    }

    pub(super) fn panels(&self) -> &[Panel] {
        &self.packed.panels
    }

    /// Most output channels of a panel.
    pub(super) fn widest(&self, isa: Isa) -> usize {
        self.packed.panels.iter().map(|p| p.nr * isa.lanes()).max().unwrap_or(0)
    }

    /// Sums of `count` pixels, at most [`Simd::rows`], for a panel of output channels, over input
    /// `channels`; added to what is there unless these are the first ones.
    ///
    /// # Safety
    /// `count` pixels `pixel` apart are readable from `a` on, which points at the first of
    /// `channels`; `sums` has room for as many rows of the panel.
    #[inline(always)]
    pub(super) unsafe fn sums<S: Simd>(
        &self,
        panel: Panel,
        a: *const f32,
        pixel: usize,
        count: usize,
        channels: std::ops::Range<usize>,
        sums: &mut [f32],
    ) {
        let width = panel.nr * S::LANES;
        // SAFETY: the caller's promise; the panel's weights have a row for each channel.
        unsafe {
            S::micro(
                panel.nr,
                &Micro {
                    rows: count,
                    a,
                    row_stride: pixel,
                    taps: [1, 1],
                    tap_stride: [0, 0],
                    depth: channels.len(),
                    last_depth: channels.len(),
                    b: self.packed.slice::<S>(panel, 0).add(channels.start * width),
                    c: sums.as_mut_ptr(),
                    c_row: width,
                    c_vector: S::LANES,
                    adds: channels.start > 0,
                },
            );
        }
    }

    /// The inputs have one size, and as many channels together as the weights.
    pub(super) fn run(
        &self,
        isa: Isa,
        inputs: &[&Feature],
        output: &mut Feature,
        writer: Writer<'_>,
        crew: Crew<'_>,
    ) -> Result<(), KernelError> {
        let all_pixels = output.height() * output.width();
        let out_pixel = output.pixel_stride();
        let panels = &self.packed.panels;
        let blocks = all_pixels.div_ceil(CHUNK);
        let parts = crew.channel_parts(blocks, panels.len());
        let widest = self.widest(isa);
        let output = output.shared_mut();
        crew.for_each_block(blocks * parts, MAX_ROWS * widest, |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let block = Block {
                weights: self,
                panels: &panels[part * panels.len() / parts..(part + 1) * panels.len() / parts],
                inputs,
                sink: Sink { writer, output, out_pixel },
                pixels: block * CHUNK..((block + 1) * CHUNK).min(all_pixels),
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
        if let &[input] = self.inputs
            && input.channels() <= FEW
        {
            for &panel in self.panels {
                for n in 0..panel.nr {
                    // SAFETY: the pixels are this block's own.
                    unsafe { self.few::<S>(panel, n, input) }
                }
            }
            return;
        }
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
    /// Vector `n` of a panel for all pixels of the block: the arithmetic of the micro-kernel, with
    /// the sums of a few pixels in registers all the way.
    ///
    /// # Safety
    /// The pixels lie inside the output, and no one else writes these channels of them.
    #[inline(always)]
    unsafe fn few<S: Simd>(&self, panel: Panel, n: usize, input: &Feature) {
        let mut first = self.pixels.start;
        while first < self.pixels.end {
            // SAFETY: the caller's promise.
            unsafe {
                first += if first + 8 <= self.pixels.end {
                    self.few_pixels::<S, 8>(panel, n, input, first)
                } else {
                    self.few_pixels::<S, 1>(panel, n, input, first)
                };
            }
        }
    }

    /// `N` pixels from `first` on of [`Block::few`]; hands back `N`.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn few_pixels<S: Simd, const N: usize>(
        &self,
        panel: Panel,
        n: usize,
        input: &Feature,
        first: usize,
    ) -> usize {
        let (pixel, width) = (input.pixel_stride(), panel.nr * S::LANES);
        let mut sums = [S::zero(); N];
        // SAFETY: the pixels lie inside the input; the panel has a row of weights for each channel.
        unsafe {
            let a = input.as_ptr().add(first * pixel);
            let weights = self.weights.packed.slice::<S>(panel, 0).add(n * S::LANES);
            for k in 0..input.channels() {
                let weight = S::load(weights.add(k * width));
                for m in 0..N {
                    sums[m] = S::splat(*a.add(m * pixel + k)).mul_add(weight, sums[m]);
                }
            }
            self.sink.finish::<S, N>(sums, panel.channel + n * S::LANES, first);
        }
        N
    }

    /// Computes `count` pixels from `first` on for one panel of output channels.
    ///
    /// # Safety
    /// The pixels lie inside the output, and no one else writes these channels of them.
    #[inline(always)]
    unsafe fn group<S: Simd>(&mut self, panel: Panel, first: usize, count: usize) {
        let sums = &mut *self.scratch;
        self.sink.prefetch::<S>(panel, first, count);
        let mut depth = 0;
        for input in self.inputs {
            let pixel = input.pixel_stride();
            let a = input.as_ptr().wrapping_add(first * pixel);
            if pixel > THIN {
                let ahead = a.wrapping_add(3 * MAX_ROWS * pixel);
                for line in (0..count * pixel).step_by(CHANNEL_BLOCK) {
                    S::prefetch(ahead.wrapping_add(line));
                }
            }
            let channels = depth..depth + input.channels();
            depth = channels.end;
            // SAFETY: the pixels lie inside the input; the sums have `MAX_ROWS` rows.
            unsafe { self.weights.sums::<S>(panel, a, pixel, count, channels, sums) }
        }
        // SAFETY: the caller's promise; the sums are written.
        unsafe { self.sink.write::<S>(panel, sums, first, count) }
    }
}

impl Sink<'_> {
    /// Asks for the lines that [`Sink::write`] will fill, to come while the sums are computed.
    #[inline(always)]
    pub(super) fn prefetch<S: Simd>(&self, panel: Panel, first: usize, count: usize) {
        if self.out_pixel <= THIN {
            return;
        }
        let target = self.output.get().wrapping_add(first * self.out_pixel + panel.channel);
        for m in 0..count {
            for c in (0..panel.nr * S::LANES).step_by(CHANNEL_BLOCK) {
                S::prefetch_to_write(target.wrapping_add(m * self.out_pixel + c));
            }
        }
    }

    /// Finishes and writes `count` pixels from `first` on for one panel of output channels.
    ///
    /// # Safety
    /// The pixels lie inside the output, no one else writes these channels of them, and `sums` has
    /// a row for each.
    #[inline(always)]
    pub(super) unsafe fn write<S: Simd>(
        &self,
        panel: Panel,
        sums: &[f32],
        first: usize,
        count: usize,
    ) {
        for n in 0..panel.nr {
            let mut m = 0;
            while m < count {
                // SAFETY: the caller's promise.
                unsafe {
                    m += if m + 4 <= count {
                        self.write_some::<S, 4>(panel, sums, n, first, m)
                    } else if m + 2 <= count {
                        self.write_some::<S, 2>(panel, sums, n, first, m)
                    } else {
                        self.write_some::<S, 1>(panel, sums, n, first, m)
                    };
                }
            }
        }
    }

    /// Vector `n` of the panel for pixels `first + m` and `N - 1` more; hands back `N`.
    ///
    /// # Safety
    /// As for [`Sink::write`].
    #[inline(always)]
    unsafe fn write_some<S: Simd, const N: usize>(
        &self,
        panel: Panel,
        sums: &[f32],
        n: usize,
        first: usize,
        m: usize,
    ) -> usize {
        let width = panel.nr * S::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let sums = S::load_each(sums.as_ptr().add(m * width + n * S::LANES), width);
            self.finish::<S, N>(sums, panel.channel + n * S::LANES, first + m);
        }
        N
    }

    /// Finishes and writes the vector at `channel` of `N` pixels from `first` on.
    ///
    /// # Safety
    /// They lie inside the output, and no one else writes them.
    #[inline(always)]
    unsafe fn finish<S: Simd, const N: usize>(&self, sums: [S; N], channel: usize, first: usize) {
        let offset = first * self.out_pixel + channel;
        // SAFETY: the caller's promise.
        unsafe {
            let values = self.writer.finish(sums, channel, offset, self.out_pixel);
            for i in 0..N {
                values[i].store(self.output.get().add(offset + i * self.out_pixel));
            }
        }
    }
}
