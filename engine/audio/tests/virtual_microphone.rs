//! With a real sound server and devices that are not there: `virtual_microphone.sh` sets them up and
//! runs these. What is played into the sink "room" is heard by the default microphone; the default
//! loudspeaker is the sink "ears", which the microphone "ears" listens to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test program

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use limpid_audio::MemoryReader;
use limpid_audio::live::{
    Direction, MonitorRequest, RecordRequest, Recorder, SampleKind, Snapshot, State, Take, Wanted,
    devices,
};
use limpid_audio::play::{Listen, PlayEvent, Player};

const RATE: u32 = 48_000;
const EXACT: Wanted = Wanted { rate: Some(RATE), channels: Some(1), kind: Some(SampleKind::I16) };

/// Seconds that are recorded, ten if nothing else is asked for.
fn seconds() -> usize {
    std::env::var("LIMPID_TEST_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(10)
}

/// Noise without a zero, the same every time.
fn noise(samples: usize) -> Vec<i16> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as i16) | 1
    };
    (0..samples).map(|_| next()).collect()
}

fn write_wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let mut block = writer.get_i16_writer(samples.len() as u32);
    samples.iter().for_each(|&x| block.write_sample(x));
    block.flush().unwrap();
    writer.finalize().unwrap();
}

fn read_wav(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().into_samples().map(Result::unwrap).collect()
}

fn record(path: &Path, device: Option<&str>) -> Recorder {
    let request = RecordRequest { raw: path.to_owned(), ..RecordRequest::default() };
    let recorder = Recorder::start(request, device.map(str::to_owned), EXACT).unwrap();
    wait("the microphone", &recorder, |s| s.frames > 0);
    recorder
}

fn wait(what: &str, recorder: &Recorder, done: impl Fn(&Snapshot) -> bool) {
    let started = Instant::now();
    while !done(&recorder.snapshot()) {
        let now = recorder.snapshot();
        assert!(started.elapsed().as_secs() < 30, "waited in vain for {what}: {now:?}");
        assert!(!recorder.is_finished() || done(&recorder.snapshot()), "it ended");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Where in what was heard the played samples are, all of them, none changed.
fn assert_heard(take: &Take, played: &[i16], what: &str) {
    let heard = read_wav(&take.raw);
    assert_eq!(heard.len() as u64, take.frames);
    let start = heard.windows(64).position(|w| w == &played[..64]).expect("none of it was heard");
    let there = &heard[start..];
    let same = played.iter().zip(there).take_while(|(a, b)| a == b).count();
    println!(
        "{what}: {} of {} samples equal from sample {start} on; {} dropped, {} overruns",
        same,
        played.len(),
        take.dropped_frames,
        take.overruns
    );
    assert_eq!(same, played.len());
    assert_eq!((take.dropped_frames, take.overruns), (0, 0));
    assert!(take.ended_early.is_none());
}

#[test]
#[ignore = "needs the sound server of virtual_microphone.sh"]
fn devices_are_listed_as_they_open() {
    let inputs = devices(Direction::Input).unwrap();
    for device in &inputs {
        println!("{}, {}: {:?}", device.id, device.name, device.preferred);
    }
    assert!(inputs[0].is_default);
    assert!(inputs[0].formats.iter().any(|f| f.rate == RATE && f.kind == SampleKind::I16));
    assert!(inputs.iter().any(|device| device.id.ends_with(":ears")));
    assert!(devices(Direction::Output).unwrap()[0].is_default);
    let nobody = Recorder::start(
        RecordRequest { raw: "nothing.wav".into(), ..RecordRequest::default() },
        Some("nobody".to_owned()),
        EXACT,
    );
    let error = nobody.unwrap().finish().unwrap_err();
    assert_eq!(error.to_string(), "there is no microphone called \"nobody\"");
}

#[test]
#[ignore = "needs the sound server of virtual_microphone.sh"]
fn the_raw_take_is_what_was_played_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let played = noise(seconds() * RATE as usize);
    let source = folder.path().join("played.wav");
    // the sink swallows the first milliseconds of what is played into it
    write_wav(&source, &[vec![0; RATE as usize / 2], played.clone()].concat());
    let recorder = record(&folder.path().join("heard.wav"), None);
    let status = Command::new("paplay").arg("--device=room").arg(&source).status().unwrap();
    assert!(status.success());
    thread::sleep(Duration::from_millis(500));
    assert_heard(&recorder.finish().unwrap(), &played, "recorded");
}

#[test]
#[ignore = "needs the sound server of virtual_microphone.sh"]
fn the_player_plays_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let played = noise(3 * RATE as usize);
    // behind a start that the fade-in changes
    let floats = |gain: f32| {
        let plane = std::iter::repeat_n(0.0, 4800)
            .chain(played.iter().map(|&x| f32::from(x) / 32_768.0 * gain))
            .chain(std::iter::repeat_n(0.0, 4800))
            .collect::<Vec<f32>>();
        MemoryReader::new(RATE, vec![plane])
    };
    let recorder = record(&folder.path().join("heard.wav"), Some("ears"));
    let mut player =
        Player::open(vec![(Box::new(floats(0.0)), 1.0), (Box::new(floats(0.5)), 2.0)], None)
            .unwrap();
    player.listen(Listen::To(1));
    player.play();
    let event = player.events().recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(matches!(event, PlayEvent::Ended), "{event:?}");
    assert_eq!(player.position(), played.len() as u64 + 9600);
    println!("{} frames starved", player.starved_frames());
    thread::sleep(Duration::from_millis(500));
    assert_heard(&recorder.finish().unwrap(), &played, "played");
}

#[test]
#[ignore = "needs the sound server of virtual_microphone.sh"]
fn the_monitor_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("played.wav");
    write_wav(&source, &noise(3 * RATE as usize));
    let ears = record(&folder.path().join("ears.wav"), Some("ears"));
    let room = record(&folder.path().join("room.wav"), None);
    room.set_monitor(Some(MonitorRequest { device: None, gain: 1.0 }));
    wait("the loudspeaker", &room, |s| s.is_monitored);
    let status = Command::new("paplay").arg("--device=room").arg(&source).status().unwrap();
    assert!(status.success());
    thread::sleep(Duration::from_millis(500));
    room.set_monitor(None);
    let take = room.finish().unwrap();
    assert!(take.monitor_failed.is_none());
    let (room, ears) = (read_wav(&take.raw), read_wav(&ears.finish().unwrap().raw));
    // the clocks are not one: a stretch from the middle is enough
    let at = room.iter().position(|&x| x != 0).unwrap() + RATE as usize;
    let stretch = &room[at..at + 4800];
    assert!(ears.windows(4800).any(|w| w == stretch), "the loudspeaker gave something else");
}

#[test]
#[ignore = "needs the sound server of virtual_microphone.sh, and stops it"]
fn z_a_server_that_goes_leaves_the_take() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = record(&folder.path().join("heard.wav"), None);
    wait("a second", &recorder, |s| s.elapsed_secs() > 1.0);
    let server = std::env::var("LIMPID_TEST_PULSE_PID").unwrap();
    assert!(Command::new("kill").args(["-9", &server]).status().unwrap().success());
    wait("the end", &recorder, |s| s.state == State::Finished);
    let take = recorder.finish().unwrap();
    println!("{}", take.ended_early.as_ref().unwrap());
    assert!(take.ended_early.unwrap().to_string().starts_with("the microphone "));
    assert_eq!(read_wav(&take.raw).len() as u64, take.frames);
    assert!(take.frames > 48_000);
}
