//! The window as a person uses it, found by its accessible names. The engine's end of the link is
//! held by the test.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use limpid_engine::{
    Event, FailureKind, Gps, Histogram, Item, ItemId, JobId, ModelCard, OutputFormat, PictureInfo,
    Size, Stage, StepSettings, Strength, Task, View,
};

use super::command::{Command, keys_text};
use super::engine_link::{Ask, EngineLink, LinkEnd, Tell};
use super::shell::Shell;
use super::state::{OpenedFile, Remembered};
use super::theme;
use super::voice::StudioLink;
use crate::canvas::CanvasSettings;

type Window = Harness<'static, Shell>;

fn window() -> (Window, LinkEnd) {
    let (link, end) = EngineLink::for_test();
    let (studio, _studio_end) = StudioLink::for_test();
    let shell = Shell::new(
        &egui::Context::default(),
        link,
        studio,
        Remembered::default(),
        CanvasSettings::default(),
    );
    let mut harness = Harness::builder()
        .with_size([1440.0, 900.0])
        .with_max_steps(40)
        .with_context_setup(theme::apply)
        .build_ui_state(
            |ui, shell: &mut Shell| {
                let ctx = ui.ctx().clone();
                shell.poll(&ctx);
                shell.ui(ui);
            },
            shell,
        );
    settle(&mut harness);
    (harness, end)
}

/// Some frames: spinners never let a window with work come to rest.
fn settle(harness: &mut Window) {
    harness.run_steps(4);
}

fn open(harness: &mut Window, paths: &[&str]) {
    let files = paths.iter().map(|path| OpenedFile::new(path.into(), None)).collect();
    harness.state_mut().state.files.open(files);
    settle(harness);
}

fn press(harness: &mut Window, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    settle(harness);
}

fn click(harness: &mut Window, name: &str) {
    harness.get_by_label(name).click();
    settle(harness);
}

fn switch(harness: &mut Window, name: &str) {
    harness.get_by_role_and_label(Role::CheckBox, name).click();
    settle(harness);
}

fn slide(harness: &mut Window, name: &str, value: f64) {
    harness.get_by_role_and_label(Role::Slider, name).set_value_accesskit(value);
    settle(harness);
}

fn denoise(harness: &Window) -> limpid_engine::Denoise {
    match &harness.state().state.recipe.steps[0].settings {
        StepSettings::Denoise(denoise) => denoise.clone(),
        other => panic!("{other:?}"),
    }
}

fn asks(end: &LinkEnd) -> Vec<Ask> {
    end.asks.try_iter().collect()
}

fn views(end: &LinkEnd) -> Vec<View> {
    let view = |ask| match ask {
        Ask::Show(view) => Some(view),
        _ => None,
    };
    asks(end).into_iter().filter_map(view).collect()
}

fn info() -> PictureInfo {
    PictureInfo {
        width: 600,
        height: 400,
        format: "JPEG".into(),
        pixels: "8 bit RGB".into(),
        profile: Some("Display P3".into()),
        camera: None,
        file_bytes: 345_678,
        noise_sigma: Some(15.0),
        histogram: Arc::new(Histogram([[1; 256]; 3])),
    }
}

fn item(index: u32) -> ItemId {
    ItemId { job: JobId(7), index }
}

fn queue_three(end: &LinkEnd) {
    let items = (0..3)
        .map(|index| Item { id: item(index), input: format!("/in/{index}.jpg").into() })
        .collect();
    end.events.send(Event::Queued { job: JobId(7), items }).unwrap();
}

#[test]
fn an_empty_window_says_what_to_do() {
    let (harness, end) = window();
    harness.get_by_label("Drop photos or folders here");
    assert_eq!(harness.get_all_by_label("Open…").count(), 2, "in the bar and in the middle");
    let process = harness.get_by_label("Process this picture");
    assert!(process.accesskit_node().is_disabled());
    assert!(views(&end).is_empty(), "nothing to show");
}

#[test]
fn the_denoise_card_sets_the_recipe() {
    let (mut harness, _end) = window();
    assert_eq!(denoise(&harness).strength, Strength::Auto);
    click(&mut harness, "Auto strength");
    assert_eq!(denoise(&harness).strength, Strength::Fixed(0.33));

    slide(&mut harness, "Strength", 62.0);
    assert_eq!(denoise(&harness).strength, Strength::Fixed(0.62));
    slide(&mut harness, "Colour", 40.0);
    assert_eq!(denoise(&harness).chroma, 0.4);

    click(&mut harness, "Reset denoise");
    assert_eq!(denoise(&harness), limpid_engine::Denoise::default());
    switch(&mut harness, "Denoise");
    assert!(!harness.state().state.recipe.steps[0].enabled);
    assert!(harness.query_by_label("Strength").is_none(), "a card that is off is closed");
}

#[test]
fn a_measured_strength_is_shown_and_stays_automatic() {
    let (mut harness, end) = window();
    open(&mut harness, &["/in/a.jpg"]);
    let generation = views(&end)[0].generation;
    let info = PictureInfo { noise_sigma: Some(17.0), ..info() };
    end.events.send(Event::Opened { generation, info }).unwrap();
    settle(&mut harness);
    let slider = harness.get_by_role_and_label(Role::Slider, "Strength");
    assert_eq!(slider.accesskit_node().numeric_value(), Some(23.0));
    assert_eq!(denoise(&harness).strength, Strength::Auto, "17 of 75 is between two steps");
}

#[test]
fn a_value_can_be_typed() {
    let (mut harness, _end) = window();
    harness.get_by_label("Brightness value").click();
    settle(&mut harness);
    press(&mut harness, Modifiers::COMMAND, Key::A);
    harness.event(egui::Event::Text("25".into()));
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(denoise(&harness).luma, 0.25);
}

#[test]
fn the_upscale_and_output_cards_set_the_recipe() {
    let (mut harness, _end) = window();
    switch(&mut harness, "Upscale");
    click(&mut harness, "×3");
    let recipe = harness.state().state.recipe.clone();
    assert!(recipe.steps[1].enabled);
    match &recipe.steps[1].settings {
        StepSettings::Upscale(upscale) => assert_eq!(upscale.size, Size::Scale(3)),
        other => panic!("{other:?}"),
    }
    click(&mut harness, "Remove GPS");
    assert_eq!(harness.state().state.recipe.output.gps, Gps::Strip);
    harness.get_by_role_and_label(Role::ComboBox, "Format").click();
    settle(&mut harness);
    click(&mut harness, "TIFF");
    assert_eq!(harness.state().state.recipe.output.format, OutputFormat::Tiff);
    assert!(harness.query_by_label("Quality").is_none(), "quality is of JPEG");
}

#[test]
fn a_change_is_undone_and_made_again() {
    let (mut harness, _end) = window();
    slide(&mut harness, "Colour", 40.0);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(denoise(&harness).chroma, 1.0);
    press(&mut harness, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(denoise(&harness).chroma, 0.4);
    click(&mut harness, "Undo");
    assert_eq!(denoise(&harness).chroma, 1.0);
}

#[test]
fn the_preview_follows_the_recipe_and_a_bypass_is_of_the_preview_alone() {
    let (mut harness, end) = window();
    open(&mut harness, &["/in/a.jpg", "/in/b.jpg"]);
    let first = views(&end);
    assert_eq!(first.len(), 1, "one request, however many frames: {first:?}");
    assert_eq!(first[0].path, PathBuf::from("/in/a.jpg"));

    end.events.send(Event::Opened { generation: first[0].generation, info: info() }).unwrap();
    settle(&mut harness);
    let seen = views(&end);
    slide(&mut harness, "Strength", 50.0);
    let moved = views(&end);
    let last = moved.last().unwrap();
    assert!(last.generation > seen.last().map_or(first[0].generation, |view| view.generation));

    click(&mut harness, "Preview without denoise");
    let bypassed = views(&end);
    assert!(!bypassed.last().unwrap().recipe.steps[0].enabled);
    click(&mut harness, "Process this picture");
    let job = asks(&end).into_iter().find_map(|ask| match ask {
        Ask::Submit(job) => Some(job),
        _ => None,
    });
    let job = job.unwrap();
    assert!(job.recipe.steps[0].enabled, "results are written with it");
    assert_eq!(job.inputs, [PathBuf::from("/in/a.jpg")]);

    click(&mut harness, "Process all 2 pictures");
    let all =
        asks(&end).into_iter().any(|ask| matches!(ask, Ask::Submit(j) if j.inputs.len() == 2));
    assert!(all);
}

#[test]
fn answers_for_the_picture_before_are_dropped() {
    let (mut harness, end) = window();
    open(&mut harness, &["/in/a.jpg", "/in/b.jpg"]);
    let first = views(&end)[0].generation;
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    let second = views(&end).last().unwrap().clone();
    assert_eq!(second.path, PathBuf::from("/in/b.jpg"));
    end.events.send(Event::Opened { generation: first, info: info() }).unwrap();
    settle(&mut harness);
    assert!(harness.state().state.shown.info.is_none());
    end.events.send(Event::Opened { generation: second.generation, info: info() }).unwrap();
    settle(&mut harness);
    assert_eq!(harness.state().state.shown.info, Some(info()));
}

#[test]
fn a_picture_that_cannot_be_shown_says_why() {
    let (mut harness, end) = window();
    open(&mut harness, &["/in/broken.jpg"]);
    let generation = views(&end)[0].generation;
    let message = "the file ends in the middle of the picture: /in/broken.jpg".into();
    end.events
        .send(Event::PreviewFailed { generation, kind: FailureKind::Damaged, message })
        .unwrap();
    settle(&mut harness);
    harness.get_by_label("broken.jpg cannot be shown");
    harness.get_by_label("The file ends in the middle of the picture: /in/broken.jpg");
}

#[test]
fn queue_rows_show_their_state_and_can_be_cancelled_and_retried() {
    let (mut harness, end) = window();
    queue_three(&end);
    end.events.send(Event::Started { item: item(0) }).unwrap();
    end.events
        .send(Event::Progress {
            item: item(0),
            stage: Stage::Enhancing("Denoise, Upscale".into()),
            fraction: 0.5,
            files_done: 0,
            files_total: 3,
            seconds_left: Some(160.0),
        })
        .unwrap();
    let message = "The folder is read-only: /out".into();
    end.events
        .send(Event::Failed { item: item(1), kind: FailureKind::Unwritable, message })
        .unwrap();
    settle(&mut harness);
    harness.get_by_label("1 of 3 · 3 min left · 1 failed");
    harness.get_by_label("Denoise, Upscale");
    harness.get_by_label("The folder is read-only: /out");
    let bar = harness.get_by_role_and_label(Role::ProgressIndicator, "0.jpg progress");
    assert_eq!(bar.accesskit_node().numeric_value(), Some(50.0));

    click(&mut harness, "Cancel 0.jpg");
    click(&mut harness, "Retry 1.jpg");
    click(&mut harness, "Pause");
    assert_eq!(asks(&end), [Ask::CancelItem(item(0)), Ask::Retry(item(1)), Ask::Pause(true)]);
    harness.get_by_label("Resume");

    end.events.send(Event::Cancelled { item: item(0) }).unwrap();
    end.events.send(Event::Waiting { item: item(1) }).unwrap();
    settle(&mut harness);
    harness.get_by_label("Cancelled");
    assert_eq!(harness.get_all_by_label("Waiting").count(), 2);
}

#[test]
fn a_finished_row_says_where_its_result_is() {
    let (mut harness, end) = window();
    queue_three(&end);
    let notes = vec!["The ICC profile cannot be stored in BMP.".into()];
    let output = "/out/0.bmp".into();
    end.events.send(Event::Finished { item: item(0), output, seconds: 2.2, notes }).unwrap();
    settle(&mut harness);
    harness.get_by_label_contains("0.bmp (The ICC profile");
    click(&mut harness, "Clear finished");
    assert_eq!(asks(&end), [Ask::RemoveFinished]);
    end.events.send(Event::Removed { items: vec![item(0)] }).unwrap();
    settle(&mut harness);
    assert_eq!(harness.state().state.queue.rows().len(), 2);
}

#[test]
fn a_thousand_rows_cost_no_more_than_those_in_sight() {
    let (mut harness, end) = window();
    let items = (0..1000)
        .map(|index| Item { id: item(index), input: format!("/in/{index}.jpg").into() })
        .collect();
    end.events.send(Event::Queued { job: JobId(7), items }).unwrap();
    settle(&mut harness);
    let rows = harness.get_all_by_label("Waiting").count();
    assert!((2..12).contains(&rows), "{rows} rows were laid out");
}

#[test]
fn the_shortcuts_page_lists_the_command_table() {
    let (mut harness, _end) = window();
    press(&mut harness, Modifiers::NONE, Key::F1);
    let missing: Vec<_> = Command::ALL
        .into_iter()
        .filter_map(|command| command.entry().shortcut.map(|shortcut| (command, shortcut)))
        .filter(|(command, shortcut)| {
            harness.query_all_by_label(command.entry().text).next().is_none()
                || harness.query_all_by_label(&keys_text(shortcut)).next().is_none()
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(harness.state().state.dialog, None);
}

#[test]
fn the_palette_finds_a_command_and_does_it() {
    let (mut harness, end) = window();
    end.tells.send(Tell::Models(vec![card()])).unwrap();
    press(&mut harness, Modifiers::COMMAND, Key::K);
    harness.event(egui::Event::Text("models".into()));
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("FFDNet colour");
    harness.get_by_label("Kodak24, sigma 25: 31.72 dB");
    click(&mut harness, "Fetch FFDNet colour");
    assert!(asks(&end).contains(&Ask::FetchModel("ffdnet-color".into())));
}

#[test]
fn letters_in_a_text_field_are_not_commands() {
    let (mut harness, _end) = window();
    open(&mut harness, &["/in/a.jpg"]);
    let mode = harness.state().canvas.mode();
    harness.get_by_label("Name pattern").click();
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::O);
    press(&mut harness, Modifiers::NONE, Key::N);
    assert_eq!(harness.state().canvas.mode(), mode);
}

#[test]
fn a_preset_is_saved_under_a_name_and_applied() {
    let (mut harness, _end) = window();
    slide(&mut harness, "Colour", 30.0);
    press(&mut harness, Modifiers::COMMAND, Key::S);
    harness.get_by_label("Preset name").focus();
    settle(&mut harness);
    harness.event(egui::Event::Text("Night".into()));
    settle(&mut harness);
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().state.presets.len(), 1);
    click(&mut harness, "Reset denoise");
    click(&mut harness, "Presets");
    click(&mut harness, "Night");
    assert_eq!(denoise(&harness).chroma, 0.3);
}

#[test]
fn every_page_has_names_for_all_that_can_be_used() {
    for command in [
        Command::ShowModels,
        Command::ShowSettings,
        Command::ShowShortcuts,
        Command::ShowPalette,
        Command::SavePreset,
        Command::OpenPath,
        Command::ShowAbout,
    ] {
        let (mut harness, end) = window();
        end.tells.send(Tell::Models(vec![card()])).unwrap();
        queue_three(&end);
        open(&mut harness, &["/in/a.jpg", "/in/b.jpg"]);
        let ctx = harness.ctx.clone();
        harness.state_mut().run(&ctx, command);
        settle(&mut harness);
        let mut nameless = Vec::new();
        for node in harness.root().children_recursive() {
            let node = node.accesskit_node();
            let is_control = matches!(
                node.role(),
                Role::Button
                    | Role::CheckBox
                    | Role::ComboBox
                    | Role::RadioButton
                    | Role::Slider
                    | Role::SpinButton
                    | Role::TextInput
            );
            let name = node.label().unwrap_or_default();
            // Icons live in the private use area: an icon alone is no name.
            let is_named = name.chars().any(|c| c.is_alphanumeric());
            if is_control && !is_named {
                nameless.push(format!("{:?} {name:?}", node.role()));
            }
        }
        assert!(nameless.is_empty(), "{command:?}: {nameless:#?}");
    }
}

fn card() -> ModelCard {
    ModelCard {
        name: "ffdnet-color".into(),
        title: "FFDNet colour".into(),
        task: Task::Denoise,
        origin: limpid_engine::Origin::Pack,
        installed: false,
        summary: "Removes noise of a known level.".into(),
        source: "https://example.org".into(),
        license: "MIT".into(),
        parameters: 852_108,
        bytes: 3_412_000,
        sha256: String::new(),
        quality: vec!["Kodak24, sigma 25: 31.72 dB".into()],
        limits: Vec::new(),
    }
}
