//! The recorder with a feed in place of a microphone, and a disk that can be small.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::thread;

use tempfile::TempDir;

use super::*;
use crate::live::storage::{Disk, TakeFile};
use crate::live::{CleanRequest, Fault, Feed, Recorder, SampleKind, Snapshot};
use crate::speech_net::SpeechNet;

const MONO: StreamFormat = StreamFormat { rate: 8000, channels: 1, kind: SampleKind::I16 };

/// Bytes without a pattern, the same every time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// Samples that say where they are.
fn ramp(from: usize, to: usize) -> Vec<u8> {
    (from..to).flat_map(|i| (i as i16).to_ne_bytes()).collect()
}

fn wait(what: &str, recorder: &Recorder, done: impl Fn(&Snapshot) -> bool) {
    let started = Instant::now();
    while !done(&recorder.snapshot()) {
        assert!(started.elapsed().as_secs() < 30, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn start(request: RecordRequest, format: StreamFormat) -> (Feed, Recorder) {
    let (feed, capture) = Capture::fed(format, 60.0);
    (feed, Recorder::start_from(request, move || Ok(capture)).unwrap())
}

/// Cleans with copies of `net`.
fn through(net: Late) -> Option<CleanRequest> {
    Some(CleanRequest::new(Box::new(move || Ok(Box::new(net.clone())))))
}

fn request(folder: &TempDir) -> RecordRequest {
    RecordRequest { raw: folder.path().join("take.wav"), ..RecordRequest::default() }
}

/// The sound of a WAV by its own header, and what another reader says it is.
fn read_wav(path: &Path) -> (hound::WavSpec, Vec<u8>) {
    let spec = hound::WavReader::open(path).unwrap().spec();
    let bytes = std::fs::read(path).unwrap();
    let at = 8 + bytes.windows(4).position(|w| w == b"data").unwrap();
    let size = u32::from_le_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
    let riff = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    assert_eq!(riff + 8, at + size + size % 2, "the sizes agree");
    (spec, bytes[at..at + size].to_vec())
}

/// Gives what it hears, `delay` samples late.
#[derive(Clone)]
struct Late {
    rate: u32,
    delay: usize,
    fails_at: Option<usize>,
    nap: Duration,
    line: std::collections::VecDeque<f32>,
    hops: usize,
}

impl Late {
    fn new(rate: u32, delay: usize) -> Self {
        let line = std::iter::repeat_n(0.0, delay).collect();
        Self { rate, delay, fails_at: None, nap: Duration::ZERO, line, hops: 0 }
    }
}

impl SpeechNet for Late {
    fn rate(&self) -> u32 {
        self.rate
    }
    fn hop(&self) -> usize {
        80
    }
    fn delay(&self) -> usize {
        self.delay
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
        self.hops += 1;
        if self.fails_at == Some(self.hops) {
            return Err(AudioError::new(ErrorKind::Model, "the model gave up"));
        }
        if !self.nap.is_zero() {
            thread::sleep(self.nap);
        }
        self.line.extend(input);
        for sample in output {
            *sample = self.line.pop_front().unwrap_or(0.0);
        }
        Ok(())
    }
    fn reset(&mut self) {}
}

#[test]
fn the_raw_take_is_what_the_device_gave_bit_for_bit() {
    for kind in SampleKind::ALL {
        for channels in [1, 2, 3] {
            let folder = TempDir::new().unwrap();
            let format = StreamFormat { rate: 44_100, channels, kind };
            let heard = noise(1001 * format.wire_frame_bytes());
            let (mut feed, recorder) = start(request(&folder), format);
            for part in heard.chunks(37 * format.wire_frame_bytes()) {
                feed.push(part);
            }
            let take = recorder.finish().unwrap();
            assert_eq!((take.frames, take.dropped_frames), (1001, 0));
            assert!(take.ended_early.is_none());
            let (spec, sound) = read_wav(&take.raw);
            let expected: Vec<u8> = heard
                .chunks(kind.wire_bytes())
                .flat_map(|sample| sample[..kind.file_bytes()].to_vec())
                .collect();
            assert!(sound == expected, "{format:?}");
            assert_eq!((spec.channels, spec.sample_rate), (channels, 44_100));
            assert_eq!(spec.bits_per_sample, kind.bits());
            assert_eq!(spec.sample_format == hound::SampleFormat::Float, kind == SampleKind::F32);
        }
    }
}

#[test]
fn the_clean_take_lies_on_the_raw_ones_axis() {
    for (frames, delay) in [(1000, 0), (4321, 200), (5, 333)] {
        let folder = TempDir::new().unwrap();
        let clean = through(Late::new(8000, delay));
        let (mut feed, recorder) = start(RecordRequest { clean, ..request(&folder) }, MONO);
        feed.push(&ramp(0, frames));
        let take = recorder.finish().unwrap();
        let clean = take.clean.unwrap();
        assert!(clean.ends_with("take (clean).wav"));
        assert_eq!(take.clean_ended_early.map(|e| e.to_string()), None);
        assert_eq!(read_wav(&clean), read_wav(&take.raw), "{frames} frames, {delay} late");
    }
}

#[test]
fn a_network_of_another_rate_gets_its_own_and_the_take_keeps_the_full_band() {
    let folder = TempDir::new().unwrap();
    let stereo = StreamFormat { rate: 44_100, channels: 2, kind: SampleKind::F32 };
    let clean = through(Late::new(16_000, 40));
    let (mut feed, recorder) = start(RecordRequest { clean, ..request(&folder) }, stereo);
    // One tone in the network's band, one above it.
    let tone = |i: usize, hz: f32| (std::f32::consts::TAU * hz * i as f32 / 44_100.0).sin();
    let heard = |i: usize| 0.5 * tone(i, 500.0) + 0.25 * tone(i, 12_000.0);
    for i in 0..44_100 {
        feed.push(&[heard(i).to_ne_bytes(), (heard(i) * 0.5).to_ne_bytes()].concat());
    }
    let take = recorder.finish().unwrap();
    let clean = take.clean.unwrap();
    let mut reader = hound::WavReader::open(&clean).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (1, 44_100));
    let samples: Vec<f32> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(samples.len(), 44_100);
    for (i, sample) in samples.iter().enumerate().skip(3000).take(38_000) {
        assert!((sample - 0.75 * heard(i)).abs() < 2e-3, "sample {i}: {sample}");
    }
}

#[test]
fn an_echo_taken_out_costs_the_take_no_sample() {
    let folder = TempDir::new().unwrap();
    let mut clean = through(Late::new(8000, 100)).unwrap();
    clean.settings.dereverb = 0.5;
    let wanted = RecordRequest { clean: Some(clean), ..request(&folder) };
    let (mut feed, recorder) = start(wanted, MONO);
    feed.push(&ramp(0, 20_000));
    let take = recorder.finish().unwrap();
    assert!(take.clean_ended_early.is_none());
    let (clean, raw) = (read_wav(&take.clean.unwrap()).1, read_wav(&take.raw).1);
    assert_eq!(clean.len(), raw.len());
    assert!(clean != raw, "the echo of a ramp is the ramp");
}

#[test]
fn a_pause_is_cut_out() {
    let folder = TempDir::new().unwrap();
    let (mut feed, recorder) = start(request(&folder), MONO);
    feed.push(&ramp(0, 1000));
    recorder.pause();
    wait("the pause", &recorder, |s| s.state == State::Paused);
    assert_eq!(recorder.snapshot().frames, 1000, "what came before the pause is in");
    feed.push(&i16::MIN.to_ne_bytes());
    feed.push(&ramp(1000, 2000));
    wait("the meter", &recorder, |s| s.level.clipped_samples == 1);
    recorder.clear_clip();
    assert_eq!(recorder.snapshot().level.clipped_samples, 0);
    recorder.resume();
    wait("the rest", &recorder, |s| s.state == State::Recording);
    feed.push(&ramp(2000, 2500));
    let take = recorder.finish().unwrap();
    assert!(read_wav(&take.raw).1 == [ramp(0, 1000), ramp(2000, 2500)].concat());
}

#[test]
fn a_device_that_goes_takes_nothing_with_it() {
    let folder = TempDir::new().unwrap();
    let clean = through(Late::new(8000, 100));
    let (mut feed, recorder) = start(RecordRequest { clean, ..request(&folder) }, MONO);
    feed.push(&ramp(0, 3000));
    feed.flag().count_overrun();
    feed.flag().raise(Fault::Unplugged);
    wait("the end", &recorder, |s| s.state == State::Finished);
    let take = recorder.finish().unwrap();
    let told = take.ended_early.unwrap();
    assert_eq!(told.kind(), ErrorKind::Device);
    assert_eq!(
        told.to_string(),
        "the microphone was unplugged or switched off, what was recorded until then is kept"
    );
    assert_eq!((take.frames, take.overruns), (3000, 1));
    assert!(read_wav(&take.raw).1 == ramp(0, 3000));
    assert!(read_wav(&take.clean.unwrap()).1 == ramp(0, 3000));
}

#[test]
fn nothing_heard_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let clean = through(Late::new(8000, 100));
    let (feed, recorder) = start(RecordRequest { clean, ..request(&folder) }, MONO);
    drop(feed);
    let error = recorder.finish().unwrap_err();
    assert_eq!(error.to_string(), "the microphone was unplugged or switched off");
    let failing = Recorder::start_from(request(&folder), || Err(AudioError::internal("no device")));
    assert_eq!(failing.unwrap().finish().unwrap_err().to_string(), "no device");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_that_are_there_stay_as_they_are() {
    for (there, with_net) in [("take.wav", false), ("take (clean).wav", true)] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(there), b"mine").unwrap();
        let clean = if with_net { through(Late::new(8000, 0)) } else { None };
        let (_feed, recorder) = start(RecordRequest { clean, ..request(&folder) }, MONO);
        let error = recorder.finish().unwrap_err();
        assert!(error.to_string().starts_with("there is already a file of this name: "), "{error}");
        assert_eq!(std::fs::read(folder.path().join(there)).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn lost_frames_are_counted() {
    let folder = TempDir::new().unwrap();
    let (mut feed, capture) = Capture::fed(MONO, 0.1);
    feed.push(&ramp(0, 1000));
    let recorder = Recorder::start_from(request(&folder), move || Ok(capture)).unwrap();
    wait("the frames", &recorder, |s| s.frames == 800);
    assert_eq!(recorder.snapshot().dropped_frames, 200);
    assert!((recorder.snapshot().elapsed_secs() - 0.1).abs() < 1e-9);
    let take = recorder.finish().unwrap();
    assert_eq!((take.frames, take.dropped_frames), (800, 200));
}

#[test]
fn a_network_that_fails_or_is_slow_costs_the_clean_take_alone() {
    let failing = Late { fails_at: Some(11), ..Late::new(8000, 0) };
    let slow = Late { nap: Duration::from_millis(5), ..Late::new(8000, 0) };
    for (net, sentence) in [(failing, "the model gave up"), (slow, "too slow")] {
        let folder = TempDir::new().unwrap();
        let request = RecordRequest { clean: through(net), ..request(&folder) };
        let (mut feed, recorder) = start(request, MONO);
        for second in 0..40 {
            feed.push(&ramp(second * 8000, (second + 1) * 8000));
        }
        wait("the failure", &recorder, |s| s.clean_has_ended && s.frames == 320_000);
        let take = recorder.finish().unwrap();
        let told = take.clean_ended_early.unwrap();
        assert!(told.to_string().contains(sentence), "{told}");
        assert!(take.ended_early.is_none());
        let whole = ramp(0, 320_000);
        assert!(read_wav(&take.raw).1 == whole);
        let clean = read_wav(&take.clean.unwrap()).1;
        assert!(clean.len() >= 1600 && whole.starts_with(&clean), "{} bytes", clean.len());
    }
}

#[test]
fn a_picture_gets_both_sides() {
    let folder = TempDir::new().unwrap();
    let clean = through(Late::new(8000, 80));
    let (mut feed, mut recorder) = start(RecordRequest { clean, ..request(&folder) }, MONO);
    let mut views = recorder.take_views().unwrap();
    feed.push(&ramp(0, 800));
    let (mut raw, mut clean) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while (raw.len(), clean.len()) != (800, 720) && started.elapsed().as_secs() < 20 {
        views.raw.read(&mut raw);
        views.clean.read(&mut clean);
    }
    assert_eq!(raw[..720], clean[..]);
    assert_eq!(raw[799], 799.0 / 32_768.0);
}

/// A disk with room for so many bytes.
struct Small(Arc<AtomicU64>);

struct SmallFile {
    file: File,
    room: Arc<AtomicU64>,
}

impl Storage for Small {
    fn create(&self, path: &Path) -> io::Result<Box<dyn TakeFile>> {
        Disk.create(path)?;
        let file = File::options().write(true).open(path)?;
        Ok(Box::new(SmallFile { file, room: Arc::clone(&self.0) }))
    }
}

impl Write for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (at, end) = (self.file.stream_position()?, self.file.metadata()?.len());
        let grows = (at + bytes.len() as u64).saturating_sub(end);
        let room = self.room.load(Ordering::Relaxed);
        let fits = bytes.len() - grows.saturating_sub(room) as usize;
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(grows.min(room), Ordering::Relaxed);
        self.file.write(&bytes[..fits])
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SmallFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl TakeFile for SmallFile {
    fn flush_handle(&self) -> io::Result<Option<File>> {
        Ok(None)
    }
    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
}

#[test]
fn a_full_disk_ends_a_take_that_stays_whole() {
    for with_net in [false, true] {
        let folder = TempDir::new().unwrap();
        let room = Arc::new(AtomicU64::new(50_001));
        let clean = if with_net { through(Late::new(8000, 0)) } else { None };
        let (mut feed, capture) = Capture::fed(MONO, 60.0);
        let recorder = Recorder::start_on(
            RecordRequest { clean, ..request(&folder) },
            move || Ok(capture),
            Box::new(Small(room)),
        )
        .unwrap();
        for part in 0..100 {
            feed.push(&ramp(part * 800, (part + 1) * 800));
            let there = (part as u64 + 1) * 800;
            wait("a block", &recorder, |s| s.frames >= there || s.state == State::Finished);
        }
        wait("the full disk", &recorder, |s| s.state == State::Finished);
        let take = recorder.finish().unwrap();
        let told = take.ended_early.unwrap();
        assert_eq!(told.kind(), ErrorKind::Unwritable);
        assert_eq!(
            told.to_string(),
            format!(
                "the disk is full, what was recorded until then is kept: {}",
                take.raw.display()
            )
        );
        let whole = ramp(0, 80_000);
        let (_, sound) = read_wav(&take.raw);
        assert!(whole.starts_with(&sound) && sound.len() % 2 == 0);
        assert_eq!(sound.len() as u64, take.frames * 2);
        assert!(sound.len() > 20_000, "{}", sound.len());
        if let Some(clean) = take.clean {
            let (_, sound) = read_wav(&clean);
            assert!(whole.starts_with(&sound) && !sound.is_empty());
        }
    }
}
