use std::time::Instant;

use super::*;
use crate::live::SampleKind;
use crate::reader::MemoryReader;

const DEVICE: StreamFormat = StreamFormat { rate: 1000, channels: 2, kind: SampleKind::F32 };

/// A source whose samples are their own frame numbers, times `factor`.
fn ramp(frames: usize, factor: f32) -> Box<dyn BlockReader> {
    let plane: Vec<f32> = (0..frames).map(|i| i as f32 * factor).collect();
    Box::new(MemoryReader::new(1000, vec![plane]))
}

/// A player whose device is the test.
fn player(sources: Vec<(Box<dyn BlockReader>, f32)>) -> (Player, Mixer) {
    let (worker, mixer, player) = Player::build(sources, DEVICE).unwrap();
    (player.run(worker, None).unwrap(), mixer)
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed().as_secs() < 20, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The left channel of the next frames, which are waited for.
fn next(player: &Player, mixer: &mut Mixer, frames: usize) -> Vec<f32> {
    let mut left = Vec::new();
    while left.len() < frames {
        let starved = player.starved_frames();
        let mut out = [0.0; 2];
        mixer.fill(&player.dials, &mut out);
        assert_eq!(out[0], out[1]);
        if player.starved_frames() == starved {
            left.push(out[0]);
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    left
}

#[test]
fn two_sources_play_in_step_to_the_end_of_the_longer() {
    let (mut player, mut mixer) = player(vec![(ramp(1000, 1.0), 1.0), (ramp(1500, -1.0), 0.5)]);
    assert_eq!(player.position(), 0);
    player.play();
    wait("play", || player.is_playing());
    let heard = next(&player, &mut mixer, 600);
    assert_eq!(heard[10..], (10..600).map(|i| i as f32).collect::<Vec<_>>());
    assert_eq!(player.position(), 600);

    player.listen(Listen::To(1));
    let heard = next(&player, &mut mixer, 500);
    assert_eq!(heard[10], -305.0, "frame 610 of the other, at its gain");
    player.listen(Listen::To(0));
    let heard = next(&player, &mut mixer, 400);
    assert_eq!(heard[399], 0.0, "the first is over and silent");
    wait("the end", || {
        next(&player, &mut mixer, 1);
        matches!(player.events().try_recv(), Ok(PlayEvent::Ended))
    });
    assert!(!player.is_playing());
    assert_eq!(player.position(), 1500);
    player.play();
    wait("playing again", || player.is_playing());
    assert!(player.position() < 10);
}

#[test]
fn a_seek_jumps_at_once_and_the_position_follows() {
    let (player, mut mixer) = player(vec![(ramp(100_000, 1.0), 1.0)]);
    player.play();
    wait("play", || player.is_playing());
    next(&player, &mut mixer, 50);
    player.seek(70_000);
    wait("the jump", || player.position() >= 70_000);
    let heard = next(&player, &mut mixer, 40);
    assert_eq!(heard[0], 70_000.0, "nothing from before the jump");
    assert_eq!(player.position(), 70_040);
    player.pause();
    wait("the pause", || !player.is_playing());
    next(&player, &mut mixer, 100);
    let stands = player.position();
    next(&player, &mut mixer, 100);
    assert_eq!(player.position(), stands);
}

#[test]
fn what_was_removed_is_the_difference() {
    let (mut player, mut mixer) = player(vec![(ramp(1000, 1.0), 0.5), (ramp(1000, 0.25), 3.0)]);
    player.listen(Listen::Removed);
    player.play();
    wait("play", || player.is_playing());
    let heard = next(&player, &mut mixer, 101);
    assert_eq!(heard[100], 0.5 * (100.0 - 25.0));
}

/// A source that breaks behind its first block.
struct Broken(MemoryReader<Vec<f32>>);

impl BlockReader for Broken {
    fn rate(&self) -> u32 {
        self.0.rate()
    }
    fn channels(&self) -> usize {
        self.0.channels()
    }
    fn frames(&self) -> Option<u64> {
        self.0.frames()
    }
    fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        self.0.seek(frame)
    }
    fn read(&mut self, planes: &mut [Vec<f32>], max_frames: usize) -> Result<usize, AudioError> {
        match self.0.read(planes, max_frames)? {
            0 => Err(AudioError::internal("the file is gone")),
            frames => Ok(frames),
        }
    }
}

#[test]
fn a_source_that_breaks_is_told_once() {
    let source = Broken(MemoryReader::new(1000, vec![vec![0.5; 600]]));
    let (player, mut mixer) = player(vec![(Box::new(source), 1.0)]);
    player.play();
    let mut told = Vec::new();
    wait("the failure", || {
        mixer.fill(&player.dials, &mut [0.0; 64]);
        told.extend(player.events().try_iter());
        !told.is_empty()
    });
    assert!(matches!(&told[..], [PlayEvent::Failed(error)] if error.sentence().contains("gone")));
    assert!(!player.is_playing());
    player.play();
    player.seek(0);
}
