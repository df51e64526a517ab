//! One channel through the network: resampled there and back, aligned, mixed with the original.

use std::collections::VecDeque;

use super::CleanSettings;
use super::high_band::{HighBand, TopGain};
use super::net::NetRunner;
use crate::dereverb::Dereverb;
use crate::error::AudioError;
use crate::resample::Resampler;
use crate::speech_net::SpeechNet;

/// Samples at the network's rate that are brought back at a time.
const PIECE: usize = 4096;

/// Cleans one channel; as many samples out as in.
pub(super) struct ChannelCleaner {
    down: Resampler,
    echo: Option<EchoPath>,
    net: NetRunner,
    up: Resampler,
    /// How the low band sounds without the network; only where there is a high band.
    low: Option<LowPath>,
    gain: Option<TopGain>,
    policy: HighBand,
    /// The share of the original in the result; 0 where it is mixed in without its echo.
    original_share: f32,
    /// Zeros that push the last samples through, at the file's rate.
    tail: usize,
    sound: Queues,
    at_net: Vec<f32>,
    cleaned: Vec<f32>,
    at_file: Vec<f32>,
}

/// What goes past the network, and waits at its rate, where it takes the least memory.
struct LowPath {
    up: Resampler,
    waiting: VecDeque<f32>,
    /// The piece whose turn it is.
    ready: Vec<f32>,
}

/// Samples that wait for those of the other paths, all beginning at the same time.
#[derive(Default)]
struct Queues {
    original: VecDeque<f32>,
    low: VecDeque<f32>,
    clean: VecDeque<f32>,
}

/// Takes echo out in front of the network, and mixes what a limit leaves of the noise in behind it.
struct EchoPath {
    dereverb: Dereverb,
    /// The share of the noisy sound in the result.
    share: f32,
    /// What is ready for the network.
    dry: Vec<f32>,
    /// What the network has heard and not yet put out.
    waiting: VecDeque<f32>,
}

impl EchoPath {
    fn take_out(&mut self, sound: &[f32], over: bool) -> Result<&[f32], AudioError> {
        self.dry.clear();
        self.dereverb.push(sound, &mut self.dry)?;
        if over {
            self.dereverb.finish(&mut self.dry)?;
        }
        if self.share > 0.0 {
            self.waiting.extend(&self.dry);
        }
        Ok(&self.dry)
    }

    fn mix_in(&mut self, cleaned: &mut [f32]) {
        let ready = cleaned.len().min(self.waiting.len());
        for (clean, noisy) in cleaned.iter_mut().zip(self.waiting.drain(..ready)) {
            *clean = self.share * noisy + (1.0 - self.share) * *clean;
        }
    }
}

impl LowPath {
    fn new(net_rate: u32, rate: u32) -> Result<Self, AudioError> {
        Ok(Self {
            up: Resampler::new(net_rate, rate)?,
            waiting: VecDeque::new(),
            ready: Vec::new(),
        })
    }
}

impl ChannelCleaner {
    /// For a channel at `rate`.
    pub(super) fn new(
        rate: u32,
        net: Box<dyn SpeechNet>,
        settings: &CleanSettings,
    ) -> Result<Self, AudioError> {
        let CleanSettings { limit_db, dereverb, high_band: policy, .. } = *settings;
        let original_share = limit_db.map_or(0.0, |db| 10f32.powf(-db.max(0.0) / 20.0));
        let net_rate = net.rate();
        let echo = (dereverb > 0.0).then(|| EchoPath {
            dereverb: Dereverb::new(net_rate, dereverb),
            share: original_share,
            dry: Vec::new(),
            waiting: VecDeque::new(),
        });
        let has_high = rate > net_rate && policy != HighBand::Drop;
        let follows = has_high && policy == HighBand::Follow;
        Ok(Self {
            down: Resampler::new(rate, net_rate)?,
            net: NetRunner::new(net)?,
            up: Resampler::new(net_rate, rate)?,
            low: if has_high { Some(LowPath::new(net_rate, rate)?) } else { None },
            gain: follows.then(|| TopGain::new(rate, net_rate)),
            policy,
            original_share: if echo.is_some() { 0.0 } else { original_share },
            echo,
            tail: 2 * rate.div_ceil(net_rate) as usize,
            sound: Queues::default(),
            at_net: Vec::new(),
            cleaned: Vec::new(),
            at_file: Vec::new(),
        })
    }

    /// Takes samples and appends to `output` what is ready.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<(), AudioError> {
        // One sample that is no number would stay in the network's memory to the end.
        let finite = |sample: &f32| if sample.is_finite() { *sample } else { 0.0 };
        let input: Vec<f32> = input.iter().map(finite).collect();
        self.sound.original.extend(&input);
        self.at_net.clear();
        self.down.push(&input, &mut self.at_net)?;
        self.through_net(output, false)
    }

    /// Brings what is at the network's rate through it and back, and mixes it piece by piece: at the
    /// end of a sound the network gives much at once.
    fn through_net(&mut self, output: &mut Vec<f32>, over: bool) -> Result<(), AudioError> {
        let mut cleaned = std::mem::take(&mut self.cleaned);
        cleaned.clear();
        let input = match &mut self.echo {
            Some(echo) => echo.take_out(&self.at_net, over)?,
            None => &self.at_net,
        };
        self.net.push(input, &mut cleaned)?;
        if over {
            self.net.finish(&mut cleaned)?;
        }
        if let Some(echo) = &mut self.echo {
            echo.mix_in(&mut cleaned);
        }
        if let Some(low) = &mut self.low {
            low.waiting.extend(&self.at_net);
        }
        for piece in cleaned.chunks(PIECE) {
            self.back(piece, false)?;
            self.mix(output, false);
        }
        if over {
            self.back(&[], true)?;
            self.mix(output, true);
        }
        self.cleaned = cleaned;
        Ok(())
    }

    /// Brings what comes from the network to the file's rate, and beside it what went past.
    fn back(&mut self, cleaned: &[f32], over: bool) -> Result<(), AudioError> {
        let Self { up, low, at_file, sound, .. } = self;
        let mut bring = |up: &mut Resampler, from: &[f32], to: &mut VecDeque<f32>| {
            at_file.clear();
            up.push(from, at_file)?;
            if over {
                up.finish(at_file)?;
            }
            to.extend(&*at_file);
            Ok::<(), AudioError>(())
        };
        bring(up, cleaned, &mut sound.clean)?;
        if let Some(LowPath { up, waiting, ready }) = low {
            let count = if over { waiting.len() } else { cleaned.len().min(waiting.len()) };
            ready.clear();
            ready.extend(waiting.drain(..count));
            bring(up, ready, &mut sound.low)?;
        }
        Ok(())
    }

    /// Appends the rest. The cleaner is of no use afterwards.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) -> Result<(), AudioError> {
        let zeros = vec![0.0; self.tail];
        self.at_net.clear();
        if self.down.changes_rate() {
            self.down.push(&zeros, &mut self.at_net)?;
        }
        self.down.finish(&mut self.at_net)?;
        self.through_net(output, true)?;
        if self.sound.original.is_empty() {
            Ok(())
        } else {
            Err(AudioError::internal("the cleaned sound is shorter than the original"))
        }
    }

    /// Mixes what all paths have.
    fn mix(&mut self, output: &mut Vec<f32>, over: bool) {
        let Queues { original, low, clean } = &mut self.sound;
        let mut ready = original.len().min(clean.len());
        if self.low.is_some() {
            ready = ready.min(low.len());
        }
        if let Some(gain) = &mut self.gain {
            // Each sample is heard once: those from `heard` on are new.
            let both = low.len().min(clean.len());
            for at in gain.heard()..both {
                gain.hear(low[at], clean[at]);
            }
            ready = ready.min(gain.ready(over));
        }
        let share = self.original_share;
        output.reserve(ready);
        for _ in 0..ready {
            let (Some(x), Some(cleaned)) = (original.pop_front(), clean.pop_front()) else {
                return;
            };
            let whole = match (self.policy, low.pop_front()) {
                (HighBand::Keep, Some(low)) => cleaned + (x - low),
                (HighBand::Follow, Some(low)) => {
                    let gain = self.gain.as_mut().map_or(1.0, TopGain::next);
                    cleaned + gain * (x - low)
                }
                _ => cleaned,
            };
            // As DeepFilterNet limits its attenuation. Without a limit not even a rounding is added.
            let mixed = if share > 0.0 { share * x + (1.0 - share) * whole } else { whole };
            output.push(mixed);
        }
    }
}
