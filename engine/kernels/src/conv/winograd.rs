//! Winograd convolution (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016)
//! of 3 x 3 kernels, in two sizes of tile.
//!
//! F(4x4, 3x3): tiles of 6 x 6 inputs give 4 x 4 outputs with 36 products a channel pair instead of
//! 144. The interpolation points are 0, +-sqrt 2, +-1/sqrt 2 and infinity rather than Lavin's 0, +-1,
//! +-2: the transforms' entries stay small, which saves about a decimal digit.
//!
//! F(2x2, 3x3), points 0, +-1 and infinity: tiles of 4 x 4 inputs give 2 x 2 outputs with 16 products
//! instead of 36. Its weights take less than half the memory and its error is a fifth: for layers so
//! deep that reading the weights is what takes the time, and for weights the larger tile would round
//! too coarsely.

use super::ConvSpec;
use crate::context::{Crew, SharedMut};
use crate::epilogue::Writer;
use crate::feature::padded;
use crate::gemm::{Micro, Packed, Panel};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError};

/// Tiles of one block of work: a multiple of every micro-kernel's rows, and few enough that a
/// block's transformed inputs and outputs stay in the second-level cache beside the weights.
const fn block_tiles(patch: usize) -> usize {
    if patch == 6 { 24 } else { 48 }
}

/// Vectors from one point to the next in the scratch, one more than needed: points a power of two
/// apart would share cache sets.
const fn slots(patch: usize) -> usize {
    block_tiles(patch) + 1
}

/// Points of the Winograd domain for tiles of `patch` x `patch` inputs.
const fn points(patch: usize) -> usize {
    patch * patch
}

const SQRT_2: f32 = std::f32::consts::SQRT_2;
const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// Slices are the points of the Winograd domain.
    packed: Packed,
    /// Outputs of a tile, each way: 4 or 2.
    tile: usize,
}

/// Sizes that all blocks share.
struct Plan<'a> {
    spec: &'a ConvSpec,
    packed: &'a Packed,
    input: &'a Feature,
    height: usize,
    width: usize,
    /// Outputs of a tile, each way.
    tile: usize,
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

/// The rows of `g`: `[1, p, p^2]` for each point, divided by the product of its differences to the
/// other points.
fn kernel_rows(patch: usize) -> Vec<[f64; 3]> {
    let (a, b) = (2f64.sqrt(), 0.5f64.sqrt());
    if patch == 4 {
        return vec![[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    }
    vec![
        [1.0, 0.0, 0.0],
        [1.0 / 6.0, a / 6.0, 2.0 / 6.0],
        [1.0 / 6.0, -a / 6.0, 2.0 / 6.0],
        [-2.0 / 3.0, -2.0 * b / 3.0, -1.0 / 3.0],
        [-2.0 / 3.0, 2.0 * b / 3.0, -1.0 / 3.0],
        [0.0, 0.0, 1.0],
    ]
}

/// `g w g^T` for one 3 x 3 kernel, in f64, rounded once.
pub(super) fn transform_kernel(kernel: &[f32], patch: usize) -> Vec<f32> {
    let g = kernel_rows(patch);
    let entry = |i: usize, j: usize| -> f64 {
        (0..9).map(|t| g[i][t / 3] * f64::from(kernel[t]) * g[j][t % 3]).sum()
    };
    (0..points(patch)).map(|point| entry(point / patch, point % patch) as f32).collect()
}

/// One dimension of the input transform.
#[inline(always)]
pub(super) fn transform_input<S: Simd, const PATCH: usize>(d: [S; PATCH]) -> [S; PATCH] {
    let mut points = [S::zero(); PATCH];
    if PATCH == 4 {
        points[0] = d[0].sub(d[2]);
        points[1] = d[1].add(d[2]);
        points[2] = d[2].sub(d[1]);
        points[3] = d[3].sub(d[1]);
        return points;
    }
    let (half, two, root) = (S::splat(0.5), S::splat(2.0), S::splat(SQRT_2));
    let (half_root, five_halves) = (S::splat(SQRT_HALF), S::splat(2.5));
    let t = d[2].neg_mul_add(half, d[4]);
    let u = d[1].neg_mul_add(half, d[3]);
    let v = d[2].neg_mul_add(two, d[4]);
    let w = d[1].neg_mul_add(two, d[3]);
    points[0] = d[2].neg_mul_add(five_halves, d[0].add(d[4]));
    points[1] = u.mul_add(root, t);
    points[2] = u.neg_mul_add(root, t);
    points[3] = w.mul_add(half_root, v);
    points[4] = w.neg_mul_add(half_root, v);
    points[5] = d[3].neg_mul_add(five_halves, d[1].add(d[5]));
    points
}

/// One dimension of the output transform.
#[inline(always)]
pub(super) fn transform_output<S: Simd, const TILE: usize, const PATCH: usize>(
    m: [S; PATCH],
) -> [S; TILE] {
    let mut y = [S::zero(); TILE];
    if PATCH == 4 {
        y[0] = m[0].add(m[1]).add(m[2]);
        y[1] = m[1].sub(m[2]).add(m[3]);
        return y;
    }
    let (half, two, root) = (S::splat(0.5), S::splat(2.0), S::splat(SQRT_2));
    let (half_root, two_root, quarter_root) =
        (S::splat(SQRT_HALF), S::splat(2.0 * SQRT_2), S::splat(0.5 * SQRT_HALF));
    let (s, d) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (t, e) = (m[3].add(m[4]), m[3].sub(m[4]));
    y[0] = m[0].add(s).add(t);
    y[1] = d.mul_add(root, e.mul(half_root));
    y[2] = s.mul_add(two, t.mul(half));
    y[3] = d.mul_add(two_root, e.mul_add(quarter_root, m[5]));
    y
}

/// Entry `y` of each column.
#[inline(always)]
fn across<S: Simd, const ROWS: usize, const PATCH: usize>(
    columns: &[[S; ROWS]; PATCH],
    y: usize,
) -> [S; PATCH] {
    let mut row = [S::zero(); PATCH];
    for x in 0..PATCH {
        row[x] = columns[x][y];
    }
    row
}

impl Weights {
    /// Packs for tiles of `tile` x `tile` outputs, 4 or 2.
    pub(super) fn new(spec: &ConvSpec, weight: &[f32], isa: Isa, tile: usize) -> Self {
        let (ins, outs) = (spec.in_channels, spec.out_channels);
        let patch = tile + 2;
        let points: Vec<f32> =
            weight.chunks_exact(9).flat_map(|kernel| transform_kernel(kernel, patch)).collect();
        let count = patch * patch;
        let packed = Packed::new(isa, count, ins, outs, padded(outs), |point, k, n| {
            points[(n * ins + k) * count + point]
        });
        Self { packed, tile }
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
        let (tile, patch) = (self.tile, self.tile + 2);
        let tiles_x = width.div_ceil(tile);
        let tiles = height.div_ceil(tile) * tiles_x;
        let widest = self.packed.panels.iter().map(|p| p.nr).max().unwrap_or(0);
        let packed = &self.packed;
        let plan = Plan { spec, packed, input, height, width, tile, tiles_x, writer };
        let pixel = input.pixel_stride();
        let scratch = points(patch) * (slots(patch) * (pixel + widest * isa.lanes()) + pixel);
        let shared = output.shared_mut();
        let in_block = block_tiles(patch);
        let blocks = tiles.div_ceil(in_block);
        let panels = &self.packed.panels;
        let parts = crew.channel_parts(blocks, panels.len());
        crew.for_each_block(blocks * parts, scratch, |index, scratch| {
            let (block, part) = (index / parts, index % parts);
            let tiles = block * in_block..((block + 1) * in_block).min(tiles);
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
        // SAFETY: the caller's promise.
        unsafe {
            match self.plan.tile {
                4 => self.tiles::<S, 4, 6>(),
                _ => self.tiles::<S, 2, 4>(),
            }
        }
    }
}

impl Block<'_> {
    /// All tiles of the block, `TILE` outputs and `PATCH` inputs each way.
    ///
    /// # Safety
    /// As [`Task::run`]; the sizes are the plan's.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const TILE: usize, const PATCH: usize>(self) {
        let (points, slots) = (const { points(PATCH) }, const { slots(PATCH) });
        let Self { plan, output, tiles, panels, scratch } = self;
        let vectors = plan.packed.depth.div_ceil(S::LANES);
        let (inputs, rest) = scratch.split_at_mut(points * slots * plan.input.pixel_stride());
        let (patch, outputs) = rest.split_at_mut(points * plan.input.pixel_stride());
        for (slot, tile) in tiles.clone().enumerate() {
            // SAFETY: the scratch holds a slot for each tile of a block.
            unsafe { load_tile::<S, TILE, PATCH>(plan, tile, slot, inputs, patch) }
        }
        for &panel in panels {
            for point in 0..points {
                for slot in (0..tiles.len()).step_by(S::rows(panel.nr)) {
                    // SAFETY: the rows are slots of the scratch.
                    unsafe {
                        let at = (point * slots + slot) * S::LANES;
                        S::micro(
                            panel.nr,
                            &Micro {
                                rows: S::rows(panel.nr).min(tiles.len() - slot),
                                a: inputs.as_ptr().add(at),
                                row_stride: S::LANES,
                                taps: [1, vectors],
                                tap_stride: [0, points * slots * S::LANES],
                                depth: S::LANES,
                                last_depth: plan.packed.depth - (vectors - 1) * S::LANES,
                                b: plan.packed.slice::<S>(panel, point),
                                c: outputs.as_mut_ptr().add(at),
                                c_row: S::LANES,
                                c_vector: points * slots * S::LANES,
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
                        let sums = outputs.as_ptr().add((n * points * slots + slot) * S::LANES);
                        store_tile::<S, TILE, PATCH>(
                            plan,
                            tile,
                            sums,
                            panel.channel + n * S::LANES,
                            output,
                        );
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
unsafe fn load_tile<S: Simd, const TILE: usize, const PATCH: usize>(
    plan: &Plan<'_>,
    tile: usize,
    slot: usize,
    inputs: &mut [f32],
    patch: &mut [f32],
) {
    let (points, slots) = (const { points(PATCH) }, const { slots(PATCH) });
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
        copy_patch(plan.input, patch, top, left, PATCH);
        (&*patch, PATCH * pixel)
    };
    for c in (0..plan.spec.in_channels).step_by(S::LANES) {
        // SAFETY: `PATCH` x `PATCH` pixels from `from` on lie inside the input or the patch, and `c` starts a
        // whole vector of a pixel; the slot lies inside `inputs`.
        unsafe {
            let source = from.as_ptr().add(c);
            let target = inputs.as_mut_ptr().add(c * points * slots + slot * S::LANES);
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
                    row[x].store(target.add((y * PATCH + x) * slots * S::LANES));
                }
            }
        }
    }
}

/// Copies the `size` x `size` pixels at (`left`, `top`), with zeros where that lies outside the input.
fn copy_patch(input: &Feature, patch: &mut [f32], top: isize, left: isize, size: usize) {
    let pixel = input.pixel_stride();
    for (i, to) in patch.chunks_exact_mut(pixel).take(size * size).enumerate() {
        let (y, x) = (top + (i / size) as isize, left + (i % size) as isize);
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
/// `sums` points at a vector for each point, a slot's distance apart; no one else writes this tile.
#[inline(always)]
unsafe fn store_tile<S: Simd, const TILE: usize, const PATCH: usize>(
    plan: &Plan<'_>,
    tile: usize,
    sums: *const f32,
    channel: usize,
    output: SharedMut,
) {
    let slots = const { slots(PATCH) };
    let (top, left) = (tile / plan.tiles_x * TILE, tile % plan.tiles_x * TILE);
    let pixel = padded(plan.spec.out_channels);
    // SAFETY: the caller's promise; rows and columns are cut at the output's size.
    unsafe {
        let mut columns = [[S::zero(); TILE]; PATCH];
        for x in 0..PATCH {
            let column = sums.add(x * slots * S::LANES);
            columns[x] =
                transform_output::<S, TILE, PATCH>(S::load_each(column, PATCH * slots * S::LANES));
        }
        let count = TILE.min(plan.width - left);
        let first = output.get().wrapping_add((top * plan.width + left) * pixel + channel);
        for i in 0..TILE * TILE {
            let x = 2 * TILE + i % TILE;
            S::prefetch_to_write(first.wrapping_add((i / TILE * plan.width + x) * pixel));
        }
        for y in 0..TILE.min(plan.height - top) {
            let row = transform_output::<S, TILE, PATCH>(across(&columns, y));
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
        for (patch, at_1) in [(6, (1.0 + 2f64.sqrt() + 2.0) / 6.0), (4, 1.5)] {
            let found = transform_kernel(&[1.0; 9], patch);
            let close = |point: usize, wanted: f64| (f64::from(found[point]) - wanted).abs() < 1e-6;
            assert!(
                close(0, 1.0) && close(patch + 1, at_1 * at_1) && close(patch * patch - 1, 1.0)
            );
        }
    }
}
