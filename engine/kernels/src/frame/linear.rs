//! A matrix times a vector, or several of them side by side.

use super::check_activation;
use crate::aligned::AlignedBuf;
use crate::epilogue::activate;
use crate::feature::padded;
use crate::gemm::Packed;
use crate::simd::{Isa, Simd, Task};
use crate::{Activation, ShapeError};

/// Most values of a panel: four vectors of the widest kind.
const MAX_PANEL: usize = 64;

/// A linear layer whose inputs and outputs fall into groups that do not see each other, with an
/// activation behind it. One group is an ordinary linear layer.
#[derive(Clone, Debug)]
pub struct GroupedLinear {
    isa: Isa,
    groups: usize,
    inputs: usize,
    outputs: usize,
    /// A slice for each group.
    packed: Packed,
    /// `[groups][padded outputs]`.
    bias: AlignedBuf,
    activation: Activation<'static>,
}

impl GroupedLinear {
    /// Packs `weight`, `[groups, inputs, outputs]` with the inputs and outputs of one group, and
    /// `bias`, `[groups * outputs]`.
    ///
    /// # Errors
    /// [`ShapeError`] when a size is 0, weights or biases are too many or too few, or the activation
    /// has slopes.
    pub fn new(
        [groups, inputs, outputs]: [usize; 3],
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation<'static>,
    ) -> Result<Self, ShapeError> {
        check_activation(&activation)?;
        let all_outputs = groups.checked_mul(outputs).filter(|n| *n > 0);
        let wanted = all_outputs.and_then(|n| n.checked_mul(inputs)).filter(|n| *n > 0);
        let bias_fits = bias.is_none_or(|bias| Some(bias.len()) == all_outputs);
        if wanted != Some(weight.len()) || !bias_fits {
            let len = weight.len();
            let message = format!("{len} weights for {groups} groups of {inputs} to {outputs}");
            return Err(ShapeError(message));
        }
        let isa = Isa::current();
        let padded_outputs = padded(outputs);
        let packed = Packed::new(isa, groups, inputs, outputs, padded_outputs, |group, k, n| {
            weight[(group * inputs + k) * outputs + n]
        });
        let mut padded_bias = AlignedBuf::zeros(groups * padded_outputs);
        if let Some(bias) = bias {
            let rows = padded_bias.chunks_exact_mut(padded_outputs);
            for (to, from) in rows.zip(bias.chunks_exact(outputs)) {
                to[..outputs].copy_from_slice(from);
            }
        }
        Ok(Self { isa, groups, inputs, outputs, packed, bias: padded_bias, activation })
    }

    /// Values it takes, of all groups.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.groups * self.inputs
    }

    /// Values it gives, of all groups.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.groups * self.outputs
    }

    /// Fills `output` from `input`, group after group.
    ///
    /// # Errors
    /// [`ShapeError`] when a slice has another length than [`GroupedLinear::inputs`] or
    /// [`GroupedLinear::outputs`].
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), ShapeError> {
        if (input.len(), output.len()) != (self.inputs(), self.outputs()) {
            let (from, to) = (input.len(), output.len());
            return Err(ShapeError(format!(
                "{from} values to {to} in a layer of {} to {}",
                self.inputs(),
                self.outputs()
            )));
        }
        // SAFETY: the slices have the lengths of this layer.
        unsafe { self.isa.run(Run { layer: self, input, output }) }
        Ok(())
    }
}

struct Run<'a> {
    layer: &'a GroupedLinear,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Run<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { layer, input, output } = self;
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let mut sums = [0.0_f32; MAX_PANEL];
        for group in 0..layer.groups {
            // the last panels may hold nothing but padding
            for &panel in layer.packed.panels.iter().filter(|panel| panel.channel < outputs) {
                let width = panel.nr * S::LANES;
                debug_assert!(width <= MAX_PANEL);
                // SAFETY: a group has `inputs` values; the bias is padded like the panels, and the
                // sums have room for the widest of them.
                unsafe {
                    let start = layer.bias.as_ptr().add(group * padded(outputs) + panel.channel);
                    let from = input.as_ptr().add(group * inputs);
                    layer.packed.panel_row::<S>(panel, group, from, start, sums.as_mut_ptr());
                    for at in (0..width).step_by(S::LANES) {
                        let mut x = [S::load(sums.as_ptr().add(at))];
                        activate(&mut x, &layer.activation, 0);
                        x[0].store(sums.as_mut_ptr().add(at));
                    }
                }
                let count = width.min(outputs - panel.channel);
                let first = group * outputs + panel.channel;
                output[first..first + count].copy_from_slice(&sums[..count]);
            }
        }
    }
}
