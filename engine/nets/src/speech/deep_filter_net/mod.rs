//! DeepFilterNet3 (Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech
//! Enhancement", Interspeech 2023; the filters: ICASSP 2022), a hop at a time at 48 kHz.
//!
//! An encoder hears the loudness of 32 bands and the lowest 96 bins (up to 4.8 kHz). One decoder
//! gives a gain for each band, which forms the whole spectrum; the other a filter over five frames
//! for each of the lowest bins, whose results replace the gained ones there. Both look two frames
//! ahead: what is decoded from a frame is applied to the one two before it.
//!
//! Written after the authors' own streaming runtime, libDF 0.5.6, and equal to it: convolutions over
//! frames keep what they need of the frames before, and nothing is computed twice. On 20 clips
//! (`tests/score/speech_parity.py`) the two differ by 5e-7 of full scale at most, 124 dB below the
//! sound; a second of sound takes one core of the EPYC in `limpid_kernels`' table 10 ms, that runtime
//! 71 ms.

mod df_decoder;
mod encoder;
mod erb_decoder;
mod features;
pub(crate) mod tensors;
mod transform;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use limpid_kernels::spectrum::Bands;
use realfft::num_complex::Complex32;

use crate::architecture::Architecture;
use crate::error::{LoadError, NetError};
use crate::weights::Weights;
use df_decoder::{DfDecoder, Filters, NUMBERS};
use encoder::{Encoded, Encoder};
use erb_decoder::{ErbDecoder, Gains};
use features::Features;
use tensors::{BANDS, BINS, ORDER, Source};
use transform::Transform;

const RATE: u32 = 48_000;
/// Samples of a frame, twice the hop.
const FRAME: usize = 960;
const HOP: usize = FRAME / 2;
/// Bins of a spectrum.
const SPECTRUM: usize = FRAME / 2 + 1;
/// Frames that the network looks ahead.
const AHEAD: usize = 2;

/// Mean square of a hop below which it is silent: -70 dB of full scale.
const SILENCE: f32 = 1e-7;
/// Samples beyond this are no sound, and their squares would not stay finite.
const LOUDEST: f32 = 1e4;

/// Frames as fast as they come, five of them to look back on.
type History = [Vec<Complex32>; ORDER];

/// What a person may choose, and what the runtime leaves out in easy places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeepFilterSettings {
    /// Noise is made quieter by at most this, in dB: 0 changes nothing, 100 and more is no limit.
    pub limit_db: f32,
    /// Local signal-to-noise ratio in dB below which a frame is taken for noise and silenced. The
    /// network tells -15 to 35.
    pub min_snr_db: f32,
    /// That above which a frame is left as it is.
    pub max_snr_db: f32,
    /// That above which a frame gets the gains of its bands only, no filters.
    pub max_filter_snr_db: f32,
    /// Silent hops (-70 dB of full scale on average) in a row that are still worked on; from the next
    /// on the output is zeros and time stands still for the network. Three bring out what is under
    /// way.
    pub silent_hops: u32,
}

impl Default for DeepFilterSettings {
    /// No limit, all of the network for every frame, silence after three hops of it.
    fn default() -> Self {
        Self {
            limit_db: 100.0,
            min_snr_db: -15.0,
            max_snr_db: 35.0,
            max_filter_snr_db: 35.0,
            silent_hops: 3,
        }
    }
}

impl DeepFilterSettings {
    /// As [`Self::default`], but exactly the reference runtime, which stops at the first silent hop with
    /// what is under way still in it, to come out when the sound goes on.
    #[must_use]
    pub fn reference() -> Self {
        Self { silent_hops: 0, ..Self::default() }
    }

    /// The limit as a share of the noisy signal that stays, 0 to 1.
    fn kept(&self) -> f32 {
        match self.limit_db.abs() {
            limit if limit >= 100.0 => 0.0,
            limit if limit.is_finite() => 10.0_f32.powf(-limit / 20.0),
            _ => 0.0,
        }
    }
}

/// DeepFilterNet3 listening to one channel. A clone shares the weights and goes its own way.
#[derive(Clone, Debug)]
pub struct DeepFilterNet3 {
    layers: Arc<Layers>,
    settings: DeepFilterSettings,
    transform: Transform,
    features: Features,
    encoded: Encoded,
    gains: Gains,
    filters: Filters,
    bands: Bands,
    bin_gains: Vec<f32>,
    /// The last spectra in turn; `newest` is the latest.
    history: History,
    newest: usize,
    clean: Vec<Complex32>,
    /// Silent hops in a row.
    silence: u32,
}

#[derive(Debug)]
struct Layers {
    encoder: Encoder,
    erb: ErbDecoder,
    df: DfDecoder,
}

impl DeepFilterNet3 {
    /// Sample rate in Hz of what it hears and gives.
    pub const RATE: u32 = RATE;
    /// Samples of a hop: 10 ms.
    pub const HOP: usize = HOP;
    /// Samples by which the output lags behind the input: a hop for the frames to overlap, two for
    /// looking ahead; 30 ms. A hop must be complete before it is processed, so that sound that is
    /// played as it is recorded is a hop later still.
    pub const DELAY: usize = HOP + AHEAD * HOP;

    /// Packs the weights for this processor.
    ///
    /// # Errors
    /// Weights of another network.
    pub fn new(weights: &Weights, settings: DeepFilterSettings) -> Result<Self, LoadError> {
        if weights.architecture()? != Architecture::DeepFilterNet3 {
            return Err(LoadError::unsupported("the weights are for another network"));
        }
        let source = Source(weights);
        let layers = Layers {
            encoder: Encoder::new(source)?,
            erb: ErbDecoder::new(source)?,
            df: DfDecoder::new(source)?,
        };
        let spectrum = || vec![Complex32::default(); SPECTRUM];
        Ok(Self {
            settings,
            transform: Transform::new(),
            features: Features::new().map_err(tensors::fault)?,
            encoded: layers.encoder.start(),
            gains: layers.erb.start(),
            filters: layers.df.start(),
            bands: features::bands().map_err(tensors::fault)?,
            bin_gains: vec![0.0; SPECTRUM],
            history: std::array::from_fn(|_| spectrum()),
            newest: 0,
            clean: spectrum(),
            silence: 0,
            layers: Arc::new(layers),
        })
    }

    /// What is chosen at present.
    #[must_use]
    pub fn settings(&self) -> DeepFilterSettings {
        self.settings
    }

    /// Chooses anew, from the next hop on; may be called at any time.
    pub fn set_settings(&mut self, settings: DeepFilterSettings) {
        self.settings = settings;
    }

    /// The network's estimate of the local signal-to-noise ratio of the last hop, -15 to 35 dB.
    #[must_use]
    pub fn snr_db(&self) -> f32 {
        self.encoded.snr_db
    }

    /// Forgets what it has heard: the next hop is the first.
    pub fn reset(&mut self) {
        self.transform.reset();
        self.features.reset();
        self.encoded.reset();
        self.gains.reset();
        self.filters.reset();
        self.history.iter_mut().for_each(|spectrum| spectrum.fill(Complex32::default()));
        self.silence = 0;
    }

    /// Takes the next hop of [`Self::HOP`] samples, full scale ±1, and gives the one that is
    /// [`Self::DELAY`] behind it. What is no number counts as silence. Allocates nothing, waits for
    /// nothing.
    ///
    /// # Errors
    /// [`NetError::Input`] when a slice has another length.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), NetError> {
        if input.len() != HOP || output.len() != HOP {
            let (taken, given) = (input.len(), output.len());
            return Err(NetError::Input(format!(
                "DeepFilterNet3 takes and gives {HOP} samples at a time, not {taken} and {given}"
            )));
        }
        let hop = input.iter().map(|sample| match sample {
            sample if sample.is_finite() => sample.clamp(-LOUDEST, LOUDEST),
            _ => 0.0,
        });
        let power = hop.clone().map(|sample| sample * sample).sum::<f32>() / HOP as f32;
        self.silence = if power < SILENCE { self.silence.saturating_add(1) } else { 0 };
        if self.silence > self.settings.silent_hops {
            output.fill(0.0);
            self.encoded.snr_db = -15.0;
            return Ok(());
        }
        self.newest = (self.newest + 1) % ORDER;
        self.transform.analyse(hop, &mut self.history[self.newest])?;
        self.features.take(&self.history[self.newest])?;
        self.layers.encoder.run(&self.features, &mut self.encoded)?;
        self.enhance()?;
        self.transform.synthesise(&self.clean, output)
    }

    /// Makes the clean spectrum of the frame that is looked ahead of.
    fn enhance(&mut self) -> Result<(), NetError> {
        let Self { settings, encoded, history, clean, .. } = self;
        let snr_db = encoded.snr_db;
        let noisy = &history[(self.newest + ORDER - AHEAD) % ORDER];
        if snr_db < settings.min_snr_db {
            clean.fill(Complex32::default());
        } else if snr_db > settings.max_snr_db {
            clean.copy_from_slice(noisy);
        } else {
            self.layers.erb.run(encoded, &mut self.gains)?;
            self.bands.spread(&self.gains.by_band, &mut self.bin_gains)?;
            for ((clean, noisy), gain) in clean.iter_mut().zip(noisy).zip(&self.bin_gains) {
                *clean = noisy * gain;
            }
            if snr_db <= settings.max_filter_snr_db {
                self.layers.df.run(encoded, &mut self.filters)?;
                filter(history, self.newest, &self.filters.by_bin, clean);
            }
        }
        let kept = settings.kept();
        if kept > 0.0 {
            for (clean, noisy) in clean.iter_mut().zip(noisy) {
                *clean = *clean * (1.0 - kept) + noisy * kept;
            }
        }
        Ok(())
    }
}

/// Filters the lowest bins over all frames of the history, the oldest first.
fn filter(history: &History, newest: usize, filters: &[f32], clean: &mut [Complex32]) {
    clean[..BINS].fill(Complex32::default());
    for at in 0..ORDER {
        let spectrum = &history[(newest + 1 + at) % ORDER];
        for ((clean, bin), numbers) in
            clean.iter_mut().zip(spectrum).zip(filters.chunks_exact(NUMBERS))
        {
            *clean += bin * Complex32::new(numbers[2 * at], numbers[2 * at + 1]);
        }
    }
}

const _: () = assert!(BANDS == 32 && AHEAD < ORDER);
