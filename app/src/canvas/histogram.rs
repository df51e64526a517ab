//! How bright a picture is: red, green and blue over each other, before and after.

use eframe::egui::{
    self, Color32, Mesh, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke,
};
use eframe::egui::{Ui, Vec2, WidgetInfo, pos2};
use limpid_engine::Histogram;

use crate::window::theme;

/// Levels of a channel.
const LEVELS: usize = 256;

/// Red, green and blue that add up to a neutral grey where they overlap.
const CHANNELS: [Color32; 3] = [
    Color32::from_rgb(0xE0, 0x55, 0x50),
    Color32::from_rgb(0x4F, 0xB3, 0x60),
    Color32::from_rgb(0x4E, 0x86, 0xE0),
];

/// A histogram as a widget: areas for what is shown, lines for the original when both are given.
#[derive(Clone, Copy, Debug)]
pub struct HistogramPlot<'a> {
    before: &'a Histogram,
    after: Option<&'a Histogram>,
    size: Vec2,
}

impl<'a> HistogramPlot<'a> {
    /// Of the original alone.
    #[must_use]
    pub fn new(before: &'a Histogram, size: Vec2) -> Self {
        Self { before, after: None, size }
    }

    /// With the result: it becomes the areas, the original the lines.
    #[must_use]
    pub fn with_after(self, after: Option<&'a Histogram>) -> Self {
        Self { after, ..self }
    }
}

impl egui::Widget for HistogramPlot<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let (rect, response) = ui.allocate_exact_size(self.size, Sense::hover());
        let label = || describe(self.before, self.after);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, label()));
        if ui.is_rect_visible(rect) {
            let painter = ui.painter_at(rect);
            let radius = theme::ROUND_SMALL;
            painter.rect_filled(rect, radius, theme::FIELD);
            for quarter in 1..4u8 {
                let x = rect.left() + rect.width() * f32::from(quarter) / 4.0;
                painter.vline(x, rect.y_range(), Stroke::new(1.0, theme::LINE));
            }
            let inner = rect.shrink2(egui::vec2(1.0, 2.0));
            let shown = self.after.unwrap_or(self.before);
            let shown_heights = heights(shown);
            for (channel, heights) in shown_heights.iter().enumerate() {
                area(&painter, inner, heights, CHANNELS[channel].gamma_multiply(0.45));
                line(&painter, inner, heights, Stroke::new(1.0, CHANNELS[channel]));
            }
            if self.after.is_some() {
                for (channel, heights) in heights(self.before).iter().enumerate() {
                    let colour = CHANNELS[channel].lerp_to_gamma(Color32::WHITE, 0.55);
                    line(&painter, inner, heights, Stroke::new(1.0, colour.gamma_multiply(0.5)));
                }
            }
        }
        response.on_hover_ui_at_pointer(|ui| {
            let Some(pointer) = ui.ctx().pointer_hover_pos() else { return };
            let level = level_at(rect, pointer.x);
            ui.label(format!("Level {level}"));
            ui.label(theme::weak(label()));
        })
    }
}

fn level_at(rect: Rect, x: f32) -> usize {
    let share = ((x - rect.left()) / rect.width()).clamp(0.0, 1.0);
    ((share * LEVELS as f32) as usize).min(LEVELS - 1)
}

/// Heights `0..=1` of each channel. The scale is that of a high level, not of the highest: clipped
/// skies and borders would flatten everything else. Square root, so that small counts are seen.
fn heights(histogram: &Histogram) -> [[f32; LEVELS]; 3] {
    let mut inner: Vec<u32> =
        histogram.0.iter().flat_map(|channel| &channel[1..LEVELS - 1]).copied().collect();
    inner.sort_unstable();
    let top = inner[inner.len() - 4].max(1) as f32 * 1.08;
    histogram.0.map(|channel| channel.map(|count| (count as f32 / top).sqrt().min(1.0)))
}

fn point(rect: Rect, level: usize, height: f32) -> Pos2 {
    let x = rect.left() + rect.width() * level as f32 / (LEVELS - 1) as f32;
    pos2(x, rect.bottom() - rect.height() * height)
}

fn area(painter: &Painter, rect: Rect, heights: &[f32; LEVELS], colour: Color32) {
    let mut mesh = Mesh::default();
    // Light adds up: where all three are, the area is grey.
    let colour = colour.additive();
    for (level, height) in heights.iter().enumerate() {
        mesh.colored_vertex(point(rect, level, 0.0), colour);
        mesh.colored_vertex(point(rect, level, *height), colour);
        if let Some(first) = (2 * level as u32).checked_sub(2) {
            mesh.add_triangle(first, first + 1, first + 2);
            mesh.add_triangle(first + 1, first + 2, first + 3);
        }
    }
    painter.add(Shape::mesh(mesh));
}

fn line(painter: &Painter, rect: Rect, heights: &[f32; LEVELS], stroke: Stroke) {
    let points = heights.iter().enumerate().map(|(level, h)| point(rect, level, *h)).collect();
    painter.add(Shape::line(points, stroke));
}

/// The histogram in words: mean brightness and clipped shares.
fn describe(before: &Histogram, after: Option<&Histogram>) -> String {
    let one = |histogram: &Histogram| {
        let total: f64 = histogram.0.iter().flatten().map(|count| f64::from(*count)).sum();
        if total == 0.0 {
            return "empty".to_owned();
        }
        let levels = histogram.0.iter().flat_map(|channel| channel.iter().enumerate());
        let sum: f64 = levels.map(|(level, count)| level as f64 * f64::from(*count)).sum();
        let clipped = |level: usize| {
            let count: f64 = histogram.0.iter().map(|channel| f64::from(channel[level])).sum();
            count / total * 100.0
        };
        format!(
            "mean {:.0}, black {:.1} %, white {:.1} %",
            sum / total,
            clipped(0),
            clipped(LEVELS - 1)
        )
    };
    match after {
        None => format!("Histogram. {}", one(before)),
        Some(after) => format!("Histogram. Before {}. After {}", one(before), one(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(count: u32) -> Histogram {
        Histogram([[count; LEVELS]; 3])
    }

    #[test]
    fn clipped_ends_do_not_flatten_the_rest() {
        let mut histogram = flat(100);
        histogram.0[0][255] = 1_000_000;
        let heights = heights(&histogram);
        assert!(heights[1][128] > 0.9, "{}", heights[1][128]);
        assert_eq!(heights[0][255], 1.0);
    }

    #[test]
    fn it_reads_in_words() {
        let mut histogram = Histogram([[0; LEVELS]; 3]);
        for channel in &mut histogram.0 {
            channel[0] = 25;
            channel[200] = 75;
        }
        let text = describe(&histogram, Some(&flat(1)));
        assert!(text.contains("Before mean 150, black 25.0 %, white 0.0 %"), "{text}");
        assert!(text.contains("After mean 128"), "{text}");
        assert!(describe(&Histogram([[0; LEVELS]; 3]), None).contains("empty"));
    }

    #[test]
    fn levels_run_over_the_whole_width() {
        let rect = Rect::from_min_max(pos2(10.0, 0.0), pos2(266.0, 50.0));
        assert_eq!([5.0, 10.0, 138.0, 266.0].map(|x| level_at(rect, x)), [0, 0, 128, 255]);
    }
}
