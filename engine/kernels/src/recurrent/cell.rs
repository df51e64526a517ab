//! The weights of a recurrent layer, its two products and its gates.

use super::RecurrentState;
use crate::aligned::AlignedBuf;
use crate::context::SharedMut;
use crate::feature::padded;
use crate::gemm::{Micro, Packed};
use crate::simd::{Isa, Simd, Task};
use crate::{Feature, KernelError, RunContext, ShapeError};

/// Steps whose input part is one block of work, a multiple of [`WHOLE`].
const CHUNK: usize = 96;
/// Recurrent steps between two looks at the cancel flag.
const STEPS: usize = 256;
/// No micro-kernel has more rows.
const MAX_ROWS: usize = 12;
/// All micro-kernels' rows (6, 8 or 12) divide this.
const WHOLE: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gru,
    Lstm,
}

impl Kind {
    pub(super) fn gates(self) -> usize {
        match self {
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }
}

/// The units of a gate are padded like a pixel's channels, so that gates start on whole vectors.
/// Padding units have no weights and no biases: they are zero at every step.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) kind: Kind,
    pub(super) inputs: usize,
    pub(super) units: usize,
    isa: Isa,
    of_input: Packed,
    of_state: Packed,
    /// `[gates][padded units]`: where the sums of the state's product start.
    start: AlignedBuf,
    /// `[padded units]`: the bias of a GRU's `n` that stays outside the reset.
    outside: AlignedBuf,
    /// Zeros: where the sums of a step's input product start.
    zeros: AlignedBuf,
}

impl Cell {
    pub(super) fn new(
        kind: Kind,
        [inputs, units]: [usize; 2],
        [of_input, of_state]: [&[f32]; 2],
        biases: Option<[&[f32]; 2]>,
    ) -> Result<Self, ShapeError> {
        let gates = kind.gates();
        let outputs = units.checked_mul(gates).filter(|n| *n > 0);
        let fits = |n: usize, len: usize| outputs.and_then(|o| o.checked_mul(n)) == Some(len);
        let biases_fit = biases.is_none_or(|b| b.iter().all(|b| fits(1, b.len())));
        let weights_fit = fits(inputs, of_input.len()) && fits(units, of_state.len());
        if inputs == 0 || !weights_fit || !biases_fit {
            let (a, b) = (of_input.len(), of_state.len());
            let message = format!("{a} and {b} weights for {inputs} inputs and {units} units");
            return Err(ShapeError(message));
        }
        let isa = Isa::current();
        let padded_units = padded(units);
        let pack = |weight: &[f32], depth: usize| {
            Packed::new(isa, 1, depth, gates * padded_units, gates * padded_units, |_, k, n| {
                let (gate, unit) = (n / padded_units, n % padded_units);
                if unit < units { weight[(gate * units + unit) * depth + k] } else { 0.0 }
            })
        };
        let mut start = AlignedBuf::zeros(gates * padded_units);
        let mut outside = AlignedBuf::zeros(padded_units);
        if let Some([of_input, of_state]) = biases {
            for gate in 0..gates {
                for unit in 0..units {
                    let (a, b) = (of_input[gate * units + unit], of_state[gate * units + unit]);
                    let is_candidate = kind == Kind::Gru && gate == 2;
                    let start = &mut start[gate * padded_units + unit];
                    *start = if is_candidate { b } else { a + b };
                    if is_candidate {
                        outside[unit] = a;
                    }
                }
            }
        }
        Ok(Self {
            kind,
            inputs,
            units,
            isa,
            of_input: pack(of_input, inputs),
            of_state: pack(of_state, units),
            start,
            outside,
            zeros: AlignedBuf::zeros(gates * padded_units),
        })
    }

    fn width(&self) -> usize {
        self.kind.gates() * padded(self.units)
    }

    pub(super) fn step(&self, input: &[f32], state: &mut RecurrentState) -> Result<(), ShapeError> {
        self.check(input.len(), state)?;
        // SAFETY: the state was made for this cell, and the input has its length.
        unsafe { self.isa.run(Step { cell: self, input, state }) }
        Ok(())
    }

    pub(super) fn run(
        &self,
        input: &Feature,
        state: &mut RecurrentState,
        between: &mut Feature,
        output: &mut Feature,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        self.check(input.channels(), state)?;
        let [_, height, width] = input.shape();
        let steps = height * width;
        // whole micro-kernels write past the last step
        between.reset(self.width(), 1, steps.next_multiple_of(WHOLE))?;
        output.reset(self.units, height, width)?;
        let products = between.shared_mut();
        let scratch_len = MAX_ROWS * input.pixel_stride();
        cx.for_each_block(steps.div_ceil(CHUNK), scratch_len, |block, scratch| {
            let steps = block * CHUNK..((block + 1) * CHUNK).min(steps);
            // SAFETY: each block writes the products of its own steps, and past the last step of
            // all only the last block does.
            unsafe { self.isa.run(Products { cell: self, input, steps, products, scratch }) }
        })?;
        let (products, out_pixel) = (between.data(), output.pixel_stride());
        let target = output.shared_mut();
        for first in (0..steps).step_by(STEPS) {
            let state = std::sync::Mutex::new(&mut *state);
            cx.for_each_block(1, 0, |_, _| {
                let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let steps = first..(first + STEPS).min(steps);
                let sequence =
                    Sequence { cell: self, state: &mut state, products, steps, target, out_pixel };
                // SAFETY: the one block writes all of these steps.
                unsafe { self.isa.run(sequence) }
            })?;
        }
        Ok(())
    }
}

/// The input's products of some steps.
struct Products<'a> {
    cell: &'a Cell,
    input: &'a Feature,
    steps: std::ops::Range<usize>,
    products: SharedMut,
    scratch: &'a mut [f32],
}

impl Task for Products<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { cell, input, steps, products, scratch } = self;
        let (pixel, width) = (input.pixel_stride(), cell.width());
        for i in 0..cell.of_input.panels.len() {
            let panel = cell.of_input.panels[i];
            let rows = S::rows(panel.nr);
            debug_assert_eq!(WHOLE % rows, 0);
            for first in steps.clone().step_by(rows) {
                let rest = &input.data()[first * pixel..];
                let a = if rest.len() >= rows * pixel {
                    rest.as_ptr()
                } else {
                    // the micro-kernel reads whole groups of rows, past the last step
                    scratch[..rest.len()].copy_from_slice(rest);
                    scratch.as_ptr()
                };
                // SAFETY: `rows` steps are readable from `a` on; there is room for them in the
                // products, whose steps are a multiple of `rows` ([`WHOLE`]), as is the start of each block.
                unsafe {
                    S::micro(
                        panel.nr,
                        &Micro {
                            rows,
                            a,
                            row_stride: pixel,
                            taps: [1, 1],
                            tap_stride: [0, 0],
                            depth: cell.inputs,
                            last_depth: cell.inputs,
                            b: cell.of_input.slice::<S>(panel, 0),
                            c: products.get().add(first * width + panel.channel),
                            c_row: width,
                            c_vector: S::LANES,
                            adds: false,
                        },
                    );
                }
            }
        }
    }
}

/// One step by itself.
struct Step<'a> {
    cell: &'a Cell,
    input: &'a [f32],
    state: &'a mut RecurrentState,
}

impl Task for Step<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { cell, input, state } = self;
        let [products, _] = &mut state.products;
        // SAFETY: the caller's promise about input and state.
        unsafe {
            let to = products.as_mut_ptr();
            cell.of_input.row::<S>(input.as_ptr(), cell.zeros.as_ptr(), to);
            advance::<S>(cell, to, state);
        }
    }
}

/// The recurrent part of some steps.
struct Sequence<'a> {
    cell: &'a Cell,
    state: &'a mut RecurrentState,
    /// `[all steps][width]`.
    products: &'a [f32],
    steps: std::ops::Range<usize>,
    target: SharedMut,
    out_pixel: usize,
}

impl Task for Sequence<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { cell, state, products, steps, target, out_pixel } = self;
        for step in steps {
            let products = &products[step * cell.width()..][..cell.width()];
            // SAFETY: the caller's promise about state and target; a pixel is as long as the padded
            // units.
            unsafe {
                advance::<S>(cell, products.as_ptr(), state);
                let to = target.get().add(step * out_pixel);
                std::ptr::copy_nonoverlapping(state.hidden.as_ptr(), to, out_pixel);
            }
        }
    }
}

/// Takes the state one step on, given the input's products, `[gates][padded units]`.
///
/// # Safety
/// The state is one of this cell's, and there are as many products.
#[inline(always)]
unsafe fn advance<S: Simd>(cell: &Cell, of_input: *const f32, state: &mut RecurrentState) {
    let units = padded(cell.units);
    let hidden = state.hidden.as_mut_ptr();
    let of_state = state.products[1].as_mut_ptr();
    // SAFETY: the caller's promise; all buffers are whole vectors of padded units.
    unsafe {
        cell.of_state.row::<S>(hidden, cell.start.as_ptr(), of_state);
        for unit in (0..units).step_by(S::LANES) {
            let mut sums = [S::zero(); 4];
            for gate in 0..cell.kind.gates() {
                let at = gate * units + unit;
                sums[gate] = S::load(of_input.add(at)).add(S::load(of_state.add(at)));
            }
            let before = S::load(hidden.add(unit));
            let after = match cell.kind {
                Kind::Gru => {
                    let (reset, keep) = (sums[0].sigmoid(), sums[1].sigmoid());
                    let at = 2 * units + unit;
                    let input =
                        S::load(of_input.add(at)).add(S::load(cell.outside.as_ptr().add(unit)));
                    let candidate = tanh(reset.mul_add(S::load(of_state.add(at)), input));
                    keep.mul_add(before.sub(candidate), candidate)
                }
                Kind::Lstm => {
                    let (enter, keep) = (sums[0].sigmoid(), sums[1].sigmoid());
                    let at = state.cell.as_mut_ptr().add(unit);
                    let content = keep.mul(S::load(at));
                    let content = enter.mul_add(tanh(sums[2]), content);
                    content.store(at);
                    sums[3].sigmoid().mul(tanh(content))
                }
            };
            after.store(hidden.add(unit));
        }
    }
}

/// `tanh(x) = 2 sigmoid(2 x) - 1`.
#[inline(always)]
fn tanh<S: Simd>(x: S) -> S {
    x.add(x).sigmoid().mul_add(S::splat(2.0), S::splat(-1.0))
}
