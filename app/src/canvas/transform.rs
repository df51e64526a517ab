//! Where the picture lies on the canvas: pure maths.
//!
//! Three spaces. *Picture*: pixels of the original. *Screen*: physical pixels from the top left
//! corner of the viewport, so that a zoom of 1 puts one picture pixel on one screen pixel. *Points*
//! are egui's; only the painter uses them. All in `f64`: at 3200 % a wide picture has more screen
//! pixels than `f32` can address.

use limpid_engine::Rect;

/// Largest zoom, screen pixels a picture pixel.
pub const MAX_ZOOM: f64 = 32.0;

/// The picture may be made this much smaller than it is when it fits.
const MIN_ZOOM_OF_FIT: f64 = 0.5;

/// A point or a size: horizontal, vertical.
pub type Xy = [f64; 2];

/// Where the picture lies on the viewport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Screen pixels a picture pixel.
    pub zoom: f64,
    /// Screen position of the picture's top left corner.
    pub origin: Xy,
}

impl Default for Placement {
    fn default() -> Self {
        Self { zoom: 1.0, origin: [0.0; 2] }
    }
}

/// The zoom at which all of `picture` just fits `viewport`.
#[must_use]
pub fn fit_zoom(picture: Xy, viewport: Xy) -> f64 {
    let ratio = |axis: usize| viewport[axis].max(1.0) / picture[axis].max(1.0);
    ratio(0).min(ratio(1)).min(MAX_ZOOM)
}

/// Smallest zoom offered.
#[must_use]
pub fn min_zoom(picture: Xy, viewport: Xy) -> f64 {
    fit_zoom(picture, viewport).min(1.0) * MIN_ZOOM_OF_FIT
}

impl Placement {
    /// All of `picture` in the middle of `viewport`.
    #[must_use]
    pub fn fit(picture: Xy, viewport: Xy) -> Self {
        Self { zoom: fit_zoom(picture, viewport), origin: [0.0; 2] }.clamped(picture, viewport)
    }

    /// Screen position of a picture point.
    #[must_use]
    pub fn screen_from_picture(&self, point: Xy) -> Xy {
        [0, 1].map(|axis| self.origin[axis] + point[axis] * self.zoom)
    }

    /// Picture point at a screen position.
    #[must_use]
    pub fn picture_from_screen(&self, point: Xy) -> Xy {
        [0, 1].map(|axis| (point[axis] - self.origin[axis]) / self.zoom)
    }

    /// The same place at another zoom; the picture point under `anchor` (screen) stays under it.
    #[must_use]
    pub fn zoomed_at(&self, anchor: Xy, zoom: f64) -> Self {
        let factor = zoom / self.zoom;
        Self { zoom, origin: [0, 1].map(|a| anchor[a] - (anchor[a] - self.origin[a]) * factor) }
    }

    /// Moved by `delta` screen pixels.
    #[must_use]
    pub fn panned(&self, delta: Xy) -> Self {
        Self { zoom: self.zoom, origin: [0, 1].map(|axis| self.origin[axis] + delta[axis]) }
    }

    /// Moved so that the picture point `centre` is in the middle of `viewport`.
    #[must_use]
    pub fn centred_on(&self, centre: Xy, viewport: Xy) -> Self {
        let origin = [0, 1].map(|axis| viewport[axis] / 2.0 - centre[axis] * self.zoom);
        Self { zoom: self.zoom, origin }
    }

    /// The nearest placement that wastes no space: along each axis the picture is centred when it
    /// fits, else it covers the viewport from edge to edge.
    #[must_use]
    pub fn clamped(&self, picture: Xy, viewport: Xy) -> Self {
        let origin = [0, 1].map(|axis| {
            let slack = viewport[axis] - picture[axis] * self.zoom;
            if slack >= 0.0 { slack / 2.0 } else { self.origin[axis].clamp(slack, 0.0) }
        });
        Self { zoom: self.zoom, origin }
    }

    /// Moved by less than a screen pixel so that picture pixels fall on screen pixels; without it
    /// a picture at 100 % is smeared over its neighbours.
    #[must_use]
    pub fn snapped(&self) -> Self {
        Self { zoom: self.zoom, origin: self.origin.map(f64::round) }
    }

    /// The smallest rectangle of whole picture pixels that holds all that `viewport` shows; empty
    /// when it shows nothing.
    #[must_use]
    pub fn visible(&self, picture: Xy, viewport: Xy) -> Rect {
        let low = self.picture_from_screen([0.0; 2]);
        let high = self.picture_from_screen(viewport);
        // A hair of tolerance: rounding in the division must not add a row that is not shown.
        let first = [0, 1].map(|a| (low[a] + 1e-6).floor().clamp(0.0, picture[a]));
        let last = [0, 1].map(|a| (high[a] - 1e-6).ceil().clamp(first[a], picture[a]));
        Rect::new(
            first[0] as u32,
            first[1] as u32,
            (last[0] - first[0]) as u32,
            (last[1] - first[1]) as u32,
        )
    }

    /// A placement `share` (`0..=1`) of the way to `other`. Zoom moves evenly for the eye
    /// (geometrically), around the one picture point that has the same place in both.
    #[must_use]
    pub fn towards(&self, other: &Self, share: f64) -> Self {
        let zoom = self.zoom * (other.zoom / self.zoom).powf(share);
        // How far the zoom has come, linearly: the origin follows it on a straight line exactly.
        let span = other.zoom - self.zoom;
        let linear = if span.abs() > 1e-9 * self.zoom { (zoom - self.zoom) / span } else { share };
        let origin = [0, 1].map(|a| self.origin[a] + (other.origin[a] - self.origin[a]) * linear);
        Self { zoom, origin }
    }
}

/// The picture and viewport to go on with when another picture is opened: pictures of one size
/// keep zoom and place, so that one can flip through a series.
#[must_use]
pub fn same_size_class(a: Xy, b: Xy) -> bool {
    [0, 1].into_iter().all(|axis| (a[axis] - b[axis]).abs() <= 0.02 * a[axis].max(b[axis]))
}

/// "100 %", "33.3 %", "1600 %".
#[must_use]
pub fn zoom_text(zoom: f64) -> String {
    let percent = zoom * 100.0;
    if percent >= 99.95 || (percent - percent.round()).abs() < 0.05 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The next zoom up (`direction > 0`) or down among the usual stops.
#[must_use]
pub fn zoom_stop(zoom: f64, direction: i32) -> f64 {
    const STOPS: [f64; 19] = [
        0.02, 0.03, 0.05, 0.0667, 0.1, 0.125, 0.1667, 0.25, 0.3333, 0.5, 0.6667, 1.0, 1.5, 2.0,
        3.0, 4.0, 8.0, 16.0, 32.0,
    ];
    let next = if direction > 0 {
        STOPS.into_iter().find(|stop| *stop > zoom * 1.01)
    } else {
        STOPS.into_iter().rev().find(|stop| *stop < zoom * 0.99)
    };
    next.unwrap_or(if direction > 0 { MAX_ZOOM } else { zoom / 1.5 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placements() -> impl Strategy<Value = (Placement, Xy, Xy)> {
        let side = 1.0..70_000.0;
        let view = 1.0..8_000.0;
        (
            -6.0..5.0f64,
            [-1e5..1e5, -1e5..1e5],
            [side.clone(), side].prop_map(|s: Xy| s.map(f64::round)),
            [view.clone(), view].prop_map(|s: Xy| s.map(f64::round)),
        )
            .prop_map(|(log, origin, picture, viewport)| {
                (Placement { zoom: log.exp2(), origin }, picture, viewport)
            })
    }

    fn near(a: Xy, b: Xy, tolerance: f64) -> bool {
        (a[0] - b[0]).abs() <= tolerance && (a[1] - b[1]).abs() <= tolerance
    }

    proptest! {
        #[test]
        fn there_and_back((place, picture, _) in placements()) {
            let back = place.picture_from_screen(place.screen_from_picture(picture));
            prop_assert!(near(back, picture, 1e-6), "{back:?}");
        }

        #[test]
        fn the_anchor_stays_under_the_cursor(
            (place, _, viewport) in placements(), zoom in 0.01..32.0f64,
        ) {
            let before = place.picture_from_screen(viewport);
            let after = place.zoomed_at(viewport, zoom).picture_from_screen(viewport);
            prop_assert!(near(before, after, 1e-5), "{before:?} {after:?}");
        }

        #[test]
        fn clamped_covers_or_centres((place, picture, viewport) in placements()) {
            let place = place.clamped(picture, viewport);
            prop_assert_eq!(place, place.clamped(picture, viewport));
            let low = place.screen_from_picture([0.0; 2]);
            let high = place.screen_from_picture(picture);
            for axis in 0..2 {
                if picture[axis] * place.zoom <= viewport[axis] {
                    let right = viewport[axis] - high[axis];
                    prop_assert!((low[axis] - right).abs() < 1e-6, "not centred");
                } else {
                    prop_assert!(low[axis] <= 0.0 && high[axis] >= viewport[axis] - 1e-6, "a gap");
                }
            }
        }

        #[test]
        fn fit_shows_everything_and_touches_an_edge((_, picture, viewport) in placements()) {
            let place = Placement::fit(picture, viewport);
            let visible = place.visible(picture, viewport);
            prop_assert_eq!(
                visible, Rect::new(0, 0, picture[0] as u32, picture[1] as u32), "{:?}", place);
            let size = picture.map(|side| side * place.zoom);
            let touches = (0..2).any(|a| (size[a] - viewport[a]).abs() < 1e-6);
            prop_assert!(touches || place.zoom == MAX_ZOOM);
        }

        #[test]
        fn visible_is_tight((place, picture, viewport) in placements()) {
            let place = place.clamped(picture, viewport);
            let rect = place.visible(picture, viewport);
            prop_assert!(f64::from(rect.right()) <= picture[0]);
            prop_assert!(f64::from(rect.bottom()) <= picture[1]);
            // Each edge is at most a pixel outside of the viewport, and never inside of it unless
            // it is the picture's own.
            let low = place.screen_from_picture([f64::from(rect.x), f64::from(rect.y)]);
            let high = place.screen_from_picture([f64::from(rect.right()), f64::from(rect.bottom())]);
            let edge = [rect.right(), rect.bottom()];
            let start = [rect.x, rect.y];
            for axis in 0..2 {
                prop_assert!(low[axis] > -place.zoom * 1.001);
                prop_assert!(low[axis] <= 0.01 * place.zoom || start[axis] == 0);
                prop_assert!(high[axis] < viewport[axis] + place.zoom * 1.001);
                prop_assert!(
                    high[axis] >= viewport[axis] - 0.01 * place.zoom
                        || f64::from(edge[axis]) == picture[axis]);
            }
        }

        #[test]
        fn an_animation_starts_and_ends_where_it_says(
            (from, _, _) in placements(), (to, _, _) in placements(),
        ) {
            prop_assert!(near(from.towards(&to, 0.0).origin, from.origin, 1e-6));
            prop_assert!(near(from.towards(&to, 1.0).origin, to.origin, 1e-3));
            prop_assert!((from.towards(&to, 1.0).zoom / to.zoom - 1.0).abs() < 1e-9);
        }

        #[test]
        fn zooming_at_a_point_animates_around_it(
            (from, _, viewport) in placements(), zoom in 0.02..32.0f64, share in 0.0..1.0f64,
        ) {
            let to = from.zoomed_at(viewport, zoom);
            let here = from.picture_from_screen(viewport);
            let there = from.towards(&to, share).picture_from_screen(viewport);
            let size = from.origin.map(f64::abs).into_iter().fold(1.0, f64::max) / from.zoom;
            prop_assert!(near(here, there, 1e-6 * size.max(1e3)), "{here:?} {there:?}");
        }
    }

    #[test]
    fn zoom_stops_go_up_and_down_and_read_well() {
        assert_eq!([zoom_stop(1.0, 1), zoom_stop(1.0, -1), zoom_stop(0.4, 1)], [1.5, 0.6667, 0.5]);
        assert_eq!(zoom_stop(32.0, 1), MAX_ZOOM);
        assert_eq!(
            [1.0, 0.3333, 16.0, 0.1234, 0.5].map(zoom_text),
            ["100 %", "33.3 %", "1600 %", "12.3 %", "50 %"]
        );
    }

    #[test]
    fn a_series_keeps_its_place_and_a_portrait_does_not() {
        assert!(same_size_class([6000.0, 4000.0], [6000.0, 4000.0]));
        assert!(same_size_class([6000.0, 4000.0], [5990.0, 4010.0]));
        assert!(!same_size_class([6000.0, 4000.0], [4000.0, 6000.0]));
    }
}
