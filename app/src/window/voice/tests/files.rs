//! What comes in, and where results go.

use std::path::PathBuf;

use egui_kittest::kittest::Queryable;
use limpid_engine::studio::{StudioCommand, StudioEvent};
use limpid_engine::{Existing, Output, SoundFormat, Speech};

use eframe::egui::Role;

use super::super::super::command::Command;
use super::super::super::engine_link::Ask;
use super::super::super::state::{Action, Page, PathPurpose};
use super::Window;

#[test]
fn results_go_where_the_card_of_the_output_says() {
    let mut window = Window::new();
    window.open("/in/talk.wav", 21.3, true);
    window.asked();
    window.choose("Format", "WAV, 24 bit");
    window.choose("Loudness", "-23 LUFS, broadcast");
    window.click("Number");
    let ctx = window.harness.ctx.clone();
    let folder = Action::Typed(PathPurpose::SoundFolder, "/out/clear".into());
    window.harness.state_mut().act(&ctx, folder);
    window.settle();
    window.shoot("13-output");
    let right =
        |name: &str| window.harness.get_by_role_and_label(Role::ComboBox, name).rect().right();
    let clear = window.harness.get_by_label("Write beside the original").rect().right();
    assert!(clear <= right("Format") + 0.5, "{clear}, {}", right("Format"));
    let shell = window.harness.state_mut();
    assert_eq!(shell.state.voice.suggested_path(), Some("/out/clear/talk.wav".into()));
    assert_eq!(shell.state.recipe.output, Output::default(), "the photos' own is another");
    shell.queue_sounds(vec!["/in/a.wav".into(), "/in/b.wav".into()]);
    let job = window.engine.asks.try_iter().find_map(|ask| match ask {
        Ask::Submit(job) => Some(job),
        _ => None,
    });
    let recipe = job.unwrap().recipe;
    let wanted = Output {
        folder: Some("/out/clear".into()),
        sound: SoundFormat::Wav24,
        existing: Existing::Number,
        ..Output::default()
    };
    assert_eq!(recipe.output, wanted);
    assert_eq!(recipe.speech.unwrap().loudness, Some(-23.0));
    let remembered = window.harness.state().remembered();
    assert_eq!(remembered.voice.output, wanted, "kept for the next start");

    window.click("Reset output");
    let settings = &window.harness.state().state.voice.settings;
    assert_eq!((&settings.output, settings.loudness), (&Output::default(), None));
}

#[test]
fn one_recording_is_shown_and_several_go_to_the_queue() {
    let mut window = Window::with_size([1440.0, 900.0], Page::Photos);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, b"x").unwrap();
        path
    };
    let wait = |window: &mut Window, shown: &dyn Fn(&Window) -> bool| {
        for _ in 0..200 {
            window.settle();
            if shown(window) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("it never came");
    };
    let one = file("a.FLAC");
    window.harness.state().open(vec![one.clone()]);
    wait(&mut window, &|window| window.harness.state().state.page == Page::Voice);
    assert!(window.asked().contains(&StudioCommand::Open(one)));

    let ctx = window.harness.ctx.clone();
    window.harness.state_mut().run(&ctx, Command::ShowPhotos);
    window.engine.asks.try_iter().count();
    let several: Vec<PathBuf> = vec![file("b.wav"), file("c.mp3")];
    window.harness.state().open(several.clone());
    wait(&mut window, &|window| window.harness.state().state.page == Page::Voice);
    let job = window.engine.asks.try_iter().find_map(|ask| match ask {
        Ask::Submit(job) => Some(job),
        _ => None,
    });
    let job = job.unwrap();
    assert_eq!(job.inputs, several);
    assert_eq!(job.recipe.speech, Some(Speech::default()));
    assert_eq!(job.recipe.output, Output::default());
    assert_ne!(job.recipe.output.existing, Existing::Overwrite);
}

#[test]
fn a_file_that_does_not_open_says_why_and_another_can_be_chosen() {
    let mut window = Window::new();
    window.harness.state_mut().open_sound("/in/broken.wav".into());
    window.settle();
    assert!(window.has("Opening broken.wav"));
    window.tell(StudioEvent::OpenFailed("this is no recording: /in/broken.wav".into()));
    assert!(window.has("broken.wav cannot be opened"));
    assert!(window.has("This is no recording: /in/broken.wav"));
    window.shoot("10-failed");
}
