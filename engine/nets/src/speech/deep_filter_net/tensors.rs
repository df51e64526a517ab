//! The tensors of DeepFilterNet3, by the names its authors gave to its layers.

use limpid_kernels::frame::{BandConv, BandDense, BandStep, GroupedLinear};
use limpid_kernels::{Activation, Gru, ShapeError};

use crate::error::LoadError;
use crate::weights::Weights;

/// Channels of all convolutions.
pub(super) const CHANNELS: usize = 64;
/// Units of the recurrent layers.
pub(super) const UNITS: usize = 256;
/// Values that the encoder hands on: the channels of its last bands.
pub(super) const EMBEDDING: usize = 512;
/// Bands of equal width to the ear.
pub(super) const BANDS: usize = 32;
/// Lowest bins, which are filtered one by one.
pub(super) const BINS: usize = 96;
/// Frames that a bin's filter sees.
pub(super) const ORDER: usize = 5;

/// Names and shapes of all tensors. Kernels are `[out, in / groups, frames, bands]`, linear layers in
/// groups `[groups, in, out]`, gates of recurrent layers in PyTorch's order.
pub(crate) fn tensors() -> Vec<(String, Vec<usize>)> {
    let (c, bins) = (CHANNELS, 2 * ORDER);
    let mut all = Vec::new();
    let mut push = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));
    let biased: [(&str, [usize; 4]); 16] = [
        ("enc.erb_conv0", [c, 1, 3, 3]),
        ("enc.erb_conv1", [c, c, 1, 1]),
        ("enc.erb_conv2", [c, c, 1, 1]),
        ("enc.erb_conv3", [c, c, 1, 1]),
        ("enc.df_conv0", [c, c, 1, 1]),
        ("enc.df_conv1", [c, c, 1, 1]),
        ("erb_dec.conv3p", [c, 1, 1, 1]),
        ("erb_dec.conv2p", [c, 1, 1, 1]),
        ("erb_dec.conv1p", [c, 1, 1, 1]),
        ("erb_dec.conv0p", [c, 1, 1, 1]),
        ("erb_dec.convt3", [c, c, 1, 1]),
        ("erb_dec.convt2", [c, c, 1, 1]),
        ("erb_dec.convt1", [c, c, 1, 1]),
        ("erb_dec.conv0_out", [1, c, 1, 3]),
        ("df_dec.df_convp", [bins, bins, 1, 1]),
        ("enc.lsnr_fc", [1, EMBEDDING, 1, 1]),
    ];
    for (name, shape) in biased {
        push(format!("{name}.weight"), &shape);
        push(format!("{name}.bias"), &shape[..1]);
    }
    for (name, shape) in [
        ("enc.erb_conv1", [c, 1, 1, 3]),
        ("enc.erb_conv2", [c, 1, 1, 3]),
        ("enc.erb_conv3", [c, 1, 1, 3]),
        ("enc.df_conv0", [c, 1, 3, 3]),
        ("enc.df_conv1", [c, 1, 1, 3]),
        ("erb_dec.convt3", [c, 1, 1, 3]),
        ("erb_dec.convt2", [c, 1, 1, 3]),
        ("erb_dec.convt1", [c, 1, 1, 3]),
        ("df_dec.df_convp", [bins, c / 2, ORDER, 1]),
    ] {
        push(format!("{name}.separate.weight"), &shape);
    }
    for (name, shape) in [
        ("enc.df_fc_emb", [32, 96, 16]),
        ("enc.emb_gru.linear_in", [16, 32, 16]),
        ("enc.emb_gru.linear_out", [16, 16, 32]),
        ("erb_dec.emb_gru.linear_in", [16, 32, 16]),
        ("erb_dec.emb_gru.linear_out", [16, 16, 32]),
        ("df_dec.df_gru.linear_in", [8, 64, 32]),
        ("df_dec.df_skip", [16, 32, 16]),
        ("df_dec.df_out", [16, 16, 60]),
    ] {
        push(format!("{name}.weight"), &shape);
    }
    for name in RECURRENT {
        for part in ["weight_ih", "weight_hh"] {
            push(format!("{name}.{part}"), &[3 * UNITS, UNITS]);
        }
        for part in ["bias_ih", "bias_hh"] {
            push(format!("{name}.{part}"), &[3 * UNITS]);
        }
    }
    all
}

/// The recurrent layers.
pub(crate) const RECURRENT: [&str; 5] = [
    "enc.emb_gru.0",
    "erb_dec.emb_gru.0",
    "erb_dec.emb_gru.1",
    "df_dec.df_gru.0",
    "df_dec.df_gru.1",
];

/// Layers made of named tensors.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a Weights);

impl<'a> Source<'a> {
    /// A tensor's shape and values.
    pub(super) fn tensor(self, name: &str) -> Result<(&'a [usize], &'a [f32]), LoadError> {
        let tensor = self.0.tensor(name);
        let tensor = tensor.ok_or_else(|| LoadError::damaged(format!("there is no {name}")))?;
        Ok((&tensor.shape, &tensor.data))
    }

    pub(super) fn weight(self, layer: &str) -> Result<&'a [f32], LoadError> {
        Ok(self.tensor(&format!("{layer}.weight"))?.1)
    }

    pub(super) fn bias(self, layer: &str) -> Result<&'a [f32], LoadError> {
        Ok(self.tensor(&format!("{layer}.bias"))?.1)
    }

    /// A linear layer in groups, without bias.
    pub(super) fn linear(
        self,
        layer: &str,
        activation: Activation<'static>,
    ) -> Result<GroupedLinear, LoadError> {
        let (shape, data) = self.tensor(&format!("{layer}.weight"))?;
        let &[groups, inputs, outputs] = shape else {
            return Err(LoadError::damaged(format!("{layer} is no linear layer in groups")));
        };
        GroupedLinear::new([groups, inputs, outputs], data, None, activation).map_err(fault)
    }

    /// A 1 x 1 convolution from all channels to all, with bias and ReLU.
    pub(super) fn dense(self, layer: &str) -> Result<BandDense, LoadError> {
        let (weight, bias) = (self.weight(layer)?, self.bias(layer)?);
        BandDense::new([CHANNELS; 2], weight, Some(bias), Activation::Relu).map_err(fault)
    }

    /// The kernel of three bands before [`Source::dense`].
    pub(super) fn taps(self, layer: &str, step: BandStep) -> Result<BandConv, LoadError> {
        let weight = self.weight(&format!("{layer}.separate"))?;
        BandConv::new(CHANNELS, step, weight).map_err(fault)
    }

    pub(super) fn gru(self, layer: &str) -> Result<Gru, LoadError> {
        let part = |part: &str| Ok::<_, LoadError>(self.tensor(&format!("{layer}.{part}"))?.1);
        let weights = [part("weight_ih")?, part("weight_hh")?];
        let biases = [part("bias_ih")?, part("bias_hh")?];
        Gru::new([UNITS; 2], weights, Some(biases)).map_err(fault)
    }
}

/// A layer whose tensors do not fit it: shapes were checked when the file was read.
pub(super) fn fault(error: ShapeError) -> LoadError {
    LoadError::damaged(format!("the network's layers do not fit ({error})"))
}

/// The 1 x 1 kernel `mix`, `[out, middle]`, behind another one, `first`, `[middle, taps]` of which
/// group `g` of the middle channels sees inputs `g`: together `[out, groups, taps]`. There is nothing
/// between the two, so that one convolution does the work of both.
pub(super) fn join(mix: &[f32], first: &[f32], [out, middle, groups]: [usize; 3]) -> Vec<f32> {
    let taps = first.len() / middle;
    let mut joined = vec![0.0_f64; out * groups * taps];
    for (row, mix) in joined.chunks_exact_mut(groups * taps).zip(mix.chunks_exact(middle)) {
        for (m, (factor, kernel)) in mix.iter().zip(first.chunks_exact(taps)).enumerate() {
            let group = m / (middle / groups);
            for (sum, value) in row[group * taps..].iter_mut().zip(kernel) {
                *sum += f64::from(*factor) * f64::from(*value);
            }
        }
    }
    joined.into_iter().map(|value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_tensors_is_complete_and_without_doubles() {
        let all = tensors();
        let names: std::collections::BTreeSet<&str> = all.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names.len(), all.len());
        let parameters: usize = all.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        // counted in the three ONNX files, without the layer that only training uses
        assert_eq!(parameters, PARAMETERS);
    }

    const PARAMETERS: usize = 2_134_384;

    #[test]
    fn joined_kernels_do_the_work_of_both() {
        // two groups of two channels, two taps, one output
        let first = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let joined = join(&[1.0, 10.0, 100.0, 1000.0], &first, [1, 4, 2]);
        assert_eq!(joined, [31.0, 42.0, 7500.0, 8600.0]);
    }
}
