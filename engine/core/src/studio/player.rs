//! Hearing the recording as it is, cleaned, or only what was taken away, switched without a gap.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use limpid_audio::play::{Listen, PlayEvent, Player};
use limpid_audio::{AudioError, BlockReader, SoundFile};

use super::Listening;

/// Two recordings of very different loudness are not made equal by more than this, in dB.
const MOST_MATCH_DB: f64 = 12.0;

/// A limit in dB as the share of the original that stays; none is 0.
pub(super) fn kept(limit_db: Option<f32>) -> f32 {
    limit_db.map_or(0.0, |limit| 10.0_f32.powf(-limit / 20.0).clamp(0.0, 1.0))
}

/// The share of the original that is mixed to the cleaned recording, changed while it plays.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<AtomicU32>);

impl Kept {
    pub(super) fn set(&self, share: f32) {
        self.0.store(share.to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// A loudspeaker with the recording, and its cleaned form where there is one.
pub(super) struct Deck {
    player: Player,
    rate: f64,
    has_clean: bool,
}

impl Deck {
    /// Opens the default loudspeaker. `clean` is a file as long as `original`, and how much louder
    /// (in dB) it must be to sound as loud.
    ///
    /// # Errors
    /// No loudspeaker, or a file that cannot be read.
    pub(super) fn open(
        original: &Path,
        clean: Option<(&Path, f64)>,
        share: &Kept,
    ) -> Result<Self, AudioError> {
        let first = SoundFile::open(original)?;
        let rate = f64::from(first.info().rate);
        let mut sources: Vec<(Box<dyn BlockReader>, f32)> = vec![(Box::new(first), 1.0)];
        if let Some((path, match_db)) = clean {
            let mixed = MixedSource {
                original: SoundFile::open(original)?,
                clean: SoundFile::open(path)?,
                share: share.clone(),
                planes: Vec::new(),
            };
            let match_db = match_db.clamp(-MOST_MATCH_DB, MOST_MATCH_DB);
            sources.push((Box::new(mixed), 10.0_f64.powf(match_db / 20.0) as f32));
        }
        let has_clean = clean.is_some();
        Ok(Self { player: Player::open(sources, None)?, rate, has_clean })
    }

    pub(super) fn play(&self) {
        self.player.play();
    }

    pub(super) fn pause(&self) {
        self.player.pause();
    }

    pub(super) fn is_playing(&self) -> bool {
        self.player.is_playing()
    }

    /// Goes to a second.
    pub(super) fn seek(&self, seconds: f64) {
        self.player.seek((seconds.max(0.0) * self.rate).round() as u64);
    }

    /// Where it is, in seconds.
    pub(super) fn position(&self) -> f64 {
        self.player.position() as f64 / self.rate.max(1.0)
    }

    pub(super) fn listen(&mut self, what: Listening) {
        self.player.listen(match what {
            Listening::Clean if self.has_clean => Listen::To(1),
            Listening::Removed if self.has_clean => Listen::Removed,
            _ => Listen::To(0),
        });
    }

    /// What happened by itself.
    pub(super) fn event(&self) -> Option<PlayEvent> {
        self.player.events().try_recv().ok()
    }
}

/// The cleaned recording with a share of the original in it.
struct MixedSource {
    original: SoundFile,
    clean: SoundFile,
    share: Kept,
    planes: Vec<Vec<f32>>,
}

impl BlockReader for MixedSource {
    fn rate(&self) -> u32 {
        self.clean.info().rate
    }

    fn channels(&self) -> usize {
        self.clean.info().channels
    }

    fn frames(&self) -> Option<u64> {
        self.clean.frames()
    }

    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.original.seek(frame)?;
        self.clean.seek(frame)
    }

    fn read(&mut self, planes: &mut [Vec<f32>], most: usize) -> Result<usize, AudioError> {
        let mut frames = self.clean.read(planes, most)?;
        self.planes.resize(planes.len(), Vec::new());
        let mut filled = 0;
        // A decoder may give less at a time than another.
        while filled < frames {
            let mut part = vec![Vec::new(); planes.len()];
            let got = self.original.read(&mut part, frames - filled)?;
            if got == 0 {
                frames = filled;
                planes.iter_mut().for_each(|plane| plane.truncate(filled));
                break;
            }
            for (plane, part) in self.planes.iter_mut().zip(part) {
                if filled == 0 {
                    plane.clear();
                }
                plane.extend(part);
            }
            filled += got;
        }
        mix(planes, &self.planes, self.share.get());
        Ok(frames)
    }
}

fn mix(clean: &mut [Vec<f32>], original: &[Vec<f32>], share: f32) {
    for (clean, original) in clean.iter_mut().zip(original) {
        for (clean, original) in clean.iter_mut().zip(original) {
            *clean += share * (original - *clean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::testing::write_tone;

    #[test]
    fn a_limit_says_how_much_stays() {
        assert_eq!(kept(None), 0.0);
        assert_eq!(kept(Some(0.0)), 1.0);
        assert!((kept(Some(20.0)) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn the_share_is_heard_at_once_and_positions_stay_in_step() {
        let dir = tempfile::tempdir().unwrap();
        let (loud, soft) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
        write_tone(&loud, 16_000, &[(0.5, 0.8)], 440.0);
        write_tone(&soft, 16_000, &[(0.5, 0.2)], 440.0);
        let share = Kept::default();
        let mut source = MixedSource {
            original: SoundFile::open(&loud).unwrap(),
            clean: SoundFile::open(&soft).unwrap(),
            share: share.clone(),
            planes: Vec::new(),
        };
        let mut planes = vec![Vec::new()];
        let mut peak = |source: &mut MixedSource, frame: u64| {
            source.seek(frame).unwrap();
            assert!(source.read(&mut planes, 1000).unwrap() > 100);
            planes[0].iter().fold(0.0_f32, |most, x| most.max(x.abs()))
        };
        assert!((peak(&mut source, 1000) - 0.2).abs() < 0.01);
        share.set(0.5);
        assert!((peak(&mut source, 3000) - 0.5).abs() < 0.01);
        share.set(1.0);
        assert!((peak(&mut source, 77) - 0.8).abs() < 0.01);
    }
}
