//! Puts tiles on the screen.

use eframe::egui::{
    Color32, ColorImage, Context, Mesh, Painter, Pos2, Rect, Shape, Stroke, TextureHandle,
    TextureOptions, pos2,
};

use super::compose::Span;
use super::textures::Filter;
use super::tiles::Tile;
use super::transform::{Placement, Xy};

/// Side of a square of the board behind transparent pictures, in points.
const CHECKER_SIDE: f32 = 8.0;

/// A window onto the picture: where it is on the screen and what it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pane {
    /// Its place, in points; corners on whole screen pixels.
    pub(super) area: Rect,
    /// The picture's place in it.
    pub(super) placement: Placement,
    /// Screen pixels a point.
    pub(super) pixels_per_point: f64,
}

impl Pane {
    /// Size in screen pixels.
    pub(super) fn size(&self) -> Xy {
        [self.area.width(), self.area.height()].map(|side| f64::from(side) * self.pixels_per_point)
    }

    /// Where a picture point is, in points.
    pub(super) fn point_from_picture(&self, picture: Xy) -> Pos2 {
        let screen = self.placement.screen_from_picture(picture);
        let [x, y] = screen.map(|value| (value / self.pixels_per_point) as f32);
        pos2(self.area.min.x + x, self.area.min.y + y)
    }

    /// Screen pixels from the pane's corner to a point.
    pub(super) fn screen_from_point(&self, point: Pos2) -> Xy {
        let from_corner = point - self.area.min;
        [from_corner.x, from_corner.y].map(|value| f64::from(value) * self.pixels_per_point)
    }

    /// The picture point shown at a point.
    pub(super) fn picture_from_point(&self, point: Pos2) -> Xy {
        self.placement.picture_from_screen(self.screen_from_point(point))
    }

    /// The part of the picture that `clip` (points) shows.
    pub(super) fn span(&self, clip: Rect) -> Span {
        Span::from_picture(self.picture_from_point(clip.min), self.picture_from_point(clip.max))
    }
}

/// Corners of a rectangle, for [`TilePainter::tile`].
pub(super) fn outline(rect: Rect) -> Vec<Pos2> {
    vec![rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()]
}

/// Corners of a polygon that looks like a circle, for [`TilePainter::tile`].
pub(super) fn circle(centre: Pos2, radius: f32) -> Vec<Pos2> {
    const CORNERS: u16 = 96;
    (0..CORNERS)
        .map(|index| {
            let turn = f32::from(index) / f32::from(CORNERS) * std::f32::consts::TAU;
            pos2(centre.x + radius * turn.cos(), centre.y + radius * turn.sin())
        })
        .collect()
}

/// Draws tiles within one pane, cut to a convex polygon.
pub(super) struct TilePainter<'a> {
    pub(super) pane: Pane,
    pub(super) clip: &'a [Pos2],
    pub(super) painter: &'a Painter,
    pub(super) checker: Option<&'a TextureHandle>,
}

impl TilePainter<'_> {
    /// Covers what was drawn before.
    pub(super) fn fill(&self, colour: Color32) {
        let shape = Shape::convex_polygon(self.clip.to_vec(), colour, Stroke::NONE);
        self.painter.add(shape);
    }

    /// Draws a tile, above what was drawn before.
    pub(super) fn tile(&self, tile: &Tile) {
        let filter = Filter::of(tile, self.pane.placement.zoom);
        let Some(texture) = tile.textures.best(filter) else { return };
        // Neighbours share an edge of the same 64ths and so of the same f32: no gap, no overlap, at
        // any zoom.
        let [low, high] = tile.span.picture_corners().map(|c| self.pane.point_from_picture(c));
        let corners = cut(self.clip, Rect { min: low, max: high });
        if corners.len() < 3 {
            return;
        }
        if let Some(checker) = self.checker.filter(|_| !texture.is_opaque) {
            let side = 2.0 * CHECKER_SIDE;
            let uv = |p: Pos2| pos2(p.x / side, p.y / side);
            self.fan(&corners, checker, uv);
        }
        let [uv_low, uv_high] = texture.uv;
        let share = |at: f32, low: f32, high: f32| f64::from(at - low) / f64::from(high - low);
        self.fan(&corners, &texture.handle, |p| {
            let u = share(p.x, low.x, high.x);
            let v = share(p.y, low.y, high.y);
            pos2(
                (uv_low[0] + u * (uv_high[0] - uv_low[0])) as f32,
                (uv_low[1] + v * (uv_high[1] - uv_low[1])) as f32,
            )
        });
    }

    fn fan(&self, corners: &[Pos2], texture: &TextureHandle, uv: impl Fn(Pos2) -> Pos2) {
        let mut mesh = Mesh::with_texture(texture.id());
        mesh.vertices.extend(corners.iter().map(|pos| eframe::epaint::Vertex {
            pos: *pos,
            uv: uv(*pos),
            color: Color32::WHITE,
        }));
        for third in 2..corners.len() as u32 {
            mesh.add_triangle(0, third - 1, third);
        }
        self.painter.add(Shape::mesh(mesh));
    }
}

/// The part of a convex polygon inside of `rect` (Sutherland and Hodgman, one side at a time).
pub(super) fn cut(polygon: &[Pos2], rect: Rect) -> Vec<Pos2> {
    let mut corners = polygon.to_vec();
    let mut next = Vec::with_capacity(corners.len() + 4);
    for (axis, bound, sign) in
        [(0, rect.min.x, 1.0), (0, rect.max.x, -1.0), (1, rect.min.y, 1.0), (1, rect.max.y, -1.0)]
    {
        for (index, corner) in corners.iter().enumerate() {
            let before = corners[(index + corners.len() - 1) % corners.len()];
            let inside = |p: Pos2| (p[axis] - bound) * sign >= 0.0;
            if inside(*corner) != inside(before) {
                let share = (bound - before[axis]) / (corner[axis] - before[axis]);
                let mut crossing = before + (*corner - before) * share;
                crossing[axis] = bound; // exactly, or neighbours would gape
                next.push(crossing);
            }
            if inside(*corner) {
                next.push(*corner);
            }
        }
        std::mem::swap(&mut corners, &mut next);
        next.clear();
    }
    corners
}

/// The board shown behind transparent pictures.
pub(super) fn checker(ctx: &Context, dark: Color32, light: Color32) -> TextureHandle {
    let board = ColorImage::new([2, 2], vec![dark, light, light, dark]);
    ctx.load_texture("canvas checker", board, TextureOptions::NEAREST_REPEAT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn area(corners: &[Pos2]) -> f32 {
        let next = |i: usize| corners[(i + 1) % corners.len()];
        let cross = |(i, p): (usize, &Pos2)| p.x * next(i).y - next(i).x * p.y;
        corners.iter().enumerate().map(cross).sum::<f32>() / 2.0
    }

    #[test]
    fn a_rectangle_cut_by_a_rectangle_is_their_common_part() {
        let rect = |x: f32, y: f32, w: f32, h: f32| {
            Rect::from_min_size(pos2(x, y), eframe::egui::vec2(w, h))
        };
        let corners = cut(&outline(rect(0.0, 0.0, 100.0, 100.0)), rect(50.0, 20.0, 100.0, 30.0));
        assert_eq!(corners.len(), 4);
        assert_eq!(area(&corners), 1500.0);
        assert!(cut(&outline(rect(0.0, 0.0, 9.0, 9.0)), rect(20.0, 0.0, 9.0, 9.0)).is_empty());
    }

    proptest! {
        /// Tiles of a grid share the round lens without gap or overlap.
        #[test]
        fn a_grid_of_tiles_fills_a_circle(x in -300.0..300.0f32, y in -300.0..300.0f32, side in 40.0..400.0f32) {
            let lens = circle(pos2(x, y), 100.0);
            let mut sum = 0.0;
            for column in -11..11i16 {
                for row in -11..11i16 {
                    let min = pos2(f32::from(column) * side, f32::from(row) * side);
                    let max = pos2(f32::from(column + 1) * side, f32::from(row + 1) * side);
                    let part = cut(&lens, Rect { min, max });
                    prop_assert!(part.iter().all(|p| p.x >= min.x && p.x <= max.x));
                    sum += if part.len() > 2 { area(&part) } else { 0.0 };
                }
            }
            prop_assert!((sum - area(&lens)).abs() < 30.0, "{sum} {}", area(&lens));
        }
    }
}
