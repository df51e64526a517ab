//! The canvas by itself, fed with a generated picture by a thread that stands in for the engine:
//! to look at zoom, tiles and timing without decoding or networks.
//!
//! ```text
//! cargo run -p limpid --example canvas_demo
//! ```
//!
//! Keys: F fit, 1 100 %, + and − zoom, S split, D side by side, A result, O original, N removed,
//! L lens, Q its shape, M its zoom, U upscale on or off, [ and ] strength, P next picture, B a
//! hundred tiles at once, T prints frame times.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use eframe::egui::{self, Key};
use limpid::canvas::{CanvasState, HistogramPlot, LensShape, Mode, ViewPort};
use limpid_engine::{
    Denoise, Histogram, PictureInfo, PreviewTile, Recipe, Rect, Side, Size, StepSettings, Strength,
    Upscale,
};

/// Columns and rows of the generated picture.
const PICTURE: [u32; 2] = [6000, 4000];

/// Side of a tile in pixels of the full side, whatever the zoom, as the engine does it.
const TILE: u32 = 512;

/// What the stand-in is asked for.
struct Request {
    generation: u64,
    seed: u32,
    view: ViewPort,
    removed: bool,
    /// Share of the noise that is removed, `0..=1`.
    strength: f32,
    scale: u32,
    tile_time: Duration,
}

enum Answer {
    Opened(u64, PictureInfo),
    Tile(PreviewTile),
    Done(u64),
}

/// Brightness of the scene without noise, `0..=255`, at a point in pixels.
fn scene(x: f32, y: f32, seed: u32) -> [f32; 3] {
    let (u, v) = (x / PICTURE[0] as f32, y / PICTURE[1] as f32);
    let turn = seed as f32 * 1.3;
    let sky =
        [90.0 + 90.0 * u, 110.0 + 60.0 * v, 150.0 - 40.0 * u].map(|c: f32| c + 10.0 * turn.sin());
    // Rings that get finer outwards, and a grid one pixel wide: seams and blur show in both.
    let (dx, dy) = (x - 3000.0 - 400.0 * turn.sin(), y - 2000.0);
    let rings = ((dx * dx + dy * dy) / 9000.0).sin();
    let on_grid = (x as u32).is_multiple_of(250) || (y as u32).is_multiple_of(250);
    let disc = (dx * dx + dy * dy).sqrt() < 1400.0;
    sky.map(|c| {
        if on_grid {
            235.0
        } else if disc {
            c + 45.0 * rings
        } else {
            c
        }
    })
}

/// Noise of a pixel, about 22 levels of standard deviation.
fn noise(x: u32, y: u32, channel: u32, seed: u32) -> f32 {
    let mut sum = 0.0;
    for round in 0..3u32 {
        let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
        h ^= (channel * 3 + round + seed * 31).wrapping_mul(0xC2B2_AE3D);
        h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
        h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
        sum += (h >> 16) as f32 / 65_535.0 - 0.5;
    }
    sum * 44.0
}

/// A tile of `side` that shows `rect` of a picture `scale` times the original, reduced by `reduce`.
fn tile(request: &Request, side: Side, rect: Rect, reduce: u32) -> PreviewTile {
    let scale = if side == Side::Before { 1 } else { request.scale };
    let full = PICTURE.map(|length| length * scale);
    let size = [rect.width, rect.height].map(|length| length.div_ceil(reduce));
    let left = 1.0 - request.strength;
    let mut rgba = Vec::with_capacity((size[0] * size[1] * 4) as usize);
    for row in 0..size[1] {
        for column in 0..size[0] {
            let at = [rect.x + column * reduce, rect.y + row * reduce];
            let clean =
                scene(at[0] as f32 / scale as f32, at[1] as f32 / scale as f32, request.seed);
            for (channel, clean) in (0..3).zip(clean) {
                // The mean of reduce x reduce independent samples has 1 / reduce of their spread.
                let grain = noise(at[0] / scale, at[1] / scale, channel, request.seed);
                let grain = grain / reduce as f32;
                let value = match side {
                    Side::Before => clean + grain,
                    Side::After => clean + grain * left,
                    Side::Removed => 128.0 + 2.0 * grain * request.strength,
                };
                rgba.push(value.clamp(0.0, 255.0) as u8);
            }
            rgba.push(255);
        }
    }
    PreviewTile { generation: request.generation, side, full, rect, size, rgba: rgba.into() }
}

fn info() -> PictureInfo {
    let channel = |peak: f32| {
        std::array::from_fn(|level| {
            let distance = (level as f32 - peak) / 30.0;
            (90_000.0 * (-distance * distance).exp()) as u32
        })
    };
    PictureInfo {
        width: PICTURE[0],
        height: PICTURE[1],
        format: "Generated".into(),
        pixels: "8 bit RGB".into(),
        profile: None,
        camera: None,
        file_bytes: 0,
        noise_sigma: Some(22.0),
        histogram: Arc::new(Histogram([channel(150.0), channel(140.0), channel(120.0)])),
    }
}

fn serve(requests: &Receiver<Request>, answers: &Sender<Answer>, wake: &egui::Context) {
    let mut next = requests.recv().ok();
    while let Some(request) = next.take() {
        let send = |answer| {
            let sent = answers.send(answer).is_ok();
            wake.request_repaint();
            sent
        };
        send(Answer::Opened(request.generation, info()));
        let all = Rect::new(0, 0, PICTURE[0], PICTURE[1]);
        send(Answer::Tile(tile(&request, Side::Before, all, 3)));
        let reduce = [8, 4, 2].into_iter().find(|r| request.view.zoom * *r as f32 <= 1.0);
        let reduce = reduce.unwrap_or(1);
        let after = if request.removed { Side::Removed } else { Side::After };
        for side in [Side::Before, after] {
            let scale = if side == Side::Before { 1 } else { request.scale };
            let seen = request.view.visible;
            let seen =
                Rect::new(seen.x * scale, seen.y * scale, seen.width * scale, seen.height * scale);
            let step = TILE;
            let mut rects = Vec::new();
            for y in (0..PICTURE[1] * scale).step_by(step as usize) {
                for x in (0..PICTURE[0] * scale).step_by(step as usize) {
                    let width = step.min(PICTURE[0] * scale - x);
                    let height = step.min(PICTURE[1] * scale - y);
                    let rect = Rect::new(x, y, width, height);
                    if !rect.intersect(seen).is_empty() {
                        rects.push(rect);
                    }
                }
            }
            let middle = |r: &Rect| [r.x + r.width / 2, r.y + r.height / 2].map(i64::from);
            let centre = middle(&seen);
            rects.sort_by_key(|r| (0..2).map(|a| (middle(r)[a] - centre[a]).pow(2)).sum::<i64>());
            for rect in rects {
                next = requests.try_iter().last();
                if next.is_some() {
                    break;
                }
                if side != Side::Before {
                    std::thread::sleep(request.tile_time);
                }
                send(Answer::Tile(tile(&request, side, rect, reduce)));
            }
            if next.is_some() {
                break;
            }
        }
        if next.is_none() {
            send(Answer::Done(request.generation));
            next = requests.recv().ok();
        }
    }
}

type Act = fn(&mut CanvasState);

struct Demo {
    canvas: CanvasState,
    requests: Sender<Request>,
    answers: Receiver<Answer>,
    generation: u64,
    seed: u32,
    strength: f32,
    scale: u32,
    tile_time: Duration,
    view: Option<ViewPort>,
    histogram: Arc<Histogram>,
    frames: Vec<f32>,
    canvas_frames: Vec<f32>,
}

impl Demo {
    fn ask(&mut self) {
        self.generation += 1;
        let strength = Strength::Fixed(self.strength);
        let mut steps = vec![StepSettings::Denoise(Denoise { strength, ..Denoise::default() })];
        if self.scale > 1 {
            let size = Size::Scale(self.scale);
            steps.push(StepSettings::Upscale(Upscale { size, ..Upscale::default() }));
        }
        let path = PathBuf::from(format!("generated-{}.png", self.seed));
        self.canvas.request(self.generation, &path, &Recipe::new(steps));
        let whole = Rect::new(0, 0, PICTURE[0], PICTURE[1]);
        let request = Request {
            generation: self.generation,
            seed: self.seed,
            view: self.view.unwrap_or(ViewPort { visible: whole, zoom: 0.2 }),
            removed: self.canvas.mode() == Mode::Removed,
            strength: self.strength,
            scale: self.scale,
            tile_time: self.tile_time,
        };
        self.requests.send(request).ok();
    }

    fn keys(&mut self, ui: &egui::Ui) {
        let pressed = |key| ui.input(|input| input.key_pressed(key));
        let modes = [
            (Key::S, Mode::Split),
            (Key::D, Mode::SideBySide),
            (Key::A, Mode::After),
            (Key::O, Mode::Before),
            (Key::N, Mode::Removed),
        ];
        for (_, mode) in modes.into_iter().filter(|(key, _)| pressed(*key)) {
            self.canvas.set_mode(mode);
        }
        let mut lens = self.canvas.lens();
        if pressed(Key::L) {
            lens.is_on = !lens.is_on;
        }
        if pressed(Key::Q) {
            lens.shape = match lens.shape {
                LensShape::Round => LensShape::Square,
                LensShape::Square => LensShape::Round,
            };
        }
        if pressed(Key::M) {
            lens.zoom = 6.0 - lens.zoom;
        }
        self.canvas.set_lens(lens);
        let actions: [(Key, Act); 4] = [
            (Key::F, CanvasState::fit),
            (Key::Num1, CanvasState::actual_size),
            (Key::Plus, CanvasState::zoom_in),
            (Key::Minus, CanvasState::zoom_out),
        ];
        for (_, act) in actions.into_iter().filter(|(key, _)| pressed(*key)) {
            act(&mut self.canvas);
        }
        let before = (self.seed, self.scale, self.strength, self.tile_time);
        if pressed(Key::P) {
            self.seed += 1;
        }
        if pressed(Key::U) {
            self.scale = 3 - self.scale;
        }
        if pressed(Key::OpenBracket) {
            self.strength = (self.strength - 0.2).max(0.0);
        }
        if pressed(Key::CloseBracket) {
            self.strength = (self.strength + 0.2).min(1.0);
        }
        if pressed(Key::B) {
            self.tile_time = Duration::from_millis(300) - self.tile_time;
        }
        if before != (self.seed, self.scale, self.strength, self.tile_time) {
            self.ask();
        }
        if pressed(Key::T) {
            report("window", &mut self.frames);
            report("canvas", &mut self.canvas_frames);
            let (main, graphics) = self.canvas.bytes();
            eprintln!("tiles: {} MB, textures: {} MB", main >> 20, graphics >> 20);
        }
    }
}

fn report(name: &str, frames: &mut Vec<f32>) {
    frames.sort_by(f32::total_cmp);
    let at = |share: usize| frames.get(frames.len() * share / 100).unwrap_or(&0.0) * 1e3;
    let max = frames.last().unwrap_or(&0.0) * 1e3;
    let count = frames.len();
    eprintln!("{name}: {count} frames, {:.2} ms, 95 % {:.2} ms, max {max:.2} ms", at(50), at(95));
    frames.clear();
}

impl eframe::App for Demo {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.frames.extend(frame.info().cpu_usage);
        for answer in self.answers.try_iter() {
            match answer {
                Answer::Opened(generation, info) => self.canvas.begin(generation, &info),
                Answer::Tile(tile) => self.canvas.accept(&tile),
                Answer::Done(generation) => self.canvas.finish(generation),
            }
        }
        self.keys(ui);
        egui::Panel::right("side").show(ui, |ui| {
            ui.add(HistogramPlot::new(&self.histogram, egui::vec2(200.0, 90.0)));
            ui.label(format!("Strength {:.1}", self.strength));
            if ui.button("Hold to see the original").is_pointer_button_down_on() {
                self.canvas.hold_original();
            }
        });
        let start = std::time::Instant::now();
        let none = egui::Frame::NONE;
        let done =
            egui::CentralPanel::default().frame(none).show(ui, |ui| self.canvas.ui(ui)).inner;
        self.canvas_frames.push(start.elapsed().as_secs_f32());
        self.view = done.view.or(self.view);
        if done.view_changed {
            self.ask();
        }
    }
}

fn main() -> eframe::Result {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "limpid canvas demo",
        options,
        Box::new(|creation| {
            let (requests, inbox) = channel();
            let (outbox, answers) = channel();
            let wake = creation.egui_ctx.clone();
            std::thread::Builder::new()
                .name("demo engine".into())
                .spawn(move || serve(&inbox, &outbox, &wake))?;
            let mut demo = Demo {
                canvas: CanvasState::default(),
                requests,
                answers,
                generation: 0,
                seed: 0,
                strength: 0.8,
                scale: 1,
                tile_time: Duration::from_millis(300),
                view: None,
                histogram: info().histogram,
                frames: Vec::new(),
                canvas_frames: Vec::new(),
            };
            demo.ask();
            Ok(Box::new(demo))
        }),
    )
}
