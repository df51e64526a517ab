//! A recording under way.

use eframe::egui::Key;
use egui_kittest::kittest::{NodeT, Queryable};
use limpid_engine::studio::{Now, RecordingNow, StudioCommand, StudioEvent};

use super::super::super::state::Page;
use super::{LONG_NAME, Window, microphone};

#[test]
fn a_recording_under_way_shows_its_level_and_what_was_lost() {
    let mut window = Window::new();
    window.tell(StudioEvent::Devices(vec![microphone("a", "Built-in microphone", true)]));
    window.asked();
    window.press(Key::R);
    assert!(matches!(window.asked().as_slice(), [StudioCommand::Record { .. }]));
    window.tell(StudioEvent::RecordingStarted(LONG_NAME.into()));
    let recording = RecordingNow {
        is_paused: false,
        seconds: 83.46,
        peak_db: -8.0,
        held_peak_db: -2.0,
        rms_db: -21.0,
        has_clipped: true,
        dropped_frames: 0,
        seconds_left: Some(7_900.0),
    };
    window.set_now(Now { recording: Some(recording.clone()), ..Now::default() });
    assert!(window.has("1:23.5") && window.has("Nothing lost"));
    assert!(window.has("The take being recorded keeps what it began with."));
    let level = window.harness.get_by_label("Level");
    assert_eq!(level.accesskit_node().numeric_value(), Some(-8.0));
    // Without a picture first, then one that grew.
    window.shoot("6-recording-begins");
    let length = |window: &Window| {
        let picture = window.harness.get_by_label("The last 20 seconds");
        picture.accesskit_node().numeric_value()
    };
    assert_eq!(length(&window), Some(0.0));
    window.grow(0, 420);
    assert_eq!(length(&window), Some(8.4));
    window.shoot("6-recording-grows");
    window.grow(420, 4_173);
    assert_eq!(length(&window), Some(83.46));
    window.shoot("6-recording");
    window.press(Key::Space);
    let paused = RecordingNow {
        is_paused: true,
        dropped_frames: 480,
        has_clipped: false,
        peak_db: -120.0,
        rms_db: -120.0,
        held_peak_db: -31.0,
        seconds_left: Some(42.0),
        ..recording
    };
    window.set_now(Now { recording: Some(paused), ..Now::default() });
    assert!(window.has("480 frames lost") && window.has("Paused"));
    window.shoot("7-paused");
    window.click("Go on");
    window.click("Play what is recorded");
    window.click("Stop");
    assert_eq!(
        window.asked(),
        [
            StudioCommand::PauseRecording(true),
            StudioCommand::PauseRecording(false),
            StudioCommand::MonitorRecording(true),
            StudioCommand::StopRecording,
        ]
    );
}

#[test]
fn a_recording_under_way_has_room_in_a_small_window() {
    let mut window = Window::with_size([900.0, 560.0], Page::Voice);
    let name = "A microphone whose maker thought that its name should say all about it";
    window.tell(StudioEvent::Devices(vec![microphone("a", name, true)]));
    window.tell(StudioEvent::RecordingStarted(LONG_NAME.into()));
    let recording = RecordingNow {
        seconds: 12_345.6,
        peak_db: -8.0,
        held_peak_db: -2.0,
        rms_db: -21.0,
        seconds_left: Some(7_900.0),
        ..RecordingNow::default()
    };
    window.set_now(Now { recording: Some(recording), ..Now::default() });
    window.grow(0, 900);
    window.shoot("14-small-recording");
    let picture = window.harness.get_by_label("The last 20 seconds").rect();
    let level = window.harness.get_by_label("Level").rect();
    let stop = window.harness.get_by_label("Stop").rect();
    assert!(level.width() > 200.0 && level.bottom() < picture.top(), "{level:?}");
    assert!(picture.height() > 150.0 && picture.bottom() < stop.top(), "{picture:?}");
    let cards = window.harness.get_by_label("Reset output").rect();
    assert!(picture.right() < cards.left() && level.right() < cards.left(), "{picture:?}");
}
