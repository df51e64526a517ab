//! The encoder: what both decoders work from.

use limpid_kernels::frame::{BandConv, BandDense, BandStep, GroupedLinear};
use limpid_kernels::{Activation, Feature, Gru, RecurrentState, ShapeError};

use super::features::Features;
use super::tensors::{BANDS, BINS, CHANNELS, EMBEDDING, Source, UNITS, fault, join};
use crate::error::LoadError;

/// Taps of a first layer's kernel: three frames by three bands.
const TAPS: usize = 9;
/// The least local signal-to-noise ratio it tells, and how far above that the most is.
const SNR_DB: [f32; 2] = [-15.0, 50.0];

#[derive(Debug)]
pub(super) struct Encoder {
    from_bands: BandDense,
    band_layers: [Separable; 3],
    /// The first two convolutions of the bins in one.
    from_bins: BandDense,
    bin_layer: Separable,
    bins_to_embedding: GroupedLinear,
    narrow: GroupedLinear,
    gru: Gru,
    widen: GroupedLinear,
    snr: GroupedLinear,
}

/// A kernel of three bands, and the mixing of channels behind it.
#[derive(Debug)]
pub(super) struct Separable {
    taps: BandConv,
    dense: BandDense,
}

impl Separable {
    pub(super) fn new(source: Source<'_>, layer: &str, step: BandStep) -> Result<Self, LoadError> {
        Ok(Self { taps: source.taps(layer, step)?, dense: source.dense(layer)? })
    }

    pub(super) fn run(
        &self,
        input: &Feature,
        between: &mut Feature,
        output: &mut Feature,
    ) -> Result<(), ShapeError> {
        self.taps.run(input, between)?;
        self.dense.run(between, output)
    }
}

/// What the encoder makes of the last frames, and what it remembers of them.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    /// What the kernels of the first layers see: channel `frame * 3 + band` of three frames and
    /// bands, oldest first; for bins those of the real part, then of the imaginary one.
    seen_bands: Feature,
    seen_bins: Feature,
    between: Feature,
    /// Four layers of bands: 32, 16, 8 and 8 of them.
    pub(super) by_band: [Feature; 4],
    /// Two layers of bins: 96 and 48 of them.
    pub(super) by_bin: [Feature; 2],
    narrowed: [f32; UNITS],
    state: RecurrentState,
    pub(super) embedding: [f32; EMBEDDING],
    /// Local signal-to-noise ratio, -15 to 35 dB.
    pub(super) snr_db: f32,
}

impl Encoder {
    pub(super) fn new(source: Source<'_>) -> Result<Self, LoadError> {
        let relu = Activation::Relu;
        let first = source.weight("enc.erb_conv0")?;
        let bias = source.bias("enc.erb_conv0")?;
        let from_bands =
            BandDense::new([TAPS, CHANNELS], first, Some(bias), relu).map_err(fault)?;
        let joined = join(
            source.weight("enc.df_conv0")?,
            source.weight("enc.df_conv0.separate")?,
            [CHANNELS, CHANNELS, 2],
        );
        let bias = source.bias("enc.df_conv0")?;
        let from_bins =
            BandDense::new([2 * TAPS, CHANNELS], &joined, Some(bias), relu).map_err(fault)?;
        let (weight, bias) = (source.weight("enc.lsnr_fc")?, source.bias("enc.lsnr_fc")?);
        let snr = GroupedLinear::new([1, EMBEDDING, 1], weight, Some(bias), Activation::Sigmoid);
        Ok(Self {
            from_bands,
            band_layers: [
                Separable::new(source, "enc.erb_conv1", BandStep::Half)?,
                Separable::new(source, "enc.erb_conv2", BandStep::Half)?,
                Separable::new(source, "enc.erb_conv3", BandStep::Same)?,
            ],
            from_bins,
            bin_layer: Separable::new(source, "enc.df_conv1", BandStep::Half)?,
            bins_to_embedding: source.linear("enc.df_fc_emb", relu)?,
            narrow: source.linear("enc.emb_gru.linear_in", relu)?,
            gru: source.gru("enc.emb_gru.0")?,
            widen: source.linear("enc.emb_gru.linear_out", relu)?,
            snr: snr.map_err(fault)?,
        })
    }

    pub(super) fn start(&self) -> Encoded {
        let by_band = [BANDS, BANDS / 2, BANDS / 4, BANDS / 4];
        Encoded {
            seen_bands: Feature::zeros(TAPS, 1, BANDS),
            seen_bins: Feature::zeros(2 * TAPS, 1, BINS),
            between: Feature::zeros(CHANNELS, 1, BINS),
            by_band: by_band.map(|bands| Feature::zeros(CHANNELS, 1, bands)),
            by_bin: [BINS, BINS / 2].map(|bins| Feature::zeros(CHANNELS, 1, bins)),
            narrowed: [0.0; UNITS],
            state: self.gru.state(),
            embedding: [0.0; EMBEDDING],
            snr_db: SNR_DB[0],
        }
    }

    /// Takes in the features of the next frame.
    pub(super) fn run(&self, features: &Features, to: &mut Encoded) -> Result<(), ShapeError> {
        remember(&mut to.seen_bands, 0, &features.by_band);
        for (part, values) in features.by_bin.iter().enumerate() {
            remember(&mut to.seen_bins, part * TAPS, values);
        }
        self.from_bands.run(&to.seen_bands, &mut to.by_band[0])?;
        for (at, layer) in self.band_layers.iter().enumerate() {
            let (before, after) = to.by_band.split_at_mut(at + 1);
            layer.run(&before[at], &mut to.between, &mut after[0])?;
        }
        let [first, second] = &mut to.by_bin;
        self.from_bins.run(&to.seen_bins, first)?;
        self.bin_layer.run(first, &mut to.between, second)?;
        // all channels of a band lie together, and there are none to pad
        self.bins_to_embedding.run(second.data(), &mut to.embedding)?;
        for (sum, value) in to.embedding.iter_mut().zip(to.by_band[3].data()) {
            *sum += value;
        }
        self.narrow.run(&to.embedding, &mut to.narrowed)?;
        self.gru.step(&to.narrowed, &mut to.state)?;
        self.widen.run(to.state.hidden(), &mut to.embedding)?;
        let mut share = [0.0];
        self.snr.run(&to.embedding, &mut share)?;
        to.snr_db = SNR_DB[0] + SNR_DB[1] * share[0];
        Ok(())
    }
}

impl Encoded {
    pub(super) fn reset(&mut self) {
        self.seen_bands.data_mut().fill(0.0);
        self.seen_bins.data_mut().fill(0.0);
        self.state.reset();
        self.snr_db = SNR_DB[0];
    }
}

/// Moves nine taps of every band, from channel `first` on, a frame back, and puts `values` with their
/// neighbours in as the newest.
fn remember(seen: &mut Feature, first: usize, values: &[f32]) {
    let pixel = seen.pixel_stride();
    for (band, taps) in seen.data_mut().chunks_exact_mut(pixel).enumerate() {
        let taps = &mut taps[first..first + TAPS];
        taps.copy_within(3.., 0);
        let neighbour = |at: Option<usize>| at.and_then(|at| values.get(at)).map_or(0.0, |v| *v);
        taps[6] = neighbour(band.checked_sub(1));
        taps[7] = neighbour(Some(band));
        taps[8] = neighbour(Some(band + 1));
    }
}
