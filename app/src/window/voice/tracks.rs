//! The recording on the screen: waveform and spectrogram of the original, the same of the cleaned
//! one below, on one time axis.

use std::sync::Arc;

use eframe::egui::{self, ColorImage, Rangef, Rect, TextureHandle, TextureOptions, Ui, pos2, vec2};
use limpid_engine::studio::{Listening, SoundView, Track};

use super::super::state::Action;
use super::super::{theme, widgets};
use super::lanes::{BETWEEN, Drawn, LEFT, Lane, ORIGINAL, RIGHT, parts};
use super::live::LiveArt;
use super::state::{Cleaning, VoiceState};
use super::views::Wish;
use super::{colours, timeline};

/// The largest view that is asked for, in pixels.
const LARGEST: [f32; 2] = [4096.0, 1024.0];

/// Textures of the view that is shown.
#[derive(Default)]
pub(crate) struct TrackArt {
    /// The view that they are of.
    id: Option<u64>,
    original: Option<TextureHandle>,
    clean: Option<TextureHandle>,
    /// Textures of a recording under way.
    pub(super) live: LiveArt,
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
    let place = view.map_or(screen, |view| {
        Rangef::new(state.axis.x_of(view.from, screen), state.axis.x_of(view.to, screen))
    });
    let original = view.map(|view| &view.original);
    let clean = view.and_then(|view| view.clean.as_ref());
    for (rect, name, colour, listening, track, texture) in [
        (top, "Original", ORIGINAL, Listening::Original, original, &art.original),
        (bottom, "Clean", theme::ACCENT, Listening::Clean, clean, &art.clean),
    ] {
        let lane = Lane { rect, name, colour, is_heard: state.listening == listening };
        let drawn = track.map(|track| Drawn {
            peaks: &track.peaks,
            place,
            picture: texture.as_ref().map(|texture| (texture, place)),
            top_hz: track.top_hz,
        });
        lane.draw(ui, drawn.as_ref());
    }
    if clean.is_none() {
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
}
