//! The way of a file through a network, with networks that do nothing, or little.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{info, noise, read, write};
use limpid_audio::clean::{
    CleanReport, CleanSettings, CleanTask, Cleaner, HighBand, LoudnessMeter, LoudnessTarget,
    Progress, clean_file,
};
use limpid_audio::{AudioError, Container, Damage, ErrorKind, SampleFormat, SoundFile, SpeechNet};
use limpid_kernels::{Cancel, Pool};
use limpid_nets::Effort;

/// Gives what it takes, times a gain, some samples later.
struct Late {
    rate: u32,
    hop: usize,
    delay: usize,
    gain: f32,
    kept: Vec<f32>,
}

impl Late {
    fn net(rate: u32, hop: usize, delay: usize, gain: f32) -> Box<dyn SpeechNet> {
        Box::new(Self { rate, hop, delay, gain, kept: vec![0.0; delay] })
    }
}

impl SpeechNet for Late {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn hop(&self) -> usize {
        self.hop
    }

    fn delay(&self) -> usize {
        self.delay
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
        assert_eq!((input.len(), output.len()), (self.hop, self.hop));
        self.kept.extend_from_slice(input);
        for (out, sample) in output.iter_mut().zip(self.kept.drain(..self.hop)) {
            *out = sample * self.gain;
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.kept = vec![0.0; self.delay];
    }
}

fn clean(
    input: &Path,
    output: &Path,
    make_net: &dyn Fn() -> Box<dyn SpeechNet>,
    settings: CleanSettings,
) -> Result<CleanReport, AudioError> {
    let task =
        CleanTask { input, output, settings, encode: None, damage: Damage::Refuse, pool: None };
    clean_file(&task, &mut || Ok(make_net()), &Cancel::new(), &mut |_| Ok(()))
}

fn sines(rate: u32, frames: usize, hz: &[f32]) -> Vec<f32> {
    let at = |n: usize| n as f64 / f64::from(rate);
    (0..frames)
        .map(|n| {
            hz.iter()
                .map(|hz| 0.2 * (std::f64::consts::TAU * f64::from(*hz) * at(n)).sin() as f32)
                .sum()
        })
        .collect()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_network_that_does_nothing_changes_no_bit_at_equal_rates() {
    let folder = tempfile::tempdir().unwrap();
    for (container, format, extension) in [
        (Container::Wav, SampleFormat::Float32, "wav"),
        (Container::Wav, SampleFormat::Int16, "wav"),
        (Container::Flac, SampleFormat::Int24, "flac"),
    ] {
        for (channels, frames, hop, delay) in
            [(1, 1, 480, 960), (2, 10_000, 480, 960), (3, 4_800, 480, 0), (1, 5_000, 7, 3)]
        {
            let input = folder.path().join(format!("in.{extension}"));
            let output = folder.path().join(format!("out.{extension}"));
            let sound = noise(channels, frames, format);
            write(&input, &info(48_000, channels, format), container, &sound);
            let report = clean(
                &input,
                &output,
                &|| Late::net(48_000, hop, delay, 1.0),
                CleanSettings::default(),
            )
            .unwrap();
            assert_eq!(report.frames, frames as u64);
            assert!(read(&output) == sound, "{format:?} {channels} {frames} {hop} {delay}");
            assert_eq!(SoundFile::open(&output).unwrap().info().format, format);
        }
    }
}

#[test]
fn other_rates_keep_their_length_and_place_and_what_lies_above_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    for (rate, net_rate) in
        [(44_100, 16_000), (48_000, 16_000), (8_000, 16_000), (192_000, 48_000), (44_100, 48_000)]
    {
        for frames in [1, 2, 1_000, 30_000] {
            for high_band in [HighBand::Follow, HighBand::Keep] {
                let sound = sines(
                    rate,
                    frames,
                    &[500.0, 3_000.0, f32::from(u16::try_from(rate / 5).unwrap())],
                );
                write(
                    &input,
                    &info(rate, 1, SampleFormat::Float32),
                    Container::Wav,
                    std::slice::from_ref(&sound),
                );
                let settings = CleanSettings { high_band, ..CleanSettings::default() };
                clean(&input, &output, &|| Late::net(net_rate, 160, 320, 1.0), settings).unwrap();
                let cleaned = read(&output).remove(0);
                assert_eq!(cleaned.len(), frames, "{rate} {net_rate}");
                // With a band split the parts add up to the file; without one, the edges of the
                // file ring a little.
                let edge = if rate > net_rate { 0 } else { 600.min(frames / 2) };
                let apart = worst(&cleaned[edge..frames - edge], &sound[edge..frames - edge]);
                assert!(apart < 2e-5, "{rate} {net_rate} {frames} {high_band:?}: {apart}");
            }
        }
    }
}

#[test]
fn the_high_band_follows_the_network_or_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    let rms =
        |sound: &[f32]| (sound.iter().map(|v| v * v).sum::<f32>() / sound.len() as f32).sqrt();
    let (low, high) = (sines(48_000, 48_000, &[6_000.0]), sines(48_000, 48_000, &[15_000.0]));
    let both: Vec<f32> = low.iter().zip(&high).map(|(a, b)| a + b).collect();
    write(&input, &info(48_000, 1, SampleFormat::Float32), Container::Wav, &[both]);
    for (high_band, high_gain) in
        [(HighBand::Follow, 0.1), (HighBand::Keep, 1.0), (HighBand::Drop, 0.0)]
    {
        let settings = CleanSettings { high_band, ..CleanSettings::default() };
        clean(&input, &output, &|| Late::net(16_000, 160, 0, 0.1), settings).unwrap();
        let cleaned = &read(&output)[0][10_000..40_000];
        let wanted: Vec<f32> =
            low.iter().zip(&high).map(|(l, h)| 0.1 * l + high_gain * h).collect();
        let apart: Vec<f32> = cleaned.iter().zip(&wanted[10_000..]).map(|(a, b)| a - b).collect();
        assert!(rms(&apart) < 0.002, "{high_band:?}: {}", rms(&apart));
    }
}

#[test]
fn the_limit_mixes_the_original_back_in() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    let sound = noise(1, 5_000, SampleFormat::Float32).remove(0);
    write(
        &input,
        &info(48_000, 1, SampleFormat::Float32),
        Container::Wav,
        std::slice::from_ref(&sound),
    );
    for (limit_db, gain) in
        [(None, 0.5), (Some(0.0), 1.0), (Some(20.0), 0.55), (Some(6.0), 0.7506), (Some(100.0), 0.5)]
    {
        let settings = CleanSettings { limit_db, ..CleanSettings::default() };
        clean(&input, &output, &|| Late::net(48_000, 480, 960, 0.5), settings).unwrap();
        let wanted: Vec<f32> = sound.iter().map(|sample| sample * gain).collect();
        let apart = worst(&read(&output)[0], &wanted);
        assert!(apart < 1e-4, "{limit_db:?}: {apart}");
    }
}

#[test]
fn loudness_comes_to_its_target_and_the_peak_stays_below() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.wav"), folder.path().join("out.wav"));
    let quiet: Vec<f32> = sines(48_000, 96_000, &[1000.0]).iter().map(|v| v * 0.05).collect();
    let stereo = [quiet.clone(), quiet];
    write(&input, &info(48_000, 2, SampleFormat::Float32), Container::Wav, &stereo);
    // A sine of −1.3 dBTP in both channels is of −1.3 LUFS: there the peaks end the way to 0 LUFS.
    for (lufs, wanted, is_limited) in [(-23.0, -23.0, false), (0.0, -1.3, true)] {
        let target = LoudnessTarget { lufs, peak_dbtp: -1.0 };
        let settings = CleanSettings { loudness: Some(target), ..CleanSettings::default() };
        let report = clean(&input, &output, &|| Late::net(48_000, 480, 0, 1.0), settings).unwrap();
        let level = report.level.unwrap();
        assert!(level.gain_db > 10.0, "{level:?}");
        assert_eq!(level.limited_db > 0.5, is_limited, "{level:?}");
        let levelled = read(&output);
        assert_eq!(levelled[0].len(), 96_000);
        let mut meter = LoudnessMeter::new(48_000, 2).unwrap();
        meter.hear(&levelled).unwrap();
        assert!((meter.lufs().unwrap() - wanted).abs() < 0.2, "{}", meter.lufs().unwrap());
        assert!(meter.peak_dbtp().unwrap() < -1.0, "{}", meter.peak_dbtp().unwrap());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_pool_of_threads_changes_no_sample() {
    let sound = noise(2, 20_000, SampleFormat::Float32);
    let pool = Pool::new(3).unwrap();
    for effort in [Effort::Fast, Effort::Best] {
        let settings = CleanSettings { effort, dereverb: 0.5, ..CleanSettings::default() };
        let run = |pool: Option<&Pool>| {
            let mut make_net = || Ok(Late::net(16_000, 160, 40, 0.5));
            let mut cleaner = Cleaner::new(44_100, 2, &mut make_net, &settings).unwrap();
            if let Some(pool) = pool {
                cleaner = cleaner.in_pool(pool);
            }
            let (mut output, cancel) = (vec![Vec::new(); 2], Cancel::new());
            cleaner.push(&sound, &mut output, &cancel).unwrap();
            cleaner.finish(&mut output, &cancel).unwrap();
            output
        };
        let alone = run(None);
        assert!(alone.iter().all(|channel| channel.len() == 20_000));
        assert_eq!(run(Some(&pool)), alone);
    }
}

#[test]
fn samples_that_are_no_numbers_do_not_reach_the_network() {
    let mut cleaner = Cleaner::new(
        48_000,
        1,
        &mut || Ok(Late::net(48_000, 4, 0, 1.0)),
        &CleanSettings::default(),
    )
    .unwrap();
    let mut output = [Vec::new()];
    let cancel = Cancel::new();
    cleaner.push(&[vec![f32::NAN, 0.5, f32::INFINITY, -0.5]], &mut output, &cancel).unwrap();
    cleaner.finish(&mut output, &cancel).unwrap();
    assert_eq!(output[0], [0.0, 0.5, 0.0, -0.5]);
}

#[test]
fn whatever_goes_wrong_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.wav");
    let sound = noise(1, 50_000, SampleFormat::Int16);
    write(&input, &info(16_000, 1, SampleFormat::Int16), Container::Wav, &sound);
    let original = fs::read(&input).unwrap();
    let out = folder.path().join("out.flac");
    let task = |output| CleanTask {
        input: &input,
        output,
        settings: CleanSettings {
            loudness: Some(LoudnessTarget::default()),
            ..CleanSettings::default()
        },
        encode: None,
        damage: Damage::Refuse,
        pool: None,
    };
    let identity = || Ok(Late::net(16_000, 160, 0, 1.0));

    let cancel = Cancel::new();
    let stop_early = clean_file(&task(&out), &mut identity.clone(), &cancel, &mut |progress| {
        if matches!(progress, Progress::Cleaning(frames, _) if frames > 10_000) {
            cancel.cancel();
        }
        Ok(())
    });
    let cancel = Cancel::new();
    let stop_late = clean_file(&task(&out), &mut identity.clone(), &cancel, &mut |progress| {
        if matches!(progress, Progress::Levelling(frames, _) if frames > 10_000) {
            cancel.cancel();
        }
        Ok(())
    });
    let mut fails = || Err(AudioError::new(ErrorKind::Model, "no such network"));
    let no_net = clean_file(&task(&out), &mut fails, &Cancel::new(), &mut |_| Ok(()));
    let onto_itself =
        clean_file(&task(&input), &mut identity.clone(), &Cancel::new(), &mut |_| Ok(()));
    let gone = folder.path().join("gone/out.wav");
    let nowhere = clean_file(&task(&gone), &mut identity.clone(), &Cancel::new(), &mut |_| Ok(()));
    let bad_numbers = clean_file(
        &task(&out),
        &mut || Ok(Late::net(16_000, 160, 0, f32::NAN)),
        &Cancel::new(),
        &mut |_| Ok(()),
    );
    fs::write(folder.path().join("cut.wav"), &original[..original.len() / 2]).unwrap();
    let cut = clean(
        &folder.path().join("cut.wav"),
        &out,
        &|| identity().unwrap(),
        CleanSettings::default(),
    );
    for (result, kind) in [
        (stop_early, ErrorKind::Cancelled),
        (stop_late, ErrorKind::Cancelled),
        (no_net, ErrorKind::Model),
        (onto_itself, ErrorKind::Unwritable),
        (nowhere, ErrorKind::Unwritable),
        (bad_numbers, ErrorKind::Model),
        (cut, ErrorKind::Damaged),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert_eq!(fs::read(&input).unwrap(), original);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Ten minutes through the whole way: what is held at any time does not grow with the length.
#[test]
fn a_long_sound_is_never_held() {
    let rate = 16_000;
    let frames = rate as usize * 600;
    let settings = CleanSettings::default();
    let mut cleaner =
        Cleaner::new(rate, 1, &mut || Ok(Late::net(8_000, 160, 320, 1.0)), &settings).unwrap();
    let cancel = Cancel::new();
    let (mut output, mut block) = ([Vec::new()], [vec![0.0; 4096]]);
    let (mut pushed, mut given, mut most_out, mut most_behind) = (0, 0, 0, 0);
    while pushed < frames {
        let take = block[0].len().min(frames - pushed);
        block[0].truncate(take);
        for (n, sample) in block[0].iter_mut().enumerate() {
            *sample = ((pushed + n) % 97) as f32 / 97.0 - 0.5;
        }
        cleaner.push(&block, &mut output, &cancel).unwrap();
        pushed += take;
        given += output[0].len();
        most_out = most_out.max(output[0].len());
        most_behind = most_behind.max(pushed - given);
        output[0].clear();
    }
    cleaner.finish(&mut output, &cancel).unwrap();
    assert_eq!(given + output[0].len(), frames);
    assert!(most_out <= 3 * 4096, "{most_out}");
    assert!(most_behind <= 4 * 4096, "{most_behind}");
}
