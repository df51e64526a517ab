//! Direct convolution as an implicit matrix product: rows are neighbouring output pixels, the depth
//! is taps x input channels, read where they lie. Any kernel, stride, padding, dilation, groups.

use super::ConvSpec;
use crate::context::{Crew, SharedMut};
use crate::epilogue::Writer;
use crate::feature::{CHANNEL_BLOCK, padded};
use crate::gemm::{Micro, Packed};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError};

/// Output pixels of one block of work.
const CHUNK: usize = 192;
/// No micro-kernel has more rows.
const MAX_ROWS: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// One packing a group; slices are kernel taps.
    groups: Vec<Packed>,
}

/// Sizes that all blocks share.
struct Plan<'a> {
    spec: &'a ConvSpec,
    weights: &'a Weights,
    input: &'a Feature,
    height: usize,
    width: usize,
    /// Values from one row of taps to the next and from one tap to the next, in the input and in
    /// a patch.
    input_taps: [usize; 2],
    patch_taps: [usize; 2],
    /// Columns of a patch.
    span: usize,
    /// Values of a row of sums; the last group's padding may reach over the channels.
    sums_stride: usize,
    writer: Writer<'a>,
}

struct Block<'a> {
    plan: &'a Plan<'a>,
    output: SharedMut,
    row: usize,
    columns: std::ops::Range<usize>,
    /// Panels of each group, and the channels they write.
    panels: std::ops::Range<usize>,
    channels: std::ops::Range<usize>,
    scratch: &'a mut [f32],
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32], isa: Isa) -> Self {
        let taps = spec.kernel[0] * spec.kernel[1];
        let depth = spec.in_channels / spec.groups;
        let outs = spec.out_channels / spec.groups;
        let pack = |group: usize| {
            Packed::new(isa, taps, depth, outs, padded(outs), |tap, k, n| {
                weight[((group * outs + n) * depth + k) * taps + tap]
            })
        };
        Self { groups: (0..spec.groups).map(pack).collect() }
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
        let pixel = input.pixel_stride();
        let span = (MAX_ROWS - 1) * spec.stride[1] + (spec.kernel[1] - 1) * spec.dilation[1] + 1;
        let taps = |row: usize| [row * pixel, spec.dilation[1] * pixel];
        let (height, width) = (output.height(), output.width());
        let plan = Plan {
            spec,
            weights: self,
            input,
            height,
            width,
            input_taps: taps(spec.dilation[0] * input.width()),
            patch_taps: taps(span),
            span,
            sums_stride: padded(spec.out_channels) + padded(spec.out_channels / spec.groups),
            writer,
        };
        let patch_len = spec.kernel[0] * span * pixel;
        let chunks = width.div_ceil(CHUNK);
        let shared = output.shared_mut();
        let blocks = plan.height * chunks;
        let all = &self.groups[0].panels;
        // several groups share vectors of output channels, so that they stay together
        let parts = if spec.groups == 1 { crew.channel_parts(blocks, all.len()) } else { 1 };
        let scratch_len = patch_len + MAX_ROWS * plan.sums_stride;
        crew.for_each_block(blocks * parts, scratch_len, |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let start = block % chunks * CHUNK;
            let columns = start..(start + CHUNK).min(plan.width);
            let panels = part * all.len() / parts..(part + 1) * all.len() / parts;
            let end =
                if part + 1 == parts { padded(spec.out_channels) } else { all[panels.end].channel };
            let channels = all[panels.start].channel..end;
            let (plan, row) = (&plan, block / chunks);
            let block = Block { plan, output: shared, row, columns, panels, channels, scratch };
            // SAFETY: blocks are disjoint ranges of output pixels or channels.
            unsafe { isa.run(block) }
        })?;
        Ok(())
    }
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { plan, output, row, columns, panels, channels, scratch } = self;
        let spec = plan.spec;
        let (in_height, in_width) = (plan.input.height(), plan.input.width());
        let pixel = plan.input.pixel_stride();
        let out_pixel = padded(spec.out_channels);
        let (patch, sums) = scratch.split_at_mut(spec.kernel[0] * plan.span * pixel);
        let reach = [0, 1].map(|axis| (spec.kernel[axis] - 1) * spec.dilation[axis]);
        let top = (row * spec.stride[0]) as isize - spec.padding.top as isize;
        let rows_inside = top >= 0 && top as usize + reach[0] < in_height;
        let mut x = columns.start;
        let step = plan.weights.groups.iter().flat_map(|g| &g.panels).map(|p| S::rows(p.nr));
        // panels of different width have different heights; all of them do at least the least
        let step = step.min().unwrap_or(1);
        while x < columns.end {
            let count = step.min(columns.end - x);
            let left = (x * spec.stride[1]) as isize - spec.padding.left as isize;
            let span = (count - 1) * spec.stride[1] + reach[1] + 1;
            let inside = rows_inside && left >= 0 && left as usize + span <= in_width;
            // what this group writes and a later one reads comes while the sums are computed
            let first = output.get().wrapping_add((row * plan.width + x) * out_pixel);
            for m in 0..count {
                for c in channels.clone().step_by(CHANNEL_BLOCK) {
                    S::prefetch_to_write(first.wrapping_add(m * out_pixel + c));
                }
            }
            let (a, tap_stride) = if inside {
                let start = (top as usize * in_width + left as usize) * pixel;
                let ahead = step * spec.stride[1] * pixel;
                let next = start + 3 * ahead + (reach[1] + 1) * pixel;
                for ky in 0..spec.kernel[0] {
                    let next = next + ky * plan.input_taps[0];
                    for line in (next..next + ahead).step_by(CHANNEL_BLOCK) {
                        S::prefetch(plan.input.as_ptr().wrapping_add(line));
                    }
                }
                // SAFETY: the pixel lies inside the input.
                (unsafe { plan.input.as_ptr().add(start) }, plan.input_taps)
            } else {
                copy_patch(plan, patch, top, left, span);
                (patch.as_ptr(), plan.patch_taps)
            };
            for (group, packed) in plan.weights.groups.iter().enumerate() {
                for &panel in &packed.panels[panels.clone()] {
                    // SAFETY: `count` pixels and all taps lie inside the input or the patch;
                    // the sums have `MAX_ROWS` rows with room for the padding of the last group.
                    unsafe {
                        let c = group * (spec.out_channels / spec.groups) + panel.channel;
                        S::micro(
                            panel.nr,
                            &Micro {
                                rows: count,
                                a: a.add(group * packed.depth),
                                row_stride: spec.stride[1] * pixel,
                                taps: spec.kernel,
                                tap_stride,
                                depth: packed.depth,
                                last_depth: packed.depth,
                                b: packed.slice::<S>(panel, 0),
                                c: sums.as_mut_ptr().add(c),
                                c_row: plan.sums_stride,
                                c_vector: S::LANES,
                                adds: false,
                            },
                        );
                    }
                }
            }
            for c in channels.clone().step_by(S::LANES) {
                let mut m = 0;
                while m < count {
                    // SAFETY: the pixels lie inside the output and belong to this block.
                    unsafe {
                        let at = Place { plan, sums, row, x, m, c, output };
                        m += if m + 4 <= count {
                            at.write::<S, 4>()
                        } else if m + 2 <= count {
                            at.write::<S, 2>()
                        } else {
                            at.write::<S, 1>()
                        };
                    }
                }
            }
            x += count;
        }
    }
}

/// Where finished pixels go: pixel `x + m` and following of a row, channels from `c` on.
#[derive(Clone, Copy)]
struct Place<'a> {
    plan: &'a Plan<'a>,
    sums: &'a [f32],
    row: usize,
    x: usize,
    m: usize,
    c: usize,
    output: SharedMut,
}

impl Place<'_> {
    /// Finishes and writes one vector of `N` neighbouring pixels; hands back `N`.
    ///
    /// # Safety
    /// The pixels lie inside the output and no one else writes them.
    #[inline(always)]
    unsafe fn write<S: Simd, const N: usize>(self) -> usize {
        let Self { plan, sums, row, x, m, c, output } = self;
        let pixel = padded(plan.spec.out_channels);
        let offset = (row * plan.width + x + m) * pixel + c;
        // SAFETY: the caller's promise; the sums have a row for each pixel of the group.
        unsafe {
            let from = sums.as_ptr().add(m * plan.sums_stride + c);
            let values = S::load_each(from, plan.sums_stride);
            let values: [S; N] = plan.writer.finish(values, c, offset, pixel);
            for i in 0..N {
                values[i].store(output.get().add(offset + i * pixel));
            }
        }
        N
    }
}

/// Copies `span` columns of what some output pixels see, with zeros where that lies outside the
/// input.
fn copy_patch(plan: &Plan<'_>, patch: &mut [f32], top: isize, left: isize, span: usize) {
    let pixel = plan.input.pixel_stride();
    let (in_height, in_width) = (plan.input.height(), plan.input.width());
    let data = plan.input.data();
    for (ky, row) in patch.chunks_exact_mut(plan.span * pixel).enumerate() {
        let y = top + (ky * plan.spec.dilation[0]) as isize;
        if y < 0 || y >= in_height as isize {
            row[..span * pixel].fill(0.0);
            continue;
        }
        for (kx, to) in row.chunks_exact_mut(pixel).take(span).enumerate() {
            let x = left + kx as isize;
            if x < 0 || x >= in_width as isize {
                to.fill(0.0);
            } else {
                let from = (y as usize * in_width + x as usize) * pixel;
                to.copy_from_slice(&data[from..from + pixel]);
            }
        }
    }
}
