//! The view over time: which part of the picture is shown, and how it moves. Knows no egui.

use super::transform::{MAX_ZOOM, Placement, Xy, fit_zoom, min_zoom, same_size_class};

/// Length of a jump (fit, 100 %, zoom by key), in seconds.
const JUMP_SECS: f64 = 0.14;

/// A view that did not move for this long is at rest, in seconds.
const REST_SECS: f64 = 0.12;

/// A wheel zoom that comes to rest this near to a round zoom goes on to it, so that 100 % is crisp
/// and not 101 %.
const MAGNET: f64 = 0.045;

#[derive(Clone, Copy, Debug)]
struct Jump {
    from: Placement,
    to: Placement,
    start: f64,
}

/// What part of the picture the viewport shows. Times are egui's clock in seconds; sizes are in
/// picture pixels and screen pixels.
#[derive(Clone, Debug)]
pub(super) struct View {
    placement: Placement,
    /// Whether it follows the window: stays fitted when the window or the picture changes.
    fits: bool,
    jump: Option<Jump>,
    picture: Xy,
    viewport: Xy,
    moved_at: f64,
    /// Screen point of the last wheel zoom, until it came to rest.
    magnet: Option<Xy>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            placement: Placement::default(),
            fits: true,
            jump: None,
            picture: [1.0; 2],
            viewport: [1.0; 2],
            moved_at: f64::NEG_INFINITY,
            magnet: None,
        }
    }
}

impl View {
    /// Another picture of `size`: zoom and place are kept within a size class, else it is fitted.
    pub(super) fn set_picture(&mut self, size: Xy) {
        if !same_size_class(self.picture, size) {
            self.fits = true;
        }
        self.picture = size;
        self.jump = None;
        self.settle();
    }

    /// The viewport's size in screen pixels; the middle of the view stays.
    pub(super) fn set_viewport(&mut self, size: Xy) {
        if self.viewport == size {
            return;
        }
        if let Some(jump) = self.jump.take() {
            self.placement = jump.to;
        }
        let middle = self.viewport.map(|side| side / 2.0);
        let centre = self.placement.picture_from_screen(middle);
        self.viewport = size;
        self.placement = self.placement.centred_on(centre, size);
        self.settle();
    }

    fn settle(&mut self) {
        self.placement = if self.fits {
            Placement::fit(self.picture, self.viewport)
        } else {
            self.placement.clamped(self.picture, self.viewport)
        };
    }

    /// Where the picture is drawn now.
    pub(super) fn placement(&self) -> Placement {
        // Snapping during a zoom would make the picture tremble.
        if self.jump.is_some() { self.placement } else { self.placement.snapped() }
    }

    /// Where the view is going, or is.
    fn target(&self) -> Placement {
        self.jump.map_or(self.placement, |jump| jump.to)
    }

    /// Zoom it is at or going to.
    pub(super) fn target_zoom(&self) -> f64 {
        self.target().zoom
    }

    pub(super) fn is_fitted(&self) -> bool {
        self.fits
    }

    fn jump_to(&mut self, to: Placement, now: f64) {
        self.jump = Some(Jump { from: self.placement, to, start: now });
        self.moved_at = now;
        self.magnet = None;
    }

    /// Shows the whole picture.
    pub(super) fn fit(&mut self, now: f64) {
        self.fits = true;
        self.jump_to(Placement::fit(self.picture, self.viewport), now);
    }

    /// Goes to `zoom`, with the picture point under `anchor` kept in place.
    pub(super) fn zoom_to(&mut self, zoom: f64, anchor: Xy, now: f64) {
        let zoom = self.limited(zoom);
        self.fits = false;
        let to = self.target().zoomed_at(anchor, zoom).clamped(self.picture, self.viewport);
        self.jump_to(to, now);
    }

    /// 100 % around `anchor`, or the whole picture when it is at 100 % already.
    pub(super) fn toggle_actual_size(&mut self, anchor: Xy, now: f64) {
        if (self.target_zoom() - 1.0).abs() < 1e-3 && !self.fits {
            self.fit(now);
        } else {
            self.zoom_to(1.0, anchor, now);
        }
    }

    /// Zooms at once by `factor` around `anchor`: wheel and pinch.
    pub(super) fn zoom_by(&mut self, factor: f64, anchor: Xy, now: f64) {
        let zoom = self.limited(self.placement.zoom * factor);
        self.fits = false;
        self.jump = None;
        self.placement = self.placement.zoomed_at(anchor, zoom);
        self.settle();
        self.moved_at = now;
        self.magnet = Some(anchor);
    }

    fn limited(&self, zoom: f64) -> f64 {
        zoom.clamp(min_zoom(self.picture, self.viewport), MAX_ZOOM)
    }

    /// Moves the picture by `delta` screen pixels.
    pub(super) fn pan(&mut self, delta: Xy, now: f64) {
        if self.jump.take().is_some() {
            self.fits = false;
        }
        let before = self.placement;
        self.placement = before.panned(delta).clamped(self.picture, self.viewport);
        if self.placement != before {
            self.moved_at = now;
        }
    }

    /// Goes on with a jump; returns whether another frame is needed for it.
    pub(super) fn step(&mut self, now: f64) -> bool {
        if let Some(jump) = self.jump {
            let time = ((now - jump.start) / JUMP_SECS).clamp(0.0, 1.0);
            // Fast start, soft landing.
            let share = 1.0 - (1.0 - time).powi(3);
            self.placement = jump.from.towards(&jump.to, share);
            self.moved_at = now;
            if time >= 1.0 {
                self.placement = jump.to;
                self.jump = None;
            }
        } else if now - self.moved_at >= REST_SECS
            && let Some(anchor) = self.magnet.take()
            && let Some(zoom) = self.round_zoom_nearby()
        {
            self.zoom_to(zoom, anchor, now);
        }
        self.jump.is_some()
    }

    fn round_zoom_nearby(&self) -> Option<f64> {
        let zoom = self.placement.zoom;
        let fit = fit_zoom(self.picture, self.viewport);
        [1.0, 2.0, 4.0, 8.0, 16.0, 0.5, 0.25, fit]
            .into_iter()
            .find(|round| (zoom / round).ln().abs() < MAGNET)
            .filter(|round| *round != zoom)
    }

    /// Seconds until the view counts as at rest; none when it does.
    pub(super) fn rest_in_secs(&self, now: f64) -> Option<f64> {
        let left = self.moved_at + REST_SECS - now;
        (self.jump.is_some() || left > 0.0 || self.magnet.is_some()).then_some(left.max(0.0))
    }

    pub(super) fn picture(&self) -> Xy {
        self.picture
    }

    pub(super) fn viewport(&self) -> Xy {
        self.viewport
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let mut view = View::default();
        view.set_viewport([1000.0, 800.0]);
        view.set_picture([6000.0, 4000.0]);
        view
    }

    fn run(view: &mut View, from: f64) -> f64 {
        let mut now = from;
        while view.step(now) || view.rest_in_secs(now).is_some() {
            now += 1.0 / 60.0;
            assert!(now < from + 5.0, "the view never comes to rest");
        }
        now
    }

    #[test]
    fn double_click_toggles_between_fit_and_100_percent_at_the_point() {
        let mut view = view();
        let anchor = [450.0, 420.0];
        let point = view.placement().picture_from_screen(anchor);
        view.toggle_actual_size(anchor, 0.0);
        let now = run(&mut view, 0.0);
        assert_eq!(view.placement().zoom, 1.0);
        let after = view.placement().picture_from_screen(anchor);
        // Within a screen pixel of the fitted view, which lies on whole screen pixels.
        assert!((point[0] - after[0]).abs() <= 6.0 && (point[1] - after[1]).abs() <= 6.0);
        view.toggle_actual_size(anchor, now);
        run(&mut view, now);
        assert_eq!(view.placement().zoom, fit_zoom([6000.0, 4000.0], [1000.0, 800.0]));
    }

    #[test]
    fn flipping_through_a_series_keeps_the_place() {
        let mut view = view();
        view.zoom_to(2.0, [10.0, 10.0], 0.0);
        run(&mut view, 0.0);
        let place = view.placement();
        view.set_picture([6000.0, 4000.0]);
        assert_eq!(view.placement(), place);
        view.set_picture([4000.0, 6000.0]);
        assert!(view.is_fitted());
    }

    #[test]
    fn a_fitted_view_follows_the_window_and_a_zoomed_one_keeps_its_middle() {
        let mut view = view();
        view.set_viewport([500.0, 400.0]);
        assert_eq!(view.placement().zoom, fit_zoom([6000.0, 4000.0], [500.0, 400.0]));
        view.zoom_to(1.0, [250.0, 200.0], 0.0);
        run(&mut view, 0.0);
        let middle = view.placement().picture_from_screen([250.0, 200.0]);
        view.set_viewport([900.0, 700.0]);
        let after = view.placement().picture_from_screen([450.0, 350.0]);
        assert!((middle[0] - after[0]).abs() <= 1.0 && (middle[1] - after[1]).abs() <= 1.0);
    }

    #[test]
    fn a_window_that_changes_during_a_jump_does_not_stop_it_halfway() {
        let mut view = view();
        view.zoom_to(1.0, [500.0, 400.0], 0.0);
        view.step(0.03);
        view.set_viewport([700.0, 800.0]);
        assert_eq!(view.placement().zoom, 1.0);
    }

    #[test]
    fn a_wheel_zoom_near_100_percent_comes_to_rest_on_it() {
        let mut view = view();
        view.zoom_by(1.03 / view.placement().zoom, [500.0, 400.0], 0.0);
        assert!(view.rest_in_secs(0.01).is_some());
        run(&mut view, 0.01);
        assert_eq!(view.placement().zoom, 1.0);
        view.zoom_by(1.3, [500.0, 400.0], 9.0);
        run(&mut view, 9.0);
        assert!((view.placement().zoom - 1.3).abs() < 1e-9, "{:?}", view.placement());
    }

    #[test]
    fn zoom_has_limits_and_pan_stays_on_the_picture() {
        let mut view = view();
        view.zoom_by(1e9, [0.0, 0.0], 0.0);
        assert_eq!(view.placement().zoom, MAX_ZOOM);
        view.pan([1e7, -1e9], 1.0);
        assert_eq!(view.placement().visible(view.picture(), view.viewport()).x, 0);
        assert_eq!(view.placement().visible(view.picture(), view.viewport()).bottom(), 4000);
        view.zoom_by(1e-9, [0.0, 0.0], 2.0);
        assert_eq!(view.placement().zoom, min_zoom([6000.0, 4000.0], [1000.0, 800.0]));
    }
}
