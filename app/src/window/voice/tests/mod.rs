//! The page as a person uses it, found by its accessible names. The studio's end of the link is held
//! by the test. With `LIMPID_SHOTS=FOLDER` each state is written as a picture.

mod files;
mod recording;

use std::path::PathBuf;

use eframe::egui::{self, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use limpid_engine::studio::{
    Listening, LiveTrack, LiveView, Microphone, Now, Opened, SoundView, StudioCommand, StudioEvent,
    Track, ViewRequest,
};
use limpid_engine::{Effort, SoundFormat, Speech};

use super::super::command::Command;
use super::super::engine_link::{EngineLink, LinkEnd};
use super::super::picture::{Textures, shoot};
use super::super::shell::Shell;
use super::super::state::{Action, Page, PathPurpose, Remembered};
use super::super::theme;
use super::{StudioEnd, StudioLink};
use crate::canvas::CanvasSettings;

struct Window {
    harness: Harness<'static, Shell>,
    engine: LinkEnd,
    studio: StudioEnd,
    textures: Textures,
}

impl Window {
    fn new() -> Self {
        Self::with_size([1440.0, 900.0], Page::Voice)
    }

    fn with_size(size: [f32; 2], page: Page) -> Self {
        let (link, engine) = EngineLink::for_test();
        let (studio_link, studio) = StudioLink::for_test();
        let remembered = Remembered { page, ..Remembered::default() };
        let shell = Shell::new(
            &egui::Context::default(),
            link,
            studio_link,
            remembered,
            CanvasSettings::default(),
        );
        let textures = Textures::default();
        let harness = Harness::builder()
            .with_size(size)
            .with_max_steps(40)
            .with_context_setup(theme::apply)
            .renderer(textures.clone())
            .build_ui_state(
                |ui, shell: &mut Shell| {
                    let ctx = ui.ctx().clone();
                    shell.poll(&ctx);
                    shell.ui(ui);
                },
                shell,
            );
        let mut window = Self { harness, engine, studio, textures };
        window.settle();
        window
    }

    fn settle(&mut self) {
        self.harness.run_steps(4);
    }

    fn tell(&mut self, event: StudioEvent) {
        self.studio.events.send(event).unwrap();
        self.settle();
    }

    /// What was asked since the last time, without requests for views.
    fn asked(&self) -> Vec<StudioCommand> {
        let is_view = |ask: &StudioCommand| matches!(ask, StudioCommand::View(_));
        self.studio.asked.try_iter().filter(|ask| !is_view(ask)).collect()
    }

    fn press(&mut self, key: Key) {
        self.harness.key_press_modifiers(Modifiers::NONE, key);
        self.settle();
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
    }

    /// Takes an entry of a list.
    fn choose(&mut self, list: &str, entry: &str) {
        self.harness.get_by_role_and_label(Role::ComboBox, list).click();
        self.settle();
        self.click(entry);
    }

    fn has(&self, text: &str) -> bool {
        self.harness.query_all_by_label(text).next().is_some()
    }

    fn set_now(&mut self, now: Now) {
        *self.studio.now.lock().unwrap() = now;
        self.settle();
    }

    /// Opens a recording of `seconds` and answers its requests for views until there are none.
    fn open(&mut self, path: &str, seconds: f64, is_clean: bool) {
        let opened = Opened {
            path: path.into(),
            seconds,
            rate: 48_000,
            channels: 1,
            format: "WAV, 24 bit".into(),
        };
        self.tell(StudioEvent::Opened(opened));
        if is_clean {
            let model = "Limpid speech".to_owned();
            self.tell(StudioEvent::Cleaned { model, real_time_factor: 0.04 });
        }
        self.answer_views(is_clean);
    }

    fn answer_views(&mut self, is_clean: bool) -> Vec<ViewRequest> {
        let mut answered = Vec::new();
        for _ in 0..8 {
            let view = |ask| match ask {
                StudioCommand::View(request) => Some(request),
                _ => None,
            };
            let requests: Vec<_> = self.studio.asked.try_iter().filter_map(view).collect();
            if requests.is_empty() {
                break;
            }
            for request in requests {
                self.tell(StudioEvent::View(view_of(request, is_clean)));
                answered.push(request);
            }
        }
        answered
    }

    /// The recording under way grows by these columns; the clean one is half a second late.
    fn grow(&mut self, from: u64, to: u64) {
        // No more than the studio keeps.
        let most = (LiveTrack::KEPT_SECONDS * f64::from(LiveTrack::COLUMNS_A_SECOND)) as u64;
        let start = from.max(to.saturating_sub(most));
        let late = |column: u64| column.saturating_sub(25).max(start);
        *self.studio.live.lock().unwrap() = Some(LiveView {
            take: 1,
            top_hz: 24_000.0,
            raw: live_track(start, to, -30.0),
            clean: Some(live_track(start, late(to), -75.0)),
        });
        self.settle();
    }

    fn shoot(&self, name: &str) {
        shoot(&self.harness, &self.textures, name);
    }
}

/// A voice with pauses over a fan, or without the fan.
fn track(request: ViewRequest, noise_db: f32) -> Track {
    let ViewRequest { from, to, width, height, .. } = request;
    let top_hz = 24_000.0_f32;
    let mut seed = 1_u32;
    let mut grain = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 16_777_216.0
    };
    let second = |column: u32| (from + (to - from) * f64::from(column) / f64::from(width)) as f32;
    let voiced = |t: f32| {
        let word = (t * 2.6).sin() * (t * 0.71 + 0.6).sin();
        (word - 0.05).max(0.0).powf(0.6)
    };
    let noise = 10.0_f32.powf(noise_db / 20.0) * 3.0;
    let mut peaks = Vec::new();
    for column in 0..width {
        let size = 0.62 * voiced(second(column)) * (0.7 + 0.3 * grain()) + noise * (0.7 + grain());
        peaks.push((-size * (0.8 + 0.2 * grain()), size));
    }
    let mut db = Vec::new();
    for row in 0..height {
        let hz = top_hz * (1.0 - (row as f32 + 0.5) / height as f32);
        for column in 0..width {
            let t = second(column);
            let pitch = 130.0 + 25.0 * (t * 1.9).sin();
            let harmonic = (hz / pitch * std::f32::consts::TAU).cos() * 0.5 + 0.5;
            let formant = 1.0 / (1.0 + ((hz - 600.0) / 500.0).powi(2))
                + 0.4 / (1.0 + ((hz - 2300.0 - 500.0 * (t * 3.1).sin()) / 600.0).powi(2))
                + 0.03 / (1.0 + (hz / 6000.0).powi(2));
            let speech = 0.2 * voiced(t) * formant * (0.15 + harmonic);
            let fan = 10.0_f32.powf((noise_db - hz / 1500.0) / 20.0) * (0.4 + grain());
            let value = 20.0 * (speech + 0.1 * fan + 1e-5).log10();
            db.push(value.clamp(Track::FLOOR_DB, 0.0));
        }
    }
    Track { peaks, spectrogram: db.into(), top_hz }
}

/// Columns `from..to` of a recording under way, as the studio draws them.
fn live_track(from: u64, to: u64, noise_db: f32) -> LiveTrack {
    let second = |column: u64| column as f64 / f64::from(LiveTrack::COLUMNS_A_SECOND);
    let (width, height) = ((to - from) as u32, LiveTrack::ROWS as u32);
    let request = ViewRequest { id: 0, from: second(from), to: second(to), width, height };
    let drawn = track(request, noise_db);
    let columns = 0..(width as usize);
    let rows = |x: usize| (0..LiveTrack::ROWS).map(move |y| (x, y));
    let spectrogram =
        columns.flat_map(rows).map(|(x, y)| drawn.spectrogram[y * width as usize + x]).collect();
    LiveTrack { first: from, peaks: drawn.peaks, spectrogram }
}

fn view_of(request: ViewRequest, is_clean: bool) -> SoundView {
    SoundView {
        id: request.id,
        from: request.from,
        to: request.to,
        original: track(request, -30.0),
        clean: is_clean.then(|| track(request, -75.0)),
    }
}

fn microphone(id: &str, name: &str, is_default: bool) -> Microphone {
    let format = "48 kHz, 2 channels, 16 bit".into();
    Microphone { id: id.into(), name: name.into(), is_default, format }
}

const LONG_NAME: &str = "/takes/Interview with the committee on the restoration of the old town \
                         hall, second part, room with the fan and the open window 2026-03-14.wav";

#[test]
fn an_empty_page_says_what_to_do_and_lists_the_microphones() {
    let mut window = Window::new();
    assert_eq!(window.asked(), [StudioCommand::ListDevices], "asked once, at the first visit");
    assert!(window.has("Drop a recording here"));
    assert!(window.has("Looking for microphones…"));
    window.tell(StudioEvent::Devices(vec![
        microphone("built-in", "Built-in microphone", true),
        microphone("usb", "Yeti Stereo Microphone, USB audio class 1.0, front panel", false),
    ]));
    window.harness.get_by_label_contains("Built-in microphone (default)");
    window.shoot("1-empty");
    window.click("Record now");
    let device = None;
    let clean = Some(Speech::default());
    assert_eq!(window.asked(), [StudioCommand::Record { device, clean, monitor: false }]);

    window.tell(StudioEvent::Devices(Vec::new()));
    assert_eq!(window.harness.get_all_by_label("No microphone was found.").count(), 2);
}

#[test]
fn the_studio_starts_with_the_first_visit_of_the_page() {
    let mut window = Window::with_size([1440.0, 900.0], Page::Photos);
    assert_eq!(window.asked(), []);
    assert!(window.has("Drop photos or folders here"));
    window.shoot("0-photos");
    window.click("Voice");
    assert_eq!(window.asked(), [StudioCommand::ListDevices]);
    assert_eq!(window.harness.state().remembered().page, Page::Voice, "remembered");
    window.click("Photos");
    window.click("Voice");
    assert_eq!(window.asked(), [], "once");
}

#[test]
fn an_opened_recording_is_drawn_cleaned_played_and_saved() {
    let mut window = Window::new();
    window.tell(StudioEvent::Devices(vec![microphone("a", "Built-in microphone", true)]));
    window.asked();
    window.open("/in/talk.wav", 21.3, false);
    window.tell(StudioEvent::Cleaning(0.42));
    assert!(window.has("Cleaning… 42 %"));
    let save = window.harness.get_by_label("Save clean recording…");
    assert!(save.accesskit_node().is_disabled(), "nothing to save yet");
    window.shoot("2-cleaning");

    window.asked();
    window.tell(StudioEvent::Cleaned { model: "Limpid speech".into(), real_time_factor: 0.04 });
    assert_eq!(window.answer_views(true).len(), 1, "the clean track is asked for");
    assert!(window.has("Cleaned with Limpid speech, 25 times faster than it plays."));
    window.click("Play");
    window.set_now(Now { is_playing: true, position: 7.4, recording: None });
    assert!(window.has("0:07.4"), "the position");
    window.shoot("3-opened");
    window.press(Key::Space);
    window.press(Key::Num1);
    window.click("Removed");
    window.press(Key::Num2);
    window.press(Key::Home);
    assert_eq!(
        window.asked(),
        [
            StudioCommand::Play,
            StudioCommand::Pause,
            StudioCommand::Listen(Listening::Original),
            StudioCommand::Listen(Listening::Removed),
            StudioCommand::Listen(Listening::Clean),
            StudioCommand::Seek(0.0),
        ]
    );
    let ctx = window.harness.ctx.clone();
    let typed = |text: &str| Action::Typed(PathPurpose::SaveSound, text.into());
    window.harness.state_mut().act(&ctx, typed("/in/talk.wav"));
    assert_eq!(window.asked(), [], "the original is never written over");
    window.harness.state_mut().act(&ctx, typed("/in/talk-clean"));
    let path = PathBuf::from("/in/talk-clean.wav");
    let save =
        StudioCommand::Save { path: path.clone(), format: SoundFormat::Same, replaces: false };
    assert_eq!(window.asked(), [save], "what is typed replaces nothing");
    window.tell(StudioEvent::Saving(0.31));
    let busy = window.harness.get_by_label("Saving… 31 %");
    assert!(busy.accesskit_node().is_disabled());
    assert!(window.has("Cleaned with Limpid speech, 25 times faster than it plays."));
    window.tell(StudioEvent::Saved(path));
    assert!(!window.harness.get_by_label("Save clean recording…").accesskit_node().is_disabled());
}

#[test]
fn the_strength_is_heard_while_it_plays() {
    let mut window = Window::new();
    window.open("/in/talk.wav", 21.3, true);
    window.asked();
    let slider = window.harness.get_by_role_and_label(Role::Slider, "Strength");
    assert_eq!(slider.accesskit_node().numeric_value(), Some(60.0), "no limit is the far end");
    slider.set_value_accesskit(18.0);
    window.settle();
    let limited = Speech { limit_db: Some(18.0), ..Speech::default() };
    assert_eq!(window.asked(), [StudioCommand::Clean(limited.clone())]);
    window.choose("Loudness", "-16 LUFS, podcasts");
    let loud = Speech { loudness: Some(Speech::USUAL_LOUDNESS), ..limited };
    assert_eq!(window.asked(), [StudioCommand::Clean(loud)]);
    window.shoot("4-strength");
    window.click("No limit");
    let free = Speech { loudness: Some(Speech::USUAL_LOUDNESS), ..Speech::default() };
    assert_eq!(window.asked(), [StudioCommand::Clean(free.clone())]);
    window.click("Best");
    let best = Speech { effort: Effort::Best, ..free };
    assert_eq!(window.asked(), [StudioCommand::Clean(best)]);
}

#[test]
fn zoom_asks_for_the_part_in_sight_and_a_click_moves_the_play_head() {
    let mut window = Window::new();
    window.open("/in/talk.wav", 60.0, true);
    window.asked();
    for _ in 0..5 {
        window.press(Key::Plus);
    }
    let requests = window.answer_views(true);
    let last = requests.last().unwrap();
    assert!((last.to - last.from - 60.0 / 1.6_f64.powi(5)).abs() < 1e-6, "{last:?}");
    assert_eq!(requests.len(), 2, "one under way, then the newest: {requests:?}");
    let area = window.harness.get_by_role_and_label(Role::Slider, "Position").rect();
    window.harness.hover_at(area.center());
    window.harness.drag_at(area.center());
    window.settle();
    window.harness.drop_at(area.center());
    window.settle();
    let middle = (last.from + last.to) / 2.0;
    match window.asked().as_slice() {
        [StudioCommand::Seek(second)] => assert!((second - middle).abs() < 0.02, "{second}"),
        other => panic!("{other:?}"),
    }
    window.shoot("5-zoomed");
    window.press(Key::F);
    assert!(window.harness.state().state.voice.axis.is_fitted());
}

#[test]
fn the_keys_of_a_page_are_its_own() {
    let mut window = Window::with_size([1440.0, 900.0], Page::Photos);
    window.press(Key::R);
    window.press(Key::Space);
    window.press(Key::Num3);
    assert_eq!(window.asked(), []);
    assert!(window.harness.state().state.voice.listening == Listening::Clean);
}

#[test]
fn long_names_and_a_small_window_stay_in_order() {
    let mut window = Window::with_size([900.0, 560.0], Page::Voice);
    let name = "A microphone whose maker thought that its name should say all about it";
    window.tell(StudioEvent::Devices(vec![microphone("a", name, true)]));
    window.shoot("8-small-empty");
    window.open(LONG_NAME, 7_421.0, true);
    assert!(!window.has(LONG_NAME.rsplit('/').next().unwrap()), "it is cut");
    window.shoot("9-small");
    let screen = window.harness.ctx.content_rect();
    let mut outside = Vec::new();
    for node in window.harness.root().children_recursive() {
        let is_control = matches!(
            node.accesskit_node().role(),
            Role::Button | Role::CheckBox | Role::ComboBox | Role::Slider | Role::SpinButton
        );
        if !is_control {
            continue;
        }
        let (rect, screen) = (node.rect(), screen.expand(0.5));
        // The cards on the right scroll up and down.
        let is_card = rect.left() > screen.right() - theme::RECIPE_WIDTH;
        let is_in =
            screen.contains_rect(rect) || is_card && screen.x_range().contains(rect.right());
        if !is_in {
            outside.push(format!("{:?} {:?}", node.accesskit_node().label(), node.rect()));
        }
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

#[test]
fn the_photo_page_has_room_for_its_bar_in_a_small_window() {
    let mut window = Window::with_size([900.0, 560.0], Page::Photos);
    window.shoot("11-small-photos");
    let last = Command::ToggleNoise.entry().text;
    let models = window.harness.get_by_label("Models").rect();
    let last = window
        .harness
        .get_all_by_label(last)
        .map(|node| node.rect())
        .min_by(|a, b| a.top().total_cmp(&b.top()))
        .unwrap();
    assert!(last.right() < models.left(), "{last:?} {models:?}");
    window.press(Key::F1);
    window.shoot("12-keys");
}

#[test]
fn everything_on_the_page_has_a_name() {
    let mut window = Window::new();
    window.tell(StudioEvent::Devices(vec![microphone("a", "Built-in microphone", true)]));
    window.open("/in/talk.wav", 21.3, true);
    let mut nameless = Vec::new();
    for node in window.harness.root().children_recursive() {
        let node = node.accesskit_node();
        let is_control = matches!(
            node.role(),
            Role::Button | Role::CheckBox | Role::ComboBox | Role::Slider | Role::SpinButton
        );
        let name = node.label().unwrap_or_default();
        if is_control && !name.chars().any(char::is_alphanumeric) {
            nameless.push(format!("{:?} {name:?}", node.role()));
        }
    }
    assert!(nameless.is_empty(), "{nameless:#?}");
}
