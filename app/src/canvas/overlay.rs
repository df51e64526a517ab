//! What lies over the picture: labels, the split line, the read-out, the progress of the result.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, Vec2, pos2,
    vec2,
};

use super::compose::{Coverage, UNITS};
use super::paint::Pane;
use crate::window::theme;

/// From a corner of the canvas to a label.
const MARGIN: f32 = theme::GAP_LARGE;

/// Radius of the split line's grip.
const GRIP_RADIUS: f32 = 13.0;

/// A line of text on a dark pill, `align`ed at `anchor`. Returns its place.
pub(super) fn pill(
    painter: &Painter,
    anchor: Pos2,
    align: Align2,
    text: &str,
    font: FontId,
    colour: Color32,
) -> Rect {
    let galley = painter.layout_no_wrap(text.to_owned(), font, colour);
    let size = galley.size() + vec2(16.0, 7.0);
    let place = align.anchor_size(anchor, size);
    let place = Rect::from_min_size(place.min.round(), size.ceil());
    painter.rect_filled(
        place,
        CornerRadius::same(theme::ROUND_SMALL),
        Color32::from_black_alpha(165),
    );
    painter.galley(place.center() - galley.size() / 2.0, galley, colour);
    place
}

/// "Before" and "After" at the top of the parts of the canvas, left out where there is no room.
pub(super) fn label(painter: &Painter, part: Rect, align: Align2, text: &str) {
    let font = FontId::new(12.0, theme::semibold());
    let width = painter.layout_no_wrap(text.to_owned(), font.clone(), theme::TEXT).size().x;
    if part.width() < width + 3.0 * MARGIN {
        return;
    }
    let x = match align {
        Align2::LEFT_TOP => part.left() + MARGIN,
        Align2::RIGHT_TOP => part.right() - MARGIN,
        _ => part.center().x,
    };
    pill(painter, pos2(x, part.top() + MARGIN), align, text, font, theme::TEXT_STRONG);
}

/// The line between before and after, with its grip.
pub(super) fn split_line(painter: &Painter, area: Rect, x: f32, is_hot: bool, has_focus: bool) {
    let white = if is_hot || has_focus { Color32::WHITE } else { Color32::from_gray(0xE6) };
    // A dark line beside the light one: it is seen on any picture.
    painter.vline(x, area.y_range(), Stroke::new(3.0, Color32::from_black_alpha(110)));
    painter.vline(x, area.y_range(), Stroke::new(1.0, white));
    let centre = pos2(x, area.center().y);
    painter.circle_filled(centre, GRIP_RADIUS + 1.0, Color32::from_black_alpha(110));
    painter.circle_filled(centre, GRIP_RADIUS, white);
    if has_focus {
        painter.circle_stroke(centre, GRIP_RADIUS + 3.0, Stroke::new(2.0, theme::ACCENT));
    }
    for side in [-1.0f32, 1.0] {
        let tip = centre + vec2(side * 7.0, 0.0);
        let back = vec2(-side * 3.5, 0.0);
        let stroke = Stroke::new(1.8, Color32::from_gray(0x30));
        painter.line_segment([tip, tip + back + vec2(0.0, 4.0)], stroke);
        painter.line_segment([tip, tip + back - vec2(0.0, 4.0)], stroke);
    }
}

/// The border around what is enhanced already, while the rest is still the original.
pub(super) fn frontier(painter: &Painter, pane: &Pane, coverage: &Coverage) {
    let stroke = Stroke::new(1.0, theme::ACCENT.gamma_multiply(0.6));
    for line in coverage.frontier() {
        let ends = line.map(|end| {
            let point = pane.point_from_picture(end.map(|value| value as f64 / UNITS));
            // On the middle of a screen pixel, or the line is two pixels wide and pale.
            let pixel = pane.pixels_per_point as f32;
            let middle = |value: f32| ((value * pixel).floor() + 0.5) / pixel;
            pos2(middle(point.x), middle(point.y))
        });
        painter.line_segment(ends, stroke);
    }
}

/// A thin line along the top: `share` (`0..=1`) of what is looked at is enhanced.
pub(super) fn progress(painter: &Painter, area: Rect, share: f32) {
    let track = Rect::from_min_size(area.min, vec2(area.width(), 2.0));
    painter.rect_filled(track, 0, Color32::from_black_alpha(120));
    let done = Rect::from_min_size(area.min, vec2(area.width() * share.clamp(0.0, 1.0), 2.0));
    painter.rect_filled(done, 0, theme::ACCENT);
}

/// Frame of the lens, and the line between its halves.
pub(super) fn lens_frame(
    painter: &Painter,
    centre: Pos2,
    radius: f32,
    is_round: bool,
    halves: bool,
) {
    let dark = Stroke::new(3.0, Color32::from_black_alpha(150));
    let light = Stroke::new(1.5, Color32::from_gray(0xE6));
    if halves {
        let range = centre.y - radius..=centre.y + radius;
        painter.vline(centre.x, range, Stroke::new(1.0, Color32::from_white_alpha(200)));
    }
    if is_round {
        painter.circle_stroke(centre, radius, dark);
        painter.circle_stroke(centre, radius, light);
    } else {
        let square = Rect::from_center_size(centre, Vec2::splat(2.0 * radius));
        painter.rect_stroke(square, 2, dark, StrokeKind::Middle);
        painter.rect_stroke(square, 2, light, StrokeKind::Middle);
    }
}

/// A colour in numbers, "≈" when it is of a reduced picture.
pub(super) fn colour_text(name: &str, colour: Option<([u8; 3], bool)>) -> String {
    match colour {
        None => format!("{name} –"),
        Some(([r, g, b], is_exact)) => {
            let about = if is_exact { "" } else { "≈ " };
            format!("{name} {about}{r} {g} {b}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_say_when_they_are_approximate() {
        assert_eq!(colour_text("after", Some(([1, 20, 255], true))), "after 1 20 255");
        assert_eq!(colour_text("after", Some(([1, 20, 255], false))), "after ≈ 1 20 255");
        assert_eq!(colour_text("after", None), "after –");
    }
}
