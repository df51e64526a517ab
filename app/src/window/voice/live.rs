//! A recording under way on the screen: the last seconds as heard, the same cleaned below, scrolling.

use std::collections::VecDeque;
use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, ColorImage, FontId, Rangef, Rect, Sense, TextureHandle, TextureOptions,
    Ui, WidgetInfo, vec2,
};
use limpid_engine::studio::{LiveSeen, LiveTrack, LiveView};

use super::super::theme;
use super::axis::Axis;
use super::lanes::{BETWEEN, Drawn, LEFT, Lane, ORIGINAL, RIGHT, parts};
use super::{colours, timeline};

/// Columns in sight: 20 seconds.
const SHOWN: usize = LiveTrack::KEPT_SECONDS as usize * LiveTrack::COLUMNS_A_SECOND as usize;

/// The last seconds of a recording under way. As large after hours as after a minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveSound {
    take: u64,
    top_hz: f32,
    raw: LiveLane,
    clean: Option<LiveLane>,
}

/// One track of it.
#[derive(Clone, Debug, Default)]
struct LiveLane {
    /// Columns so far; the last [`SHOWN`] are here.
    end: u64,
    peaks: VecDeque<(f32, f32)>,
    /// [`LiveTrack::ROWS`] a column, the highest frequency first.
    colours: VecDeque<Color32>,
}

impl LiveSound {
    /// What is here already.
    pub(super) fn seen(&self) -> LiveSeen {
        let clean = self.clean.as_ref().map_or(0, |clean| clean.end);
        LiveSeen { take: self.take, raw: self.raw.end, clean }
    }

    /// Takes in what is new.
    pub(super) fn take_in(&mut self, view: &LiveView) {
        if self.take != view.take {
            *self = Self { take: view.take, ..Self::default() };
        }
        self.top_hz = view.top_hz;
        self.raw.take_in(&view.raw);
        if let Some(track) = &view.clean {
            self.clean.get_or_insert_default().take_in(track);
        }
    }
}

impl LiveLane {
    fn take_in(&mut self, track: &LiveTrack) {
        let rows = LiveTrack::ROWS;
        if track.first != self.end || track.spectrogram.len() != rows * track.peaks.len() {
            // Something was missed: what is older does not belong before it.
            *self = Self { end: track.first, ..Self::default() };
        }
        if track.spectrogram.len() != rows * track.peaks.len() {
            return;
        }
        self.end = track.end();
        self.peaks.extend(&track.peaks);
        self.colours.extend(track.spectrogram.iter().map(|db| colours::of_db(*db)));
        let over = self.peaks.len().saturating_sub(SHOWN);
        self.peaks.drain(..over);
        self.colours.drain(..over * rows);
    }

    /// The first column here.
    fn start(&self) -> u64 {
        self.end - self.peaks.len() as u64
    }

    /// The columns from `first` on, `[ROWS][columns]`.
    fn picture(&self, first: u64) -> Option<ColorImage> {
        let skip = usize::try_from(first.saturating_sub(self.start())).ok()?;
        let width = self.peaks.len().checked_sub(skip).filter(|width| *width > 0)?;
        let rows = LiveTrack::ROWS;
        let mut pixels = Vec::with_capacity(width * rows);
        for row in 0..rows {
            let column = self.colours.iter().skip(skip * rows + row);
            pixels.extend(column.step_by(rows));
        }
        Some(ColorImage::new([width, rows], pixels))
    }
}

/// Textures of the spectrograms, and which columns they are of.
#[derive(Default)]
pub(super) struct LiveArt {
    raw: Option<(LiveKey, TextureHandle)>,
    clean: Option<(LiveKey, TextureHandle)>,
}

/// The recording, and the first and last column of a texture.
type LiveKey = (u64, u64, u64);

/// Brings a texture up to date; none where there is nothing to draw.
fn update(
    ctx: &egui::Context,
    kept: &mut Option<(LiveKey, TextureHandle)>,
    name: &str,
    (take, first, lane): (u64, u64, &LiveLane),
) {
    let key = (take, first, lane.end);
    if kept.as_ref().is_some_and(|(known, _)| *known == key) {
        return;
    }
    *kept = lane.picture(first).map(|picture| {
        let picture = Arc::new(picture);
        let texture = match kept.take() {
            Some((_, mut texture)) => {
                texture.set(picture, TextureOptions::LINEAR);
                texture
            }
            None => ctx.load_texture(name, picture, TextureOptions::LINEAR),
        };
        (key, texture)
    });
}

/// Ruler and tracks in the rest of `ui`; `has_clean` says whether room is left for a clean one.
pub(super) fn live_ui(ui: &mut Ui, sound: &LiveSound, has_clean: bool, art: &mut LiveArt) {
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    let screen = Rangef::new(area.left() + LEFT, (area.right() - RIGHT).max(area.left() + LEFT));
    let lanes =
        Rect::from_x_y_ranges(screen, (area.top() + timeline::RULER)..=(area.bottom() - 8.0));
    if lanes.width() < 40.0 || lanes.height() < 60.0 {
        return;
    }
    let response = ui.interact(lanes, ui.scope_id().with("live"), Sense::hover());
    let seconds = second_of(sound.raw.end);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(egui::Role::Image, true, "The last 20 seconds");
        info.value = Some(seconds);
        info
    });
    let axis = Axis::last(seconds, LiveTrack::KEPT_SECONDS);
    timeline::ruler_ui(ui, Rect::from_x_y_ranges(screen, area.top()..=lanes.top()), &axis);

    let first = sound.raw.end.saturating_sub(SHOWN as u64);
    let count = if has_clean { 2.0 } else { 1.0 };
    let height = (lanes.height() - BETWEEN * (count - 1.0)) / count;
    let top = Rect::from_min_size(lanes.min, vec2(lanes.width(), height));
    update(ui.ctx(), &mut art.raw, "live raw", (sound.take, first, &sound.raw));
    let texture = art.raw.as_ref().map(|(_, texture)| texture);
    let raw = Lane { rect: top, name: "As heard", colour: ORIGINAL, is_heard: false };
    lane_ui(ui, &raw, &axis, (sound, &sound.raw, first), texture, "Waiting for sound…");
    if !has_clean {
        return;
    }
    let rect = top.translate(vec2(0.0, height + BETWEEN));
    let clean = Lane { rect, name: "Clean", colour: theme::ACCENT, is_heard: false };
    let none = LiveLane::default();
    let track = sound.clean.as_ref().unwrap_or(&none);
    update(ui.ctx(), &mut art.clean, "live clean", (sound.take, first, track));
    let texture = art.clean.as_ref().map(|(_, texture)| texture);
    let behind = behind_text(seconds - second_of(track.end));
    let empty = if track.end == 0 { "Cleaned a moment later" } else { &behind };
    lane_ui(ui, &clean, &axis, (sound, track, first), texture, empty);
}

/// One lane, or why there is nothing in it yet.
fn lane_ui(
    ui: &Ui,
    lane: &Lane,
    axis: &Axis,
    (sound, track, first): (&LiveSound, &LiveLane, u64),
    texture: Option<&TextureHandle>,
    empty: &str,
) {
    let from = track.start().max(first);
    if from >= track.end {
        lane.draw(ui, None);
        let (_, spectrum) = parts(lane.rect);
        let font = FontId::proportional(12.0);
        ui.painter().text(spectrum.center(), Align2::CENTER_CENTER, empty, font, theme::TEXT_WEAK);
        return;
    }
    let screen = lane.rect.x_range();
    let place =
        Rangef::new(axis.x_of(second_of(from), screen), axis.x_of(second_of(track.end), screen));
    let skip = usize::try_from(from - track.start()).unwrap_or(0);
    let peaks: Vec<(f32, f32)> = track.peaks.range(skip..).copied().collect();
    let picture = texture.map(|texture| (texture, place));
    lane.draw(ui, Some(&Drawn { peaks: &peaks, place, picture, top_hz: sound.top_hz }));
}

/// Where the network is slower than the voice.
fn behind_text(seconds: f64) -> String {
    format!("Cleaning is {seconds:.0} s behind; what is heard is kept whole")
}

fn second_of(column: u64) -> f64 {
    column as f64 / f64::from(LiveTrack::COLUMNS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(first: u64, count: usize, db: f32) -> LiveTrack {
        let spectrogram = vec![db; count * LiveTrack::ROWS];
        LiveTrack { first, peaks: vec![(-0.5, 0.5); count], spectrogram }
    }

    fn view(take: u64, raw: LiveTrack, clean: Option<LiveTrack>) -> LiveView {
        LiveView { take, top_hz: 8000.0, raw, clean }
    }

    #[test]
    fn what_comes_is_appended_and_hours_are_not_kept() {
        let mut sound = LiveSound::default();
        sound.take_in(&view(1, track(0, 30, -90.0), Some(track(0, 10, -50.0))));
        assert_eq!(sound.seen(), LiveSeen { take: 1, raw: 30, clean: 10 });
        sound.take_in(&view(1, track(30, SHOWN, -10.0), Some(track(10, 0, 0.0))));
        assert_eq!(sound.seen(), LiveSeen { take: 1, raw: 30 + SHOWN as u64, clean: 10 });
        assert_eq!(sound.raw.peaks.len(), SHOWN);
        assert_eq!(sound.raw.colours.len(), SHOWN * LiveTrack::ROWS);
        assert!(sound.raw.colours.iter().all(|colour| *colour == colours::of_db(-10.0)));
        sound.take_in(&view(2, track(0, 1, 0.0), None));
        assert_eq!(sound.seen(), LiveSeen { take: 2, raw: 1, clean: 0 });
    }

    #[test]
    fn a_gap_starts_anew_and_nonsense_is_not_drawn() {
        let mut lane = LiveLane::default();
        lane.take_in(&track(0, 5, 0.0));
        lane.take_in(&track(100, 5, 0.0));
        assert_eq!((lane.start(), lane.end), (100, 105));
        lane.take_in(&LiveTrack { spectrogram: vec![0.0; 7], ..track(105, 2, 0.0) });
        assert_eq!(lane.start(), lane.end);
        assert!(lane.picture(0).is_none());
    }

    #[test]
    fn the_picture_stands_upright() {
        let mut lane = LiveLane::default();
        let mut sound = track(0, 2, -90.0);
        // The highest frequency of the first column is loud.
        sound.spectrogram[0] = -10.0;
        lane.take_in(&sound);
        let picture = lane.picture(0).unwrap();
        assert_eq!(picture.size, [2, LiveTrack::ROWS]);
        let loud: Vec<usize> = (0..picture.pixels.len())
            .filter(|at| picture.pixels[*at] == colours::of_db(-10.0))
            .collect();
        assert_eq!(loud, [0]);
        assert_eq!(lane.picture(1).unwrap().size, [1, LiveTrack::ROWS]);
        assert!(lane.picture(2).is_none());
    }
}
