//! A recording under way: how loud it is, how long, and what it needs to be told of.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Mesh, Rangef, Rect, RichText, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};
use limpid_engine::studio::RecordingNow;

use super::super::{theme, widgets};
use super::axis::time_text;
use super::live::LiveArt;
use super::state::{VoiceState, name_of};
use super::{live, transport};

/// Height of what stands above the tracks.
const HEAD: f32 = 124.0;
/// A level bar as wide as this has room for every number below it, in points.
const ROOM_FOR_ALL: f32 = 320.0;
/// Left and right of the head.
const SIDE: f32 = 14.0;
/// Room for "59:59.9".
const TIME_WIDTH: f32 = 168.0;
/// Room for "23:59:59.9".
const LONG_TIME_WIDTH: f32 = 244.0;

/// The quietest level on the scale, in dB of full scale.
const FLOOR_DB: f32 = -60.0;
/// From here on a voice is loud; a little room is left above.
const LOUD_DB: f32 = -12.0;
/// From here on it is nearly too loud.
const HOT_DB: f32 = -3.0;

/// The middle of the page while recording.
pub(super) fn recording_ui(
    ui: &mut Ui,
    state: &VoiceState,
    art: &mut LiveArt,
    recording: &RecordingNow,
) {
    let head = Rect::from_min_size(ui.max_rect().min, vec2(ui.max_rect().width(), HEAD));
    let inside = head.shrink2(vec2(SIDE, 6.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(inside), |ui| {
        ui.set_min_size(inside.size());
        head_ui(ui, state, recording);
    });
    ui.advance_cursor_after_rect(head);
    live::live_ui(ui, &state.live, state.settings.records_clean, art);
}

/// What is recorded, for how long, how loud, and into which file.
fn head_ui(ui: &mut Ui, state: &VoiceState, recording: &RecordingNow) {
    ui.horizontal(|ui| {
        transport::record_light_ui(ui, recording.is_paused);
        let text = if recording.is_paused { "Paused" } else { "Recording" };
        ui.label(theme::heading(text).size(15.0));
        let names = state.microphone().map(|microphone| microphone.name.as_str());
        let take = state.take.as_deref();
        let half = ui.available_width() * if take.is_some() { 0.5 } else { 1.0 };
        if let Some(name) = names {
            widgets::elided_label(ui, name, half, theme::TEXT_WEAK);
        }
        if let Some(take) = take {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let width = ui.available_width() - 30.0;
                let label = widgets::elided_label(ui, &name_of(take), width, theme::TEXT);
                label.on_hover_text(take.display().to_string());
                ui.label(theme::weak("Into"));
            });
        }
    });
    ui.add_space(theme::GAP_SMALL);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
        let time = RichText::new(time_text(recording.seconds, 0.1))
            .family(theme::semibold())
            .size(42.0)
            .color(theme::TEXT_STRONG);
        // As wide for every second, so that the level stands still.
        let width = if recording.seconds < 3600.0 { TIME_WIDTH } else { LONG_TIME_WIDTH };
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        ui.allocate_ui_with_layout(vec2(width, 60.0), layout, |ui| {
            ui.set_min_size(vec2(width, 60.0));
            ui.label(time);
        });
        ui.vertical(|ui| {
            level_ui(ui, recording);
            facts_ui(ui, recording);
        });
    });
}

/// The level, with the highest of the last seconds and the light for what was too loud.
fn level_ui(ui: &mut Ui, recording: &RecordingNow) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::hover());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(egui::Role::Meter, true, "Level");
        info.value = Some(f64::from(recording.peak_db.round()));
        info
    });
    let light = Rect::from_min_max(
        pos2(rect.right() - 50.0, rect.top()),
        rect.right_top() + vec2(0.0, 22.0),
    );
    let bar = Rect::from_min_max(rect.min, pos2(light.left() - 8.0, light.bottom()));
    let painter = ui.painter();
    painter.rect_filled(bar, CornerRadius::same(3), theme::FIELD);

    // Average strongly, what rises above it faintly.
    let peak = x_of(recording.peak_db, bar);
    let average = x_of(recording.rms_db, bar).min(peak);
    painter.add(zones(bar, Rangef::new(bar.left(), peak), 0.45));
    painter.add(zones(bar, Rangef::new(bar.left(), average), 1.0));
    let held = x_of(recording.held_peak_db, bar);
    if held > bar.left() {
        let colour = zone_colour(recording.held_peak_db);
        let line = Rangef::new(bar.top(), bar.bottom());
        painter.vline(held.min(bar.right() - 1.0), line, Stroke::new(2.0, colour));
    }
    for db in [-60.0, -48.0, -36.0, -24.0, -12.0, -6.0, 0.0_f32] {
        let x = painter.round_to_pixel_center(x_of(db, bar));
        let tick = Rangef::new(bar.bottom() + 2.0, bar.bottom() + 5.0);
        painter.vline(x, tick, Stroke::new(1.0, theme::OUTLINE));
        if bar.width() < ROOM_FOR_ALL && [-48.0, -24.0, -6.0].contains(&db) {
            continue;
        }
        let align = match db {
            -60.0 => Align2::LEFT_TOP,
            0.0 => Align2::RIGHT_TOP,
            _ => Align2::CENTER_TOP,
        };
        let text = if db == FLOOR_DB { format!("{db:.0} dB") } else { format!("{db:.0}") };
        let place = pos2(x, bar.bottom() + 7.0);
        painter.text(place, align, text, FontId::proportional(11.0), theme::TEXT_WEAK);
    }

    let (fill, text) = if recording.has_clipped {
        (theme::BAD, Color32::from_rgb(0x2A, 0x0A, 0x07))
    } else {
        (theme::FIELD, theme::TEXT_WEAK)
    };
    painter.rect_filled(light, CornerRadius::same(3), fill);
    let font = FontId::new(11.5, theme::semibold());
    painter.text(light.center(), Align2::CENTER_CENTER, "Clip", font, text);
    response.on_hover_text(
        "Strong: the average. Faint: the peaks; the line is the highest of the last seconds. \
         \"Clip\" lights up when the sound was too loud to be kept whole.",
    );
}

fn x_of(db: f32, bar: Rect) -> f32 {
    let share = ((db - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0);
    let share = if share.is_finite() { share } else { 0.0 };
    bar.left() + share * bar.width()
}

fn zone_colour(db: f32) -> Color32 {
    match db {
        _ if db >= HOT_DB => theme::BAD,
        _ if db >= LOUD_DB => theme::WARN,
        _ => theme::GOOD,
    }
}

/// The part of the bar inside `filled`, in the colours of the zones.
fn zones(bar: Rect, filled: Rangef, opacity: f32) -> Mesh {
    let mut mesh = Mesh::default();
    for (from, to) in [(FLOOR_DB, LOUD_DB), (LOUD_DB, HOT_DB), (HOT_DB, 0.0)] {
        let left = x_of(from, bar).max(filled.min);
        let right = x_of(to, bar).min(filled.max);
        if left < right {
            let rect = Rect::from_x_y_ranges(left..=right, bar.shrink2(vec2(0.0, 2.0)).y_range());
            mesh.add_colored_rect(rect, zone_colour(from).gamma_multiply(opacity));
        }
    }
    mesh
}

fn facts_ui(ui: &mut Ui, recording: &RecordingNow) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_LARGE;
        if let Some(left) = recording.seconds_left {
            let colour = if left < 300.0 { theme::WARN } else { theme::TEXT_WEAK };
            ui.label(theme::weak(left_text(left)).color(colour));
        }
        match recording.dropped_frames {
            0 => ui.label(theme::weak("Nothing lost")),
            1 => ui.label(theme::weak("1 frame lost").color(theme::WARN)),
            count => ui.label(theme::weak(format!("{count} frames lost")).color(theme::WARN)),
        }
        .on_hover_text("Sound that the computer was too slow to take in.");
    });
}

/// How long the disk lasts, for people.
fn left_text(seconds: f64) -> String {
    let minutes = (seconds / 60.0).floor();
    match minutes {
        _ if seconds < 60.0 => "Less than a minute fits on the disk".into(),
        _ if minutes < 120.0 => format!("{minutes:.0} min fit on the disk"),
        _ if minutes < 48.0 * 60.0 => format!("{:.0} h fit on the disk", (minutes / 60.0).floor()),
        _ => "Days fit on the disk".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_spoken_of_as_people_do() {
        for (seconds, text) in [
            (12.0, "Less than a minute fits on the disk"),
            (90.0, "1 min fit on the disk"),
            (7300.0, "2 h fit on the disk"),
            (1e9, "Days fit on the disk"),
        ] {
            assert_eq!(left_text(seconds), text);
        }
    }

    #[test]
    fn levels_off_the_scale_stay_in_the_bar() {
        let bar = Rect::from_min_max(pos2(10.0, 0.0), pos2(110.0, 20.0));
        for (db, x) in [(-120.0, 10.0), (f32::NAN, 10.0), (-30.0, 60.0), (0.0, 110.0), (6.0, 110.0)]
        {
            assert_eq!(x_of(db, bar), x, "{db}");
        }
    }
}
