//! A track on the screen: waveform above, spectrogram below, with their scales. The same for a
//! recording that is open and for one under way.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Mesh, Painter, Rangef, Rect, Stroke, StrokeKind,
    TextureHandle, Ui, pos2, vec2,
};

use super::super::{icon, theme};
use super::colours;

/// Left of the tracks: frequencies and levels.
pub(super) const LEFT: f32 = 50.0;
/// Right of the tracks: what the colours mean.
pub(super) const RIGHT: f32 = 60.0;
/// Between the tracks.
pub(super) const BETWEEN: f32 = 10.0;
/// The waveform of what is as it was.
pub(super) const ORIGINAL: Color32 = Color32::from_gray(0xB8);
/// The share of a track that is waveform.
const WAVE_SHARE: f32 = 0.36;

/// Waveform and spectrogram of a lane.
pub(super) fn parts(lane: Rect) -> (Rect, Rect) {
    let cut = (lane.top() + lane.height() * WAVE_SHARE).round();
    let wave = Rect::from_min_max(lane.min, pos2(lane.right(), cut - 1.0));
    (wave, Rect::from_min_max(pos2(lane.left(), cut + 1.0), lane.max))
}

/// One of the two.
pub(super) struct Lane {
    pub(super) rect: Rect,
    pub(super) name: &'static str,
    /// Of the waveform.
    pub(super) colour: Color32,
    /// Whether it is what is listened to.
    pub(super) is_heard: bool,
}

/// What a lane shows.
pub(super) struct Drawn<'a> {
    /// Lowest and highest sample of each column.
    pub(super) peaks: &'a [(f32, f32)],
    /// Where the columns stand on the screen.
    pub(super) place: Rangef,
    /// The spectrogram, and where it stands.
    pub(super) picture: Option<(&'a TextureHandle, Rangef)>,
    /// Frequency of its top row, in Hz.
    pub(super) top_hz: f32,
}

impl Lane {
    pub(super) fn draw(&self, ui: &Ui, drawn: Option<&Drawn<'_>>) {
        let (wave, spectrum) = parts(self.rect);
        let painter = ui.painter();
        let round = CornerRadius::same(3);
        painter.rect_filled(wave, round, theme::FIELD);
        painter.rect_filled(spectrum, round, colours::of_db(f32::NEG_INFINITY));
        levels(painter, wave);
        if let Some(drawn) = drawn {
            let mesh = waveform(drawn.peaks, drawn.place, wave, self.colour);
            painter.with_clip_rect(wave.intersect(ui.clip_rect())).add(mesh);
            if let Some((texture, place)) = drawn.picture {
                let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                let target = Rect::from_x_y_ranges(place, spectrum.y_range());
                let painter = painter.with_clip_rect(spectrum.intersect(ui.clip_rect()));
                painter.image(texture.id(), target, uv, Color32::WHITE);
            }
            frequencies(painter, spectrum, drawn.top_hz);
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

#[cfg(test)]
mod tests {
    use super::*;

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
