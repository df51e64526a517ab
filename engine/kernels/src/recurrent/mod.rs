//! Recurrent layers for streaming: one step at a time, or a whole sequence whose input part is one
//! matrix product over all steps, so that only the recurrent part is sequential.
//!
//! Weights are as PyTorch's `GRU` and `LSTM` store them. A bidirectional layer is two of them, one on
//! the reversed sequence.

mod cell;

use crate::aligned::AlignedBuf;
use crate::feature::padded;
use crate::{Feature, KernelError, RunContext, ShapeError};
use cell::{Cell, Kind};

/// A gated recurrent unit (Cho et al. 2014) as PyTorch computes it:
///
/// ```text
/// r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
/// z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
/// h = (1 - z) * n + z * h
/// ```
///
/// Gates are stored in the order `r`, `z`, `n`. ONNX's `GRU` stores `z`, `r`, `h`, and is this one
/// with `linear_before_reset = 1`; with 0, its default, it resets before the product, which is
/// another layer and not offered.
#[derive(Clone, Debug)]
pub struct Gru(Cell);

/// A long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000) as PyTorch computes
/// it, without peepholes:
///
/// ```text
/// i, f, o = sigmoid(W x + b_i + U h + b_h), each with its own weights
/// g = tanh(W_g x + b_ig + U_g h + b_hg)
/// c = f * c + i * g
/// h = o * tanh(c)
/// ```
///
/// Gates are stored in the order `i`, `f`, `g`, `o`; ONNX's `LSTM` stores `i`, `o`, `f`, `c`.
#[derive(Clone, Debug)]
pub struct Lstm(Cell);

/// What a recurrent layer carries from one step to the next, and its memory for one step.
#[derive(Clone, Debug)]
pub struct RecurrentState {
    units: usize,
    /// Padded, as all below.
    hidden: AlignedBuf,
    /// Empty but for an LSTM.
    cell: AlignedBuf,
    /// `[gates][units]`, of the input and of the state before.
    products: [AlignedBuf; 2],
}

impl RecurrentState {
    /// Back to zeros, where every sequence starts.
    pub fn reset(&mut self) {
        self.hidden.fill(0.0);
        self.cell.fill(0.0);
    }

    /// The output of the last step, one value a unit.
    #[must_use]
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[..self.units]
    }

    /// The same, to start a sequence elsewhere than at zero.
    pub fn hidden_mut(&mut self) -> &mut [f32] {
        &mut self.hidden[..self.units]
    }

    /// An LSTM's cell, one value a unit; of a GRU, nothing.
    #[must_use]
    pub fn cell(&self) -> &[f32] {
        &self.cell[..self.units.min(self.cell.len())]
    }

    /// The same, to start a sequence elsewhere than at zero.
    pub fn cell_mut(&mut self) -> &mut [f32] {
        let units = self.units.min(self.cell.len());
        &mut self.cell[..units]
    }
}

/// The methods that both layers share.
macro_rules! layer {
    ($layer:ident, $kind:expr) => {
        impl $layer {
            /// Packs the weights: of the input `[gates * units, inputs]`, of the state
            /// `[gates * units, units]`, and their biases `[gates * units]` each.
            ///
            /// # Errors
            /// [`ShapeError`] when there are no inputs or units, or weights are too many or too few.
            pub fn new(
                [inputs, units]: [usize; 2],
                weights: [&[f32]; 2],
                biases: Option<[&[f32]; 2]>,
            ) -> Result<Self, ShapeError> {
                Cell::new($kind, [inputs, units], weights, biases).map(Self)
            }

            /// A state of zeros.
            #[must_use]
            pub fn state(&self) -> RecurrentState {
                self.0.state()
            }

            /// One step on `input`, one value an input, on the calling thread; the output is
            /// [`RecurrentState::hidden`]. Allocates nothing, waits for nothing.
            ///
            /// # Errors
            /// [`ShapeError`] when the input or the state is another layer's.
            pub fn step(
                &self,
                input: &[f32],
                state: &mut RecurrentState,
            ) -> Result<(), ShapeError> {
                self.0.step(input, state)
            }

            /// All steps of `input`, `[inputs, h, w]` with a step for each pixel in order, from
            /// `state` on, which is the last step's afterwards. `output` takes the shape
            /// `[units, h, w]`; `between` holds the products of the input, keep it for the next run.
            /// The result is the same, bit for bit, for any number of threads; from that of single
            /// steps it may differ in rounding.
            ///
            /// # Errors
            /// [`KernelError::Shape`] when the input or the state is another layer's;
            /// [`KernelError::Cancelled`].
            pub fn run(
                &self,
                input: &Feature,
                state: &mut RecurrentState,
                between: &mut Feature,
                output: &mut Feature,
                cx: &RunContext<'_>,
            ) -> Result<(), KernelError> {
                self.0.run(input, state, between, output, cx)
            }
        }
    };
}

layer!(Gru, Kind::Gru);
layer!(Lstm, Kind::Lstm);

impl Cell {
    fn state(&self) -> RecurrentState {
        let units = padded(self.units);
        let zeros = AlignedBuf::zeros;
        let cell = if self.kind == Kind::Lstm { zeros(units) } else { AlignedBuf::new() };
        let products = [(); 2].map(|()| zeros(self.kind.gates() * units));
        RecurrentState { units: self.units, hidden: zeros(units), cell, products }
    }

    /// Whether a state is one of this layer's.
    fn check(&self, inputs: usize, state: &RecurrentState) -> Result<(), ShapeError> {
        if inputs != self.inputs {
            return Err(ShapeError(format!("{inputs} inputs for {}", self.inputs)));
        }
        let has_cell = !state.cell.is_empty();
        if state.units != self.units || has_cell != (self.kind == Kind::Lstm) {
            return Err(ShapeError(format!("a state of another layer than of {}", self.units)));
        }
        Ok(())
    }
}
