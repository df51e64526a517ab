//! The canvas driven as a person does, without a window.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::{self, Key, Modifiers, PointerButton, Pos2, Role, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use limpid_engine::{
    Denoise, Histogram, PictureInfo, PreviewTile, Recipe, Rect, Side, StepSettings, Strength,
};

use super::transform::fit_zoom;
use super::{CanvasSettings, CanvasState, Lens, Mode, ViewPort};

const SIZE: [u32; 2] = [3000, 2000];
const WINDOW: egui::Vec2 = egui::vec2(900.0, 700.0);

struct App {
    canvas: CanvasState,
    view: Option<ViewPort>,
    /// Views the engine was asked for.
    asked: Vec<ViewPort>,
}

fn info() -> PictureInfo {
    PictureInfo {
        width: SIZE[0],
        height: SIZE[1],
        format: "PNG".into(),
        pixels: "8 bit RGB".into(),
        profile: None,
        camera: None,
        file_bytes: 1,
        noise_sigma: None,
        histogram: Arc::new(Histogram([[0; 256]; 3])),
    }
}

fn recipe(strength: f32) -> Recipe {
    let strength = Strength::Fixed(strength);
    Recipe::new([StepSettings::Denoise(Denoise { strength, ..Denoise::default() })])
}

fn whole(generation: u64, side: Side, value: u8) -> PreviewTile {
    let size = [300, 200];
    let rgba = vec![value; (size[0] * size[1] * 4) as usize].into();
    let rect = Rect::new(0, 0, SIZE[0], SIZE[1]);
    PreviewTile { generation, side, full: SIZE, rect, size, rgba }
}

fn opened(settings: CanvasSettings) -> Harness<'static, App> {
    let mut canvas = CanvasState::with_settings(settings);
    canvas.request(1, Path::new("a.png"), &recipe(0.3));
    canvas.begin(1, &info());
    canvas.accept(&whole(1, Side::Before, 90));
    let app = App { canvas, view: None, asked: Vec::new() };
    let builder = Harness::builder().with_size(WINDOW).with_step_dt(1.0 / 60.0);
    let mut harness = builder.with_context_setup(crate::window::theme::apply).build_ui_state(
        |ui, app: &mut App| {
            let done = app.canvas.ui(ui);
            app.view = done.view;
            if done.view_changed {
                app.asked.extend(done.view);
            }
        },
        app,
    );
    settle(&mut harness);
    harness
}

/// Lets two thirds of a second pass.
fn settle(harness: &mut Harness<'_, App>) {
    harness.run_steps(40);
}

fn split_at(harness: &Harness<'_, App>) -> f32 {
    harness.state().canvas.settings().split
}

fn shown_at(harness: &Harness<'_, App>, pos: Pos2) -> [f64; 2] {
    let view = &harness.state().canvas.view;
    // The harness leaves a margin around the canvas.
    let area = harness.get_by_role(Role::Image).rect();
    let from_corner = pos - area.min;
    view.placement().picture_from_screen([from_corner.x, from_corner.y].map(f64::from))
}

#[test]
fn an_opened_picture_is_fitted_and_asked_for_once() {
    let mut harness = opened(CanvasSettings::default());
    settle(&mut harness);
    let app = harness.state();
    assert!(app.canvas.is_fitted());
    assert_eq!(app.asked.len(), 1, "{:?}", app.asked);
    assert_eq!(app.asked[0].visible, Rect::new(0, 0, SIZE[0], SIZE[1]));
    let viewport = app.canvas.view.viewport();
    assert_eq!(app.asked[0].zoom, fit_zoom(SIZE.map(f64::from), viewport) as f32);
    harness.get_by_label_contains("before and after, divided by a line");
}

#[test]
fn the_wheel_zooms_at_the_pointer_and_the_engine_is_asked_when_it_rests() {
    let mut harness = opened(CanvasSettings { mode: Mode::After, ..CanvasSettings::default() });
    // At half height: a picture that does not fill the canvas is centred, whatever the pointer does.
    let pos = pos2(300.0, 350.0);
    harness.hover_at(pos);
    settle(&mut harness);
    let before = shown_at(&harness, pos);
    for _ in 0..6 {
        harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Line,
            delta: egui::vec2(0.0, 1.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: Modifiers::NONE,
        });
        harness.step();
    }
    settle(&mut harness);
    let after = shown_at(&harness, pos);
    let app = harness.state();
    assert!(app.canvas.zoom().unwrap() > 2.0 * app.asked[0].zoom, "{:?}", app.canvas.zoom());
    assert!((before[0] - after[0]).abs() < 4.0 && (before[1] - after[1]).abs() < 4.0);
    assert_eq!(app.asked.len(), 2, "one question for the whole gesture: {:?}", app.asked);
    assert_eq!(Some(app.asked[1]), app.view);
}

#[test]
fn a_double_click_goes_to_100_percent_and_back() {
    let mut harness = opened(CanvasSettings { mode: Mode::After, ..CanvasSettings::default() });
    let double_click = |harness: &mut Harness<'_, App>| {
        let pos = pos2(400.0, 300.0);
        harness.hover_at(pos);
        for pressed in [true, false, true, false] {
            let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
            harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers });
        }
        settle(harness);
    };
    double_click(&mut harness);
    assert_eq!(harness.state().canvas.zoom(), Some(1.0));
    harness.get_by_label_contains("100 %");
    harness.run_steps(60);
    double_click(&mut harness);
    assert!(harness.state().canvas.is_fitted());
}

#[test]
fn dragging_and_arrow_keys_move_the_picture() {
    let mut harness = opened(CanvasSettings { mode: Mode::After, ..CanvasSettings::default() });
    harness.state_mut().canvas.actual_size();
    settle(&mut harness);
    let place = |harness: &Harness<'_, App>| harness.state().view.unwrap().visible;
    let start = place(&harness);
    harness.drag_at(pos2(400.0, 300.0));
    harness.step();
    harness.hover_at(pos2(350.0, 320.0));
    harness.step();
    harness.drop_at(pos2(350.0, 320.0));
    settle(&mut harness);
    let dragged = place(&harness);
    assert_eq!((dragged.x, dragged.y), (start.x + 50, start.y - 20));
    harness.key_press(Key::ArrowRight);
    harness.key_press(Key::ArrowDown);
    settle(&mut harness);
    let moved = place(&harness);
    assert_eq!((moved.x, moved.y), (dragged.x + 60, dragged.y + 60));
}

#[test]
fn the_split_line_obeys_pointer_keys_and_screen_reader() {
    let mut harness = opened(CanvasSettings::default());
    harness.get_by_role(Role::Slider).set_value_accesskit(25.0);
    settle(&mut harness);
    assert_eq!(split_at(&harness), 0.25);
    harness.get_by_role(Role::Slider).focus();
    settle(&mut harness);
    harness.key_press(Key::ArrowRight);
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    settle(&mut harness);
    assert!((split_at(&harness) - 0.36).abs() < 1e-5, "{}", split_at(&harness));
    let grip = harness.get_by_role(Role::Slider).rect().center();
    harness.drag_at(grip);
    harness.step();
    harness.hover_at(grip + egui::vec2(200.0, 0.0));
    harness.step();
    harness.drop_at(grip + egui::vec2(200.0, 0.0));
    settle(&mut harness);
    assert!((split_at(&harness) - 0.36 - 200.0 / 884.0).abs() < 0.01, "{}", split_at(&harness));
    assert!(harness.state().canvas.is_fitted(), "the picture stayed where it was");
}

#[test]
fn space_shows_the_original_while_it_is_held() {
    let mut harness = opened(CanvasSettings::default());
    harness.key_down(Key::Space);
    settle(&mut harness);
    harness.get_by_label_contains("Picture, original");
    harness.key_up(Key::Space);
    settle(&mut harness);
    harness.get_by_label_contains("divided by a line");
}

#[test]
fn the_result_before_stays_until_the_new_one_comes() {
    let mut harness = opened(CanvasSettings { mode: Mode::After, ..CanvasSettings::default() });
    harness.state_mut().canvas.accept(&whole(1, Side::After, 10));
    settle(&mut harness);
    let drawn = |harness: &Harness<'_, App>| {
        let canvas = &harness.state().canvas;
        let index = super::scene::drawn_results(canvas);
        index.iter().map(|i| canvas.store.get(*i).unwrap().rgba[0]).collect::<Vec<_>>()
    };
    assert_eq!(drawn(&harness), [10]);
    let canvas = &mut harness.state_mut().canvas;
    canvas.request(2, Path::new("a.png"), &recipe(0.6));
    canvas.begin(2, &info());
    canvas.accept(&whole(1, Side::After, 11)); // late, of the recipe before
    settle(&mut harness);
    assert_eq!(drawn(&harness), [11]);
    harness.state_mut().canvas.accept(&whole(2, Side::After, 20));
    settle(&mut harness);
    assert_eq!(drawn(&harness), [20]);
    // Undo shows the first result again, without waiting for the engine.
    harness.state_mut().canvas.request(3, Path::new("a.png"), &recipe(0.3));
    settle(&mut harness);
    assert_eq!(drawn(&harness), [11]);
    // With all steps off there is no result, only the original.
    let mut off = recipe(0.3);
    off.steps[0].enabled = false;
    harness.state_mut().canvas.request(4, Path::new("a.png"), &off);
    settle(&mut harness);
    assert_eq!(drawn(&harness), [90]);
}

#[test]
fn the_picture_before_stays_until_the_next_one_has_something_to_show() {
    let mut harness = opened(CanvasSettings::default());
    let canvas = &mut harness.state_mut().canvas;
    canvas.request(2, Path::new("b.png"), &recipe(0.3));
    canvas.begin(2, &info());
    assert!(canvas.bytes().0 > 0);
    canvas.accept(&whole(1, Side::Before, 5));
    canvas.accept(&whole(2, Side::Before, 7));
    settle(&mut harness);
    assert_eq!(harness.state().canvas.bytes().0, 300 * 200 * 4, "one picture's tile is kept");
    assert_eq!(harness.state().asked.len(), 2, "the new picture is asked for");
}

#[test]
fn the_lens_asks_for_its_spot_and_gives_it_back() {
    let lens = Lens { is_on: true, zoom: 4.0, ..Lens::default() };
    let mut harness = opened(CanvasSettings { lens, ..CanvasSettings::default() });
    harness.hover_at(pos2(450.0, 350.0));
    settle(&mut harness);
    let view = *harness.state().asked.last().unwrap();
    assert_eq!(view.zoom, 4.0);
    assert!(view.visible.width < 80 && view.visible.x > 1300, "{view:?}");
    harness.remove_cursor();
    settle(&mut harness);
    assert_eq!(harness.state().asked.last().unwrap().visible.width, SIZE[0]);
}

#[test]
fn modes_toggle_back_to_what_was_before() {
    let mut canvas = CanvasState::default();
    canvas.toggle_mode(Mode::Removed);
    assert_eq!(canvas.mode(), Mode::Removed);
    canvas.toggle_mode(Mode::Removed);
    assert_eq!(canvas.mode(), Mode::Split);
    canvas.toggle_mode(Mode::Split);
    assert_eq!(canvas.mode(), Mode::Removed);
}
