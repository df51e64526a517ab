//! The recording on the screen: waveform and spectrogram of the original, the same of the cleaned
//! one below, on one time axis.

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, ColorImage, CornerRadius, FontId, Mesh, Painter, Rangef, Rect, Stroke,
    StrokeKind, TextureHandle, TextureOptions, Ui, pos2, vec2,
};
use limpid_engine::studio::{Listening, SoundView, Track};

use super::super::state::Action;
use super::super::{icon, theme, widgets};
use super::axis::Axis;
use super::state::{Cleaning, VoiceState};
use super::views::Wish;
use super::{colours, timeline};

/// Left of the tracks: frequencies and levels.
const LEFT: f32 = 50.0;
/// Right of the tracks: what the colours mean.
const RIGHT: f32 = 60.0;
/// The share of a track that is waveform.
const WAVE_SHARE: f32 = 0.36;
/// Between the tracks.
const BETWEEN: f32 = 10.0;
/// The largest view that is asked for, in pixels.
const LARGEST: [f32; 2] = [4096.0, 1024.0];

/// Textures of the view that is shown.
#[derive(Default)]
pub(crate) struct TrackArt {
    /// The view that they are of.
    id: Option<u64>,
    original: Option<TextureHandle>,
    clean: Option<TextureHandle>,
}

impl TrackArt {
    fn update(&mut self, ctx: &egui::Context, view: Option<&SoundView>) {
        if self.id == view.map(|view| view.id) {
            return;
        }
        self.id = view.map(|view| view.id);
        self.original = view.and_then(|view| texture(ctx, "sound original", &view.original));
        self.clean =
            view.and_then(|view| view.clean.as_ref()).and_then(|t| texture(ctx, "sound clean", t));
    }
}

/// The spectrogram as a picture; none when its size makes no sense.
fn picture(track: &Track) -> Option<ColorImage> {
    let width = track.peaks.len();
    let height = track.spectrogram.len().checked_div(width)?;
    if height == 0 || width * height != track.spectrogram.len() {
        return None;
    }
    let pixels = track.spectrogram.iter().map(|db| colours::of_db(*db)).collect();
    Some(ColorImage::new([width, height], pixels))
}

fn texture(ctx: &egui::Context, name: &str, track: &Track) -> Option<TextureHandle> {
    let most = ctx.input(|input| input.max_texture_side);
    let picture = picture(track).filter(|picture| picture.size.iter().all(|side| *side <= most))?;
    Some(ctx.load_texture(name, Arc::new(picture), TextureOptions::LINEAR))
}

/// Ruler, both tracks, play head and scroll bar in the rest of `ui`.
pub(super) fn tracks_ui(
    ui: &mut Ui,
    state: &mut VoiceState,
    art: &mut TrackArt,
    actions: &mut Vec<Action>,
) {
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    let screen = Rangef::new(area.left() + LEFT, (area.right() - RIGHT).max(area.left() + LEFT));
    let lanes = Rect::from_x_y_ranges(
        screen,
        (area.top() + timeline::RULER)..=(area.bottom() - timeline::SCROLL_BAR - 6.0),
    );
    if lanes.width() < 40.0 || lanes.height() < 60.0 {
        return;
    }
    let touch = Rect::from_min_max(pos2(lanes.left(), area.top()), lanes.max);
    timeline::hands_ui(ui, touch, screen, state, actions);
    let position = state.position();
    if state.now.is_playing && state.scrub.is_none() {
        state.axis.follow(state.last_position, position);
    }
    state.last_position = position;

    let height = (lanes.height() - BETWEEN) / 2.0;
    let top = Rect::from_min_size(lanes.min, vec2(lanes.width(), height));
    let bottom = top.translate(vec2(0.0, height + BETWEEN));
    ask_for_view(ui, state, top, actions);
    art.update(ui.ctx(), state.views.shown());

    timeline::ruler_ui(ui, Rect::from_x_y_ranges(screen, area.top()..=lanes.top()), &state.axis);
    let view = state.views.shown();
    let is_heard = |listening| state.listening == listening;
    let original = Lane {
        rect: top,
        name: "Original",
        colour: Color32::from_gray(0xB8),
        is_heard: is_heard(Listening::Original),
    };
    original.draw(ui, &state.axis, view.map(|view| (view, &view.original)), art.original.as_ref());
    let clean = Lane {
        rect: bottom,
        name: "Clean",
        colour: theme::ACCENT,
        is_heard: is_heard(Listening::Clean),
    };
    let track = view.and_then(|view| view.clean.as_ref().map(|track| (view, track)));
    clean.draw(ui, &state.axis, track, art.clean.as_ref());
    if track.is_none() {
        missing_ui(ui, bottom, &state.cleaning);
    }
    let whole = Rect::from_min_max(touch.min, lanes.max);
    timeline::pointer_time_ui(ui, whole, screen, &state.axis);
    timeline::play_head_ui(ui, whole, screen, state);
    let bar = Rect::from_x_y_ranges(screen, (area.bottom() - timeline::SCROLL_BAR)..=area.bottom());
    timeline::scroll_bar_ui(ui, bar, &mut state.axis);
}

fn ask_for_view(ui: &Ui, state: &mut VoiceState, lane: Rect, actions: &mut Vec<Action>) {
    let scale = ui.ctx().pixels_per_point();
    let (_, spectrum) = parts(lane);
    let pixels = |points: f32, most: f32| (points * scale).round().clamp(1.0, most) as u32;
    let wish = Wish {
        from: state.axis.from(),
        to: state.axis.to(),
        width: pixels(lane.width(), LARGEST[0]),
        height: pixels(spectrum.height(), LARGEST[1]),
    };
    actions.extend(state.views.want(wish).map(Action::Studio));
}

/// Waveform and spectrogram of a lane.
fn parts(lane: Rect) -> (Rect, Rect) {
    let cut = (lane.top() + lane.height() * WAVE_SHARE).round();
    let wave = Rect::from_min_max(lane.min, pos2(lane.right(), cut - 1.0));
    (wave, Rect::from_min_max(pos2(lane.left(), cut + 1.0), lane.max))
}

/// One of the two.
struct Lane {
    rect: Rect,
    name: &'static str,
    colour: Color32,
    is_heard: bool,
}

impl Lane {
    fn draw(
        &self,
        ui: &Ui,
        axis: &Axis,
        drawn: Option<(&SoundView, &Track)>,
        texture: Option<&TextureHandle>,
    ) {
        let (wave, spectrum) = parts(self.rect);
        let painter = ui.painter();
        let round = CornerRadius::same(3);
        painter.rect_filled(wave, round, theme::FIELD);
        painter.rect_filled(spectrum, round, colours::of_db(f32::NEG_INFINITY));
        levels(painter, wave);
        if let Some((view, track)) = drawn {
            let screen = self.rect.x_range();
            let place = Rangef::new(axis.x_of(view.from, screen), axis.x_of(view.to, screen));
            let mesh = waveform(&track.peaks, place, wave, self.colour);
            painter.with_clip_rect(wave.intersect(ui.clip_rect())).add(mesh);
            if let Some(texture) = texture {
                let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                let target = Rect::from_x_y_ranges(place, spectrum.y_range());
                let painter = painter.with_clip_rect(spectrum.intersect(ui.clip_rect()));
                painter.image(texture.id(), target, uv, Color32::WHITE);
            }
            frequencies(painter, spectrum, track.top_hz);
            legend(painter, spectrum);
        }
        if self.is_heard {
            let edge = Stroke::new(1.0, theme::ACCENT.gamma_multiply(0.8));
            painter.rect_stroke(
                self.rect.expand(1.0),
                CornerRadius::same(4),
                edge,
                StrokeKind::Outside,
            );
        }
        self.label(painter, wave);
    }

    fn label(&self, painter: &Painter, wave: Rect) {
        let font = FontId::new(12.0, theme::semibold());
        let text = if self.is_heard {
            format!("{}  {}", self.name, icon::SPEAKER_HIGH)
        } else {
            self.name.to_owned()
        };
        let colour = if self.is_heard { theme::TEXT_STRONG } else { theme::TEXT };
        let galley = painter.layout_no_wrap(text, font, colour);
        let place = wave.min + vec2(9.0, 5.0);
        let behind = Rect::from_min_size(place, galley.size()).expand2(vec2(5.0, 2.0));
        painter.rect_filled(behind, CornerRadius::same(4), Color32::from_black_alpha(170));
        painter.galley(place, galley, colour);
    }
}

/// Lines at zero and at half of full scale.
fn levels(painter: &Painter, wave: Rect) {
    let line = Stroke::new(1.0, theme::LINE);
    for (share, text) in [(0.25, "-6 dB"), (0.5, "0"), (0.75, "-6 dB")] {
        let y = painter.round_to_pixel_center(wave.top() + share * wave.height());
        painter.hline(wave.x_range(), y, line);
        if wave.height() > 60.0 && share < 0.6 {
            let text = if share == 0.5 { "" } else { text };
            let place = pos2(wave.left() - 6.0, y);
            scale_text(painter, place, Align2::RIGHT_CENTER, text);
        }
    }
}

fn scale_text(painter: &Painter, place: egui::Pos2, align: Align2, text: &str) {
    painter.text(place, align, text, FontId::proportional(11.0), theme::TEXT_WEAK);
}

/// Lowest to highest sample of each column as one band; never thinner than a hairline.
fn waveform(peaks: &[(f32, f32)], place: Rangef, wave: Rect, colour: Color32) -> Mesh {
    let mut mesh = Mesh::default();
    let step = place.span() / peaks.len().max(1) as f32;
    let seen = wave.x_range().expand(2.0 * step.max(1.0));
    let y_of = |sample: f32| {
        let sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        wave.center().y - sample * (wave.height() / 2.0 - 1.0)
    };
    for (column, (low, high)) in peaks.iter().enumerate() {
        let x = place.min + (column as f32 + 0.5) * step;
        if !seen.contains(x) {
            continue;
        }
        let first = mesh.vertices.len() as u32;
        mesh.colored_vertex(pos2(x, y_of(*high) - 0.5), colour);
        mesh.colored_vertex(pos2(x, y_of(*low) + 0.5), colour);
        if first > 0 {
            mesh.add_triangle(first - 2, first - 1, first);
            mesh.add_triangle(first - 1, first, first + 1);
        }
    }
    mesh
}

/// Frequencies beside the spectrogram.
fn frequencies(painter: &Painter, spectrum: Rect, top_hz: f32) {
    let top_khz = top_hz / 1000.0;
    if !(top_khz.is_finite() && top_khz > 0.0) {
        return;
    }
    // The smallest step that leaves room for the text.
    let room = top_khz * 26.0 / spectrum.height().max(1.0);
    let step = [0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 5.0, 10.0, 20.0].into_iter().find(|s| *s >= room);
    let step = step.unwrap_or(50.0);
    let mut khz = step;
    while khz < top_khz * 0.97 {
        let y = spectrum.bottom() - khz / top_khz * spectrum.height();
        let tick = Stroke::new(1.0, theme::OUTLINE);
        painter.hline(Rangef::new(spectrum.left() - 4.0, spectrum.left()), y, tick);
        let text = if step < 1.0 { format!("{khz:.1} kHz") } else { format!("{khz:.0} kHz") };
        scale_text(painter, pos2(spectrum.left() - 6.0, y), Align2::RIGHT_CENTER, &text);
        khz += step;
    }
}

/// What the colours of the spectrogram mean.
fn legend(painter: &Painter, spectrum: Rect) {
    let bar = Rect::from_min_max(
        pos2(spectrum.right() + 10.0, spectrum.top()),
        pos2(spectrum.right() + 18.0, spectrum.bottom()),
    );
    let span = colours::BRIGHTEST_DB - colours::DARKEST_DB;
    let mut mesh = Mesh::default();
    let steps = 32_u32;
    for step in 0..=steps {
        let share = step as f32 / steps as f32;
        let y = bar.bottom() - share * bar.height();
        let colour = colours::of_db(colours::DARKEST_DB + share * span);
        mesh.colored_vertex(pos2(bar.left(), y), colour);
        mesh.colored_vertex(pos2(bar.right(), y), colour);
        if step > 0 {
            let first = 2 * step;
            mesh.add_triangle(first - 2, first - 1, first);
            mesh.add_triangle(first - 1, first, first + 1);
        }
    }
    painter.add(mesh);
    let by = if spectrum.height() > 110.0 { 20.0 } else { 40.0 };
    let mut db = colours::BRIGHTEST_DB;
    while db >= colours::DARKEST_DB {
        let y = bar.bottom() - (db - colours::DARKEST_DB) / span * bar.height();
        let (align, text) = match db {
            _ if db == colours::BRIGHTEST_DB => (Align2::LEFT_TOP, format!("{db:.0} dB")),
            _ if db == colours::DARKEST_DB => (Align2::LEFT_BOTTOM, format!("{db:.0}")),
            _ => (Align2::LEFT_CENTER, format!("{db:.0}")),
        };
        scale_text(painter, pos2(bar.right() + 4.0, y), align, &text);
        db -= by;
    }
}

/// Why there is no clean track.
fn missing_ui(ui: &mut Ui, lane: Rect, cleaning: &Cleaning) {
    let (_, spectrum) = parts(lane);
    let size = vec2(260.0_f32.min(spectrum.width() - 16.0), 40.0);
    let middle = Rect::from_center_size(spectrum.center(), size);
    ui.scope_builder(egui::UiBuilder::new().max_rect(middle), |ui| {
        ui.vertical_centered(|ui| match cleaning {
            Cleaning::Working(share) => {
                let percent = (100.0 * share.clamp(0.0, 1.0)).floor();
                ui.label(theme::weak(format!("Cleaning… {percent:.0} %")));
                let width = 180.0_f32.min(ui.available_width());
                widgets::thin_bar(ui, vec2(width, 4.0), *share, "Cleaning progress");
            }
            Cleaning::Done { .. } => {
                ui.label(theme::weak("Drawing…"));
            }
            Cleaning::Failed => {
                ui.label(theme::weak("It was not cleaned."));
            }
            Cleaning::None => {
                ui.label(theme::weak("Not cleaned yet."));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_whose_size_makes_no_sense_gives_no_picture() {
        let track = |columns: usize, cells: usize| Track {
            peaks: vec![(0.0, 0.0); columns],
            spectrogram: vec![-50.0; cells].into(),
            top_hz: 8000.0,
        };
        assert_eq!(picture(&track(4, 12)).map(|picture| picture.size), Some([4, 3]));
        for (columns, cells) in [(0, 0), (0, 5), (4, 0), (4, 3), (4, 13)] {
            assert!(picture(&track(columns, cells)).is_none(), "{columns} {cells}");
        }
    }

    #[test]
    fn the_waveform_reaches_from_the_lowest_to_the_highest_sample() {
        let wave = Rect::from_min_max(pos2(0.0, 0.0), pos2(100.0, 102.0));
        let peaks = [(-1.0, 1.0), (0.0, 0.0), (f32::NAN, 9.0)];
        let mesh = waveform(&peaks, Rangef::new(0.0, 99.0), wave, Color32::WHITE);
        let y: Vec<f32> = mesh.vertices.iter().map(|vertex| vertex.pos.y).collect();
        assert_eq!(y, [0.5, 101.5, 50.5, 51.5, 0.5, 51.5]);
        assert!(mesh.is_valid());
    }
}
