//! Winograd F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks",
//! 2016): tiles of 6 x 6 inputs give 4 x 4 outputs with 36 products a channel pair instead of 144.
//!
//! The interpolation points are 0, +-sqrt 2, +-1/sqrt 2 and infinity rather than Lavin's 0, +-1,
//! +-2: the transforms' entries stay small, which saves about a decimal digit.

use super::ConvSpec;
use crate::context::{SharedMut, channel_parts};
use crate::epilogue::Writer;
use crate::feature::padded;
use crate::gemm::{Micro, Packed, Panel};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, RunContext};

/// Outputs of a tile, each way.
const TILE: usize = 4;
/// Inputs of a tile, each way.
const PATCH: usize = 6;
/// Points of the Winograd domain.
const POINTS: usize = PATCH * PATCH;
/// Tiles of one block of work: a multiple of every micro-kernel's rows, and small enough that a
/// block's transformed inputs and outputs stay in the second-level cache beside the weights.
const BLOCK: usize = 24;
/// Vectors from one point to the next in the scratch, one more than needed: points a power of two
/// apart would share cache sets.
const SLOTS: usize = BLOCK + 1;

const SQRT_2: f32 = std::f32::consts::SQRT_2;
const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// Slices are the points of the Winograd domain.
    packed: Packed,
}

/// Sizes that all blocks share.
struct Plan<'a> {
    spec: &'a ConvSpec,
    packed: &'a Packed,
    input: &'a Feature,
    height: usize,
    width: usize,
    /// Tiles in a row of tiles.
    tiles_x: usize,
    writer: Writer<'a>,
}

/// A block of tiles. The scratch holds transformed tiles as `[vector of channels][point][slot]`: the
/// matrix product reads a point's tiles as one run, and all distances are known when compiling.
struct Block<'a> {
    plan: &'a Plan<'a>,
    output: SharedMut,
    tiles: std::ops::Range<usize>,
    panels: &'a [Panel],
    scratch: &'a mut [f32],
}

/// `g w g^T` for one 3 x 3 kernel, in f64.
fn transform_kernel(kernel: [f64; 9]) -> [f64; POINTS] {
    let (a, b) = (2f64.sqrt(), 0.5f64.sqrt());
    // rows [1, p, p^2] / product of differences to the other points
    let g = [
        [1.0, 0.0, 0.0],
        [1.0 / 6.0, a / 6.0, 2.0 / 6.0],
        [1.0 / 6.0, -a / 6.0, 2.0 / 6.0],
        [-2.0 / 3.0, -2.0 * b / 3.0, -1.0 / 3.0],
        [-2.0 / 3.0, 2.0 * b / 3.0, -1.0 / 3.0],
        [0.0, 0.0, 1.0],
    ];
    let entry =
        |i: usize, j: usize| -> f64 { (0..9).map(|t| g[i][t / 3] * kernel[t] * g[j][t % 3]).sum() };
    std::array::from_fn(|point| entry(point / PATCH, point % PATCH))
}

/// One dimension of the input transform.
#[inline(always)]
fn transform_input<S: Simd>(d: [S; PATCH]) -> [S; PATCH] {
    let (half, two, root) = (S::splat(0.5), S::splat(2.0), S::splat(SQRT_2));
    let (half_root, five_halves) = (S::splat(SQRT_HALF), S::splat(2.5));
    let t = d[2].neg_mul_add(half, d[4]);
    let u = d[1].neg_mul_add(half, d[3]);
    let v = d[2].neg_mul_add(two, d[4]);
    let w = d[1].neg_mul_add(two, d[3]);
    [
        d[2].neg_mul_add(five_halves, d[0].add(d[4])),
        u.mul_add(root, t),
        u.neg_mul_add(root, t),
        w.mul_add(half_root, v),
        w.neg_mul_add(half_root, v),
        d[3].neg_mul_add(five_halves, d[1].add(d[5])),
    ]
}

/// One dimension of the output transform.
#[inline(always)]
fn transform_output<S: Simd>(m: [S; PATCH]) -> [S; TILE] {
    let (half, two, root) = (S::splat(0.5), S::splat(2.0), S::splat(SQRT_2));
    let (half_root, two_root, quarter_root) =
        (S::splat(SQRT_HALF), S::splat(2.0 * SQRT_2), S::splat(0.5 * SQRT_HALF));
    let (s, d) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (t, e) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(s).add(t),
        d.mul_add(root, e.mul(half_root)),
        s.mul_add(two, t.mul(half)),
        d.mul_add(two_root, e.mul_add(quarter_root, m[5])),
    ]
}

/// Entry `y` of each column.
#[inline(always)]
fn across<S: Simd, const ROWS: usize>(columns: &[[S; ROWS]; PATCH], y: usize) -> [S; PATCH] {
    let mut row = [S::zero(); PATCH];
    for x in 0..PATCH {
        row[x] = columns[x][y];
    }
    row
}

impl Weights {
    pub(super) fn new(spec: &ConvSpec, weight: &[f32], isa: Isa) -> Self {
        let (ins, outs) = (spec.in_channels, spec.out_channels);
        let points: Vec<[f64; POINTS]> = weight
            .chunks_exact(9)
            .map(|kernel| transform_kernel(std::array::from_fn(|i| f64::from(kernel[i]))))
            .collect();
        let packed = Packed::new(isa, POINTS, ins, outs, padded(outs), |point, k, n| {
            points[n * ins + k][point] as f32
        });
        Self { packed }
    }

    pub(super) fn run(
        &self,
        spec: &ConvSpec,
        isa: Isa,
        input: &Feature,
        output: &mut Feature,
        writer: Writer<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let (height, width) = (output.height(), output.width());
        let tiles_x = width.div_ceil(TILE);
        let tiles = height.div_ceil(TILE) * tiles_x;
        let widest = self.packed.panels.iter().map(|p| p.nr).max().unwrap_or(0);
        let plan = Plan { spec, packed: &self.packed, input, height, width, tiles_x, writer };
        let scratch = POINTS * SLOTS * (input.pixel_stride() + widest * isa.lanes())
            + POINTS * input.pixel_stride();
        let shared = output.shared_mut();
        let blocks = tiles.div_ceil(BLOCK);
        let panels = &self.packed.panels;
        let parts = channel_parts(blocks, panels.len());
        cx.for_each_block(blocks * parts, scratch, |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let tiles = block * BLOCK..((block + 1) * BLOCK).min(tiles);
            let panels = &panels[part * panels.len() / parts..(part + 1) * panels.len() / parts];
            let block = Block { plan: &plan, output: shared, tiles, panels, scratch };
            // SAFETY: blocks are disjoint ranges of output tiles or channels.
            unsafe { isa.run(block) }
        })?;
        Ok(())
    }
}

impl Task for Block<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { plan, output, tiles, panels, scratch } = self;
        let vectors = plan.packed.depth.div_ceil(S::LANES);
        let (inputs, rest) = scratch.split_at_mut(POINTS * SLOTS * plan.input.pixel_stride());
        let (patch, outputs) = rest.split_at_mut(POINTS * plan.input.pixel_stride());
        for (slot, tile) in tiles.clone().enumerate() {
            // SAFETY: the scratch holds `BLOCK` slots.
            unsafe { load_tile::<S>(plan, tile, slot, inputs, patch) }
        }
        for &panel in panels {
            for point in 0..POINTS {
                for slot in (0..tiles.len()).step_by(S::rows(panel.nr)) {
                    // SAFETY: `BLOCK` is a multiple of the rows, so that rows past the last tile
                    // still lie in the scratch; what they compute is not used.
                    unsafe {
                        let at = (point * SLOTS + slot) * S::LANES;
                        S::micro(
                            panel.nr,
                            &Micro {
                                a: inputs.as_ptr().add(at),
                                row_stride: S::LANES,
                                taps: [1, vectors],
                                tap_stride: [0, POINTS * SLOTS * S::LANES],
                                depth: S::LANES,
                                last_depth: plan.packed.depth - (vectors - 1) * S::LANES,
                                b: plan.packed.slice::<S>(panel, point),
                                c: outputs.as_mut_ptr().add(at),
                                c_row: S::LANES,
                                c_vector: POINTS * SLOTS * S::LANES,
                                adds: false,
                            },
                        );
                    }
                }
            }
            for (slot, tile) in tiles.clone().enumerate() {
                for n in 0..panel.nr {
                    // SAFETY: the slot's sums were written above; the tile is this block's own.
                    unsafe {
                        let sums = outputs.as_ptr().add((n * POINTS * SLOTS + slot) * S::LANES);
                        store_tile::<S>(plan, tile, sums, panel.channel + n * S::LANES, output);
                    }
                }
            }
        }
    }
}

/// Transforms the inputs of `tile` into its slot of the scratch.
///
/// # Safety
/// `inputs` holds the slot for every vector of channels, `patch` one pixel for each point.
#[inline(always)]
unsafe fn load_tile<S: Simd>(
    plan: &Plan<'_>,
    tile: usize,
    slot: usize,
    inputs: &mut [f32],
    patch: &mut [f32],
) {
    let pixel = plan.input.pixel_stride();
    let (height, width) = (plan.input.height(), plan.input.width());
    let padding = &plan.spec.padding;
    let top = (tile / plan.tiles_x * TILE) as isize - padding.top as isize;
    let left = (tile % plan.tiles_x * TILE) as isize - padding.left as isize;
    let inside =
        top >= 0 && left >= 0 && top as usize + PATCH <= height && left as usize + PATCH <= width;
    let (from, row_stride) = if inside {
        (&plan.input.data()[(top as usize * width + left as usize) * pixel..], width * pixel)
    } else {
        copy_patch(plan.input, patch, top, left);
        (&*patch, PATCH * pixel)
    };
    for c in (0..plan.spec.in_channels).step_by(S::LANES) {
        // SAFETY: 6 x 6 pixels from `from` on lie inside the input or the patch, and `c` starts a
        // whole vector of a pixel; the slot lies inside `inputs`.
        unsafe {
            let source = from.as_ptr().add(c);
            let target = inputs.as_mut_ptr().add(c * POINTS * SLOTS + slot * S::LANES);
            if inside {
                // the columns that are new two tiles further, while this tile keeps the core busy
                let ahead = source.wrapping_add((PATCH + TILE) * pixel);
                for i in 0..PATCH * TILE {
                    S::prefetch(ahead.wrapping_add(i / TILE * row_stride + i % TILE * pixel));
                }
            }
            let mut columns = [[S::zero(); PATCH]; PATCH];
            for x in 0..PATCH {
                let column = S::load_each(source.add(x * pixel), row_stride);
                columns[x] = transform_input(column);
            }
            for y in 0..PATCH {
                let row = transform_input(across(&columns, y));
                for x in 0..PATCH {
                    row[x].store(target.add((y * PATCH + x) * SLOTS * S::LANES));
                }
            }
        }
    }
}

/// Copies the 6 x 6 pixels at (`left`, `top`), with zeros where that lies outside the input.
fn copy_patch(input: &Feature, patch: &mut [f32], top: isize, left: isize) {
    let pixel = input.pixel_stride();
    for (i, to) in patch.chunks_exact_mut(pixel).take(POINTS).enumerate() {
        let (y, x) = (top + (i / PATCH) as isize, left + (i % PATCH) as isize);
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

/// Transforms one vector of channels of `tile` back and writes what lies inside the output.
///
/// # Safety
/// `sums` points at a vector for each point, `SLOTS` apart; no one else writes this tile.
#[inline(always)]
unsafe fn store_tile<S: Simd>(
    plan: &Plan<'_>,
    tile: usize,
    sums: *const f32,
    channel: usize,
    output: SharedMut,
) {
    let (top, left) = (tile / plan.tiles_x * TILE, tile % plan.tiles_x * TILE);
    let pixel = padded(plan.spec.out_channels);
    // SAFETY: the caller's promise; rows and columns are cut at the output's size.
    unsafe {
        let mut columns = [[S::zero(); TILE]; PATCH];
        for x in 0..PATCH {
            let column = sums.add(x * SLOTS * S::LANES);
            columns[x] = transform_output(S::load_each(column, PATCH * SLOTS * S::LANES));
        }
        let count = TILE.min(plan.width - left);
        let first = output.get().wrapping_add((top * plan.width + left) * pixel + channel);
        for i in 0..TILE * TILE {
            let x = 2 * TILE + i % TILE;
            S::prefetch_to_write(first.wrapping_add((i / TILE * plan.width + x) * pixel));
        }
        for y in 0..TILE.min(plan.height - top) {
            let row = transform_output(across(&columns, y));
            let offset = ((top + y) * plan.width + left) * pixel + channel;
            if count == TILE {
                let row = plan.writer.finish(row, channel, offset, pixel);
                for x in 0..TILE {
                    row[x].store(output.get().add(offset + x * pixel));
                }
            } else {
                for x in 0..count {
                    let offset = offset + x * pixel;
                    let [value] = plan.writer.finish([row[x]], channel, offset, 0);
                    value.store(output.get().add(offset));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_kernel_transforms_to_its_evaluation_at_the_points() {
        // at point p the polynomial 1 + p + p^2 divided by its denominator, squared in 2-D
        let points = transform_kernel([1.0; 9]);
        let at_root_2 = (1.0 + 2f64.sqrt() + 2.0) / 6.0;
        assert!((points[0] - 1.0).abs() < 1e-12);
        assert!((points[PATCH + 1] - at_root_2 * at_root_2).abs() < 1e-12);
        assert!((points[POINTS - 1] - 1.0).abs() < 1e-12);
    }
}
