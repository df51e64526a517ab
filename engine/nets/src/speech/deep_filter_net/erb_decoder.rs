//! The first decoder: a gain for each band.

use limpid_kernels::frame::{BandAffine, BandDense, BandStep, GroupedLinear};
use limpid_kernels::{Activation, Feature, Gru, RecurrentState, ShapeError};

use super::encoder::{Encoded, Separable};
use super::tensors::{BANDS, CHANNELS, Source, UNITS, fault};
use crate::error::LoadError;

#[derive(Debug)]
pub(super) struct ErbDecoder {
    narrow: GroupedLinear,
    grus: [Gru; 2],
    widen: GroupedLinear,
    /// From the encoder's last layer to its first.
    paths: [BandAffine; 4],
    layers: [Separable; 3],
    /// What each tap of the last convolution makes of a band.
    taps: BandDense,
    bias: f32,
}

/// The gains of a frame, and what the decoder remembers of those before.
#[derive(Clone, Debug)]
pub(super) struct Gains {
    narrowed: [f32; UNITS],
    states: [RecurrentState; 2],
    /// What comes from below, that with what comes across, and what a kernel makes of it.
    below: Feature,
    joined: Feature,
    between: Feature,
    taps: Feature,
    /// One a band, 0 to 1.
    pub(super) by_band: [f32; BANDS],
}

impl ErbDecoder {
    pub(super) fn new(source: Source<'_>) -> Result<Self, LoadError> {
        let relu = Activation::Relu;
        let path = |layer: &str| {
            BandAffine::new(source.weight(layer)?, source.bias(layer)?, relu).map_err(fault)
        };
        // `[channels, 3]` to `[3, channels]`
        let last = source.weight("erb_dec.conv0_out")?;
        let taps: Vec<f32> =
            (0..3).flat_map(|tap| last[tap..].iter().step_by(3)).copied().collect();
        let bias = source.bias("erb_dec.conv0_out")?;
        Ok(Self {
            narrow: source.linear("erb_dec.emb_gru.linear_in", relu)?,
            grus: [source.gru("erb_dec.emb_gru.0")?, source.gru("erb_dec.emb_gru.1")?],
            widen: source.linear("erb_dec.emb_gru.linear_out", relu)?,
            paths: [
                path("erb_dec.conv3p")?,
                path("erb_dec.conv2p")?,
                path("erb_dec.conv1p")?,
                path("erb_dec.conv0p")?,
            ],
            layers: [
                Separable::new(source, "erb_dec.convt3", BandStep::Same)?,
                Separable::new(source, "erb_dec.convt2", BandStep::Double)?,
                Separable::new(source, "erb_dec.convt1", BandStep::Double)?,
            ],
            taps: BandDense::new([CHANNELS, 3], &taps, None, Activation::None).map_err(fault)?,
            bias: bias.first().copied().unwrap_or_default(),
        })
    }

    pub(super) fn start(&self) -> Gains {
        let zeros = || Feature::zeros(CHANNELS, 1, BANDS);
        Gains {
            narrowed: [0.0; UNITS],
            states: [self.grus[0].state(), self.grus[1].state()],
            below: zeros(),
            joined: zeros(),
            between: zeros(),
            taps: Feature::zeros(3, 1, BANDS),
            by_band: [0.0; BANDS],
        }
    }

    /// Decodes the next frame.
    pub(super) fn run(&self, encoded: &Encoded, to: &mut Gains) -> Result<(), ShapeError> {
        self.narrow.run(&encoded.embedding, &mut to.narrowed)?;
        let [first, second] = &mut to.states;
        self.grus[0].step(&to.narrowed, first)?;
        self.grus[1].step(first.hidden(), second)?;
        to.below.reset(CHANNELS, 1, BANDS / 4)?;
        self.widen.run(second.hidden(), to.below.data_mut())?;
        let across = encoded.by_band.iter().rev();
        for ((path, input), layer) in self.paths.iter().zip(across.clone()).zip(&self.layers) {
            path.run(input, &to.below, &mut to.joined)?;
            layer.run(&to.joined, &mut to.between, &mut to.below)?;
        }
        self.paths[3].run(&encoded.by_band[0], &to.below, &mut to.joined)?;
        self.taps.run(&to.joined, &mut to.taps)?;
        let pixel = to.taps.pixel_stride();
        let taps = to.taps.data();
        for (band, gain) in to.by_band.iter_mut().enumerate() {
            let mut sum = self.bias + taps[band * pixel + 1];
            if band > 0 {
                sum += taps[(band - 1) * pixel];
            }
            if band + 1 < BANDS {
                sum += taps[(band + 1) * pixel + 2];
            }
            *gain = 1.0 / (1.0 + (-sum).exp());
        }
        Ok(())
    }
}

impl Gains {
    pub(super) fn reset(&mut self) {
        self.states.iter_mut().for_each(RecurrentState::reset);
    }
}
