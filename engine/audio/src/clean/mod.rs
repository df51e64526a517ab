//! From a noisy recording to a clean one: file → channels → network → level → file, block by block.

mod channel;
mod high_band;
mod level;
mod limiter;
mod net;

use std::path::Path;

use limpid_kernels::{Cancel, Pool};
use limpid_nets::Effort;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::decode::{Damage, SoundFile};
use crate::encode::{EncodeSettings, SoundWriter};
use crate::ensemble;
use crate::error::AudioError;
use crate::reader::{BlockReader, check_channels};
use crate::speech_net::SpeechNet;

use channel::ChannelCleaner;
use level::Shelf;
use limiter::Limiter;

pub use high_band::HighBand;
pub use level::{LevelReport, LoudnessMeter, LoudnessTarget};

/// Makes one network; called once for each channel, which has its own memory, with
/// [`Effort::Best`] several times.
pub type MakeNet<'a> = dyn FnMut() -> Result<Box<dyn SpeechNet>, AudioError> + 'a;

/// How a sound is cleaned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CleanSettings {
    /// The most by which noise is made quieter, in dB from 0 (nothing changes) on; none for no
    /// limit. The result is `l · original + (1 − l) · clean` with `l = 10^(−dB / 20)`, as in
    /// DeepFilterNet.
    pub limit_db: Option<f32>,
    /// How much of the room's echo is taken out before the network, `0..=1`. It is apart from noise:
    /// [`CleanSettings::limit_db`] does not limit it.
    pub dereverb: f32,
    /// The loudness that the result is brought to; none leaves it as it is.
    pub loudness: Option<LoudnessTarget>,
    /// What happens above the network's band.
    pub high_band: HighBand,
    /// How often the network hears everything.
    pub effort: Effort,
}

/// Frames worked on at a time: less than 0.1 seconds of most files, so that cancel is soon seen.
const BLOCK_FRAMES: usize = 4096;

/// What a true peak may be underestimated by with four values a sample.
const CEILING_MARGIN_DB: f64 = 0.3;

/// Cleans sound of any number of channels as it comes: files, previews.
pub struct Cleaner {
    channels: Vec<ChannelCleaner>,
    pool: Option<Pool>,
}

impl std::fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleaner").field("channels", &self.channels.len()).finish()
    }
}

impl Cleaner {
    /// For sound of `rate` Hz and `channels` channels. [`CleanSettings::loudness`] has no part in
    /// it: it needs the whole sound.
    ///
    /// # Errors
    ///
    /// A network cannot be made, or the rate is out of range.
    pub fn new(
        rate: u32,
        channels: usize,
        make_net: &mut MakeNet<'_>,
        settings: &CleanSettings,
    ) -> Result<Self, AudioError> {
        let channel = |_| {
            let net = ensemble::for_effort(make_net, settings.effort)?;
            ChannelCleaner::new(rate, net, settings)
        };
        Ok(Self { channels: (0..channels).map(channel).collect::<Result<_, _>>()?, pool: None })
    }

    /// Shares the work among the threads of `pool`: a channel each, and with [`Effort::Best`] a
    /// hearing each. Without it everything is done where it is called: what follows a microphone
    /// must not queue behind other work.
    #[must_use]
    pub fn in_pool(self, pool: &Pool) -> Self {
        Self { pool: Some(pool.clone()), ..self }
    }

    /// Takes frames, one vector a channel and all of one length, and appends to `output` what is
    /// ready: later, but at the same place in the sound. Cancel is looked at between channels.
    ///
    /// # Errors
    ///
    /// Another number of channels; what the network says; cancelled.
    pub fn push(
        &mut self,
        input: &[Vec<f32>],
        output: &mut [Vec<f32>],
        cancel: &Cancel,
    ) -> Result<(), AudioError> {
        check_channels(input, self.channels.len())?;
        check_channels(output, self.channels.len())?;
        let push = |((channel, input), output): ((&mut ChannelCleaner, &Vec<f32>), &mut _)| {
            cancel.check()?;
            channel.push(input, output)
        };
        match &self.pool {
            Some(pool) => pool
                .install(|| self.channels.par_iter_mut().zip(input).zip(output).try_for_each(push)),
            None => self.channels.iter_mut().zip(input).zip(output).try_for_each(push),
        }
    }

    /// Appends the rest: as many frames came out then as went in.
    ///
    /// # Errors
    ///
    /// As for [`Cleaner::push`].
    pub fn finish(mut self, output: &mut [Vec<f32>], cancel: &Cancel) -> Result<(), AudioError> {
        check_channels(output, self.channels.len())?;
        let finish = |(channel, output): (&mut ChannelCleaner, &mut _)| {
            cancel.check()?;
            channel.finish(output)
        };
        match &self.pool {
            Some(pool) => {
                pool.install(|| self.channels.par_iter_mut().zip(output).try_for_each(finish))
            }
            None => self.channels.iter_mut().zip(output).try_for_each(finish),
        }
    }
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Frames cleaned, of how many (where that is known or estimated).
    Cleaning(u64, Option<u64>),
    /// Frames written with their new level, of how many.
    Levelling(u64, u64),
    /// The result is complete and about to come into its place: the last moment to say no.
    Complete,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanReport {
    /// Frames read, and written.
    pub frames: u64,
    /// The change of level, where one was asked for.
    pub level: Option<LevelReport>,
}

/// One file to clean.
#[derive(Clone, Copy, Debug)]
pub struct CleanTask<'a> {
    /// The recording.
    pub input: &'a Path,
    /// Where the result goes; not the recording itself.
    pub output: &'a Path,
    /// How it is cleaned.
    pub settings: CleanSettings,
    /// How the result is stored; none for [`EncodeSettings::for_path`].
    pub encode: Option<EncodeSettings>,
    /// What is done about a damaged recording.
    pub damage: Damage,
    /// The threads that share the work; none for the calling one alone.
    pub pool: Option<&'a Pool>,
}

/// Cleans a sound file into another of the same rate, channels, tags and number of frames.
///
/// The result appears when
/// it is whole, the original is never touched, and whatever goes wrong leaves nothing behind. Memory
/// does not depend on the length; with a loudness target, disk space for the samples as `f32` is
/// needed beside the result for as long as it takes.
///
/// # Errors
///
/// The input cannot be read (see [`SoundFile::open_with`]), the result not written, a network not
/// made or run; cancelled.
pub fn clean_file(
    task: &CleanTask<'_>,
    make_net: &mut MakeNet<'_>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress) -> Result<(), AudioError>,
) -> Result<CleanReport, AudioError> {
    let CleanTask { input, output, settings, .. } = *task;
    let mut file = SoundFile::open_with(input, task.damage)?;
    let info = file.info().clone();
    let encode = match task.encode {
        Some(encode) => encode,
        None => EncodeSettings::for_path(output, &info)?,
    };
    let mut writer = SoundWriter::create(output, Some(input), &info, &encode)?;
    let mut cleaner = Cleaner::new(info.rate, info.channels, make_net, &settings)?;
    if let Some(pool) = task.pool {
        cleaner = cleaner.in_pool(pool);
    }
    let mut meter = match settings.loudness {
        Some(target) => Some((
            target,
            LoudnessMeter::new(info.rate, info.channels)?,
            Shelf::beside(output).map_err(|error| error.at(output))?,
        )),
        None => None,
    };
    let mut noisy = vec![Vec::new(); info.channels];
    let mut clean = noisy.clone();
    let (mut read, mut written) = (0u64, 0u64);
    let mut store = |clean: &mut [Vec<f32>], writer: &mut SoundWriter| {
        written += clean.first().map_or(0, Vec::len) as u64;
        match &mut meter {
            Some((_, meter, shelf)) => {
                meter.hear(clean)?;
                shelf.put(clean).map_err(|error| error.at(output))?;
            }
            None => writer.write(clean)?,
        }
        clean.iter_mut().for_each(Vec::clear);
        Ok::<u64, AudioError>(written)
    };
    loop {
        cancel.check()?;
        let frames = file.read(&mut noisy, BLOCK_FRAMES)?;
        if frames == 0 {
            break;
        }
        read += frames as u64;
        cleaner.push(&noisy, &mut clean, cancel)?;
        store(&mut clean, &mut writer)?;
        progress(Progress::Cleaning(read, info.length.frames()))?;
    }
    cleaner.finish(&mut clean, cancel)?;
    let written = store(&mut clean, &mut writer)?;
    if written != read {
        return Err(AudioError::internal(format!("{read} frames became {written}")).at(input));
    }
    let mut level = None;
    if let Some((target, meter, shelf)) = meter {
        let mut report = meter.gain_to(target)?;
        let gain = 10f64.powf(report.gain_db / 20.0) as f32;
        let ceiling = 10f64.powf((target.peak_dbtp - CEILING_MARGIN_DB) / 20.0) as f32;
        let mut limiter = Limiter::new(info.rate, info.channels, ceiling);
        let mut done = 0;
        shelf.empty(read, &mut clean, BLOCK_FRAMES, &mut |block| {
            cancel.check()?;
            done += block.first().map_or(0, Vec::len) as u64;
            block.iter_mut().flatten().for_each(|sample| *sample *= gain);
            limiter.process(block);
            writer.write(block)?;
            progress(Progress::Levelling(done, read))
        })?;
        limiter.finish(&mut clean);
        writer.write(&clean)?;
        report.limited_db = -20.0 * f64::from(limiter.deepest()).log10();
        level = Some(report);
    }
    cancel.check()?;
    progress(Progress::Complete)?;
    writer.finish()?;
    Ok(CleanReport { frames: read, level })
}
