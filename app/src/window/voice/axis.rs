//! The time axis: which seconds of the recording are in sight, and where each stands on the screen.

use eframe::egui::Rangef;

/// The shortest stretch that is shown, in seconds: at 48 kHz about a hundred samples.
const SHORTEST: f64 = 0.002;
/// Least room between two labelled marks, in points.
const LABEL_ROOM: f32 = 76.0;
/// Distances of marks that people count in, in seconds.
const STEPS: [f64; 19] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
    60.0, 300.0, 900.0,
];

/// What is in sight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Axis {
    /// Length of the recording in seconds.
    length: f64,
    from: f64,
    to: f64,
}

/// A mark of the ruler.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Its second.
    pub(super) second: f64,
    /// Its label; none for the small ones between.
    pub(super) label: Option<String>,
}

impl Axis {
    /// All of a recording of `length` seconds.
    pub(crate) fn new(length: f64) -> Self {
        let length = if length.is_finite() { length.max(0.0) } else { 0.0 };
        let mut axis = Self { length, from: 0.0, to: 0.0 };
        axis.fit();
        axis
    }

    /// The last `span` seconds of a sound that is `length` long by now; a shorter one stands at the
    /// left of them.
    pub(super) fn last(length: f64, span: f64) -> Self {
        let mut axis = Self::new(length.max(span));
        axis.show(length - span, span);
        axis
    }

    /// First second in sight.
    pub(crate) fn from(&self) -> f64 {
        self.from
    }

    /// Last second in sight, always behind the first.
    pub(crate) fn to(&self) -> f64 {
        self.to
    }

    /// Seconds in sight.
    pub(crate) fn span(&self) -> f64 {
        self.to - self.from
    }

    /// Whether all of the recording is in sight.
    pub(crate) fn is_fitted(&self) -> bool {
        self.from <= 0.0 && self.to >= self.length
    }

    /// The part in sight as shares of the whole, `0..=1`.
    pub(super) fn shares(&self) -> (f64, f64) {
        let whole = self.length.max(SHORTEST);
        (self.from / whole, (self.to / whole).min(1.0))
    }

    /// All of it.
    pub(crate) fn fit(&mut self) {
        self.from = 0.0;
        self.to = self.length.max(SHORTEST);
    }

    /// Shows `factor` times less around `second`, which keeps its place on the screen.
    pub(crate) fn zoom(&mut self, second: f64, factor: f64) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let whole = self.length.max(SHORTEST);
        let span = (self.span() / factor).clamp(SHORTEST, whole);
        let share = ((second - self.from) / self.span()).clamp(0.0, 1.0);
        self.show(second.clamp(self.from, self.to) - share * span, span);
    }

    /// Moves on by `seconds`; stays at the ends.
    pub(crate) fn scroll(&mut self, seconds: f64) {
        self.show(self.from + seconds, self.span());
    }

    /// Turns the page when the play head went from `before` to `second` and left the part in sight
    /// with that; one who looks at another part is left there. Returns whether it turned.
    pub(crate) fn follow(&mut self, before: f64, second: f64) -> bool {
        let sight = self.from..=self.to;
        if self.is_fitted() || sight.contains(&second) || !sight.contains(&before) {
            return false;
        }
        let before = self.from;
        self.show(second - 0.05 * self.span(), self.span());
        self.from.total_cmp(&before).is_ne()
    }

    /// Shows `span` seconds from `from` on, as far as there are any.
    fn show(&mut self, from: f64, span: f64) {
        let whole = self.length.max(SHORTEST);
        self.from = from.clamp(0.0, (whole - span).max(0.0));
        self.to = self.from + span.min(whole);
    }

    /// The place of a second.
    pub(crate) fn x_of(&self, second: f64, screen: Rangef) -> f32 {
        let share = (second - self.from) / self.span();
        // Far outside the screen a float would lose the shape of what is drawn.
        screen.min + (share.clamp(-1e4, 1e4) as f32) * screen.span()
    }

    /// The second at a place, inside the recording.
    pub(crate) fn second_at(&self, x: f32, screen: Rangef) -> f64 {
        let share = f64::from((x - screen.min) / screen.span().max(1.0));
        (self.from + share * self.span()).clamp(0.0, self.length)
    }

    /// The marks of a ruler `width` points wide, in order.
    pub(super) fn marks(&self, width: f32) -> Vec<Mark> {
        let room = self.span() * f64::from(LABEL_ROOM / width.max(1.0));
        let step = STEPS.into_iter().find(|step| *step >= room).unwrap_or_else(|| {
            // Beyond the table: whole hours.
            (room / 3600.0).ceil().max(1.0) * 3600.0
        });
        let parts = 5;
        let small = step / f64::from(parts);
        let first = (self.from / small).ceil() as i64;
        let last = (self.to / small + 1e-9).floor() as i64;
        (first..=last)
            .map(|index| {
                let second = index as f64 * small;
                let is_labelled = index % i64::from(parts) == 0;
                Mark { second, label: is_labelled.then(|| time_text(second, step)) }
            })
            .collect()
    }
}

/// A time with as many decimals as tell two times apart that are `step` seconds from each other:
/// "1:05", "0:01.25", "2:00:00".
pub(super) fn time_text(second: f64, step: f64) -> String {
    let decimals: usize = match step {
        _ if step >= 1.0 => 0,
        _ if step >= 0.1 => 1,
        _ if step >= 0.01 => 2,
        _ if step >= 0.001 => 3,
        _ => 4,
    };
    let unit = 10_u64.pow(decimals as u32);
    // Rounded as a whole first: 59.97 is one minute, not 0:60.0.
    let parts = (second.max(0.0) * unit as f64).round() as u64;
    let (whole, rest) = (parts / unit, parts % unit);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut text = match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    };
    if decimals > 0 {
        text += &format!(".{rest:0decimals$}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Rangef = Rangef { min: 40.0, max: 1040.0 };

    #[test]
    fn places_and_seconds_are_each_others_inverse() {
        let mut axis = Axis::new(200.0);
        axis.zoom(60.0, 7.3);
        for x in [40.0, 41.5, 500.0, 1040.0] {
            let back = axis.x_of(axis.second_at(x, SCREEN), SCREEN);
            assert!((back - x).abs() < 1e-2, "{x} became {back}");
        }
        assert_eq!(Axis::new(200.0).second_at(9999.0, SCREEN), 200.0, "never behind the end");
    }

    #[test]
    fn a_sound_that_grows_fills_the_screen_then_scrolls() {
        for (length, from, to) in [(0.0, 0.0, 20.0), (3.5, 0.0, 20.0), (95.0, 75.0, 95.0)] {
            let axis = Axis::last(length, 20.0);
            assert_eq!((axis.from(), axis.to()), (from, to), "{length}");
        }
    }

    #[test]
    fn zoom_keeps_the_second_under_the_pointer() {
        let mut axis = Axis::new(3600.0);
        let second = 1234.5;
        let before = axis.x_of(second, SCREEN);
        for factor in [2.0, 10.0, 0.5, 3.0] {
            axis.zoom(second, factor);
            let after = axis.x_of(second, SCREEN);
            assert!((after - before).abs() < 0.1, "{factor}: {before} became {after}");
        }
        for _ in 0..100 {
            axis.zoom(second, 2.0);
        }
        assert!((axis.span() - SHORTEST).abs() < 1e-9, "{}", axis.span());
        for _ in 0..100 {
            axis.zoom(second, 0.5);
        }
        assert!(axis.is_fitted());
    }

    #[test]
    fn the_ends_are_never_passed() {
        let mut axis = Axis::new(10.0);
        axis.zoom(5.0, 4.0);
        axis.scroll(1e6);
        assert_eq!((axis.from(), axis.to()), (7.5, 10.0));
        axis.scroll(-1e6);
        assert_eq!((axis.from(), axis.to()), (0.0, 2.5));
        assert_eq!(axis.shares(), (0.0, 0.25));
    }

    #[test]
    fn the_shortest_recordings_and_nonsense_have_an_axis_too() {
        for length in [0.0, 1.0 / 192_000.0, f64::NAN, f64::INFINITY, -3.0] {
            let mut axis = Axis::new(length);
            axis.zoom(0.0, 2.0);
            axis.zoom(0.0, f64::NAN);
            axis.scroll(1.0);
            assert!(axis.span() > 0.0 && axis.from() >= 0.0, "{length}: {axis:?}");
            assert!(axis.x_of(0.0, SCREEN).is_finite(), "{length}");
            assert!(!axis.marks(800.0).is_empty(), "{length}");
        }
    }

    #[test]
    fn the_page_turns_when_the_play_head_leaves_it() {
        let mut axis = Axis::new(100.0);
        assert!(!axis.follow(49.9, 50.0), "all is in sight");
        axis.zoom(0.0, 10.0);
        assert!(!axis.follow(9.8, 9.9));
        assert!(axis.follow(9.9, 10.1));
        assert!(axis.from() < 10.1 && axis.to() > 19.0, "{axis:?}");
        axis.scroll(50.0);
        assert!(!axis.follow(12.0, 12.1), "another part is looked at");
    }

    #[test]
    fn marks_are_readable_at_any_zoom() {
        for (length, zoom) in [(0.01, 1.0), (1.0, 1.0), (70.0, 1.0), (10_800.0, 1.0), (3e6, 1.0)] {
            let mut axis = Axis::new(length);
            axis.zoom(0.0, zoom);
            let labels = axis.marks(900.0).into_iter().filter(|mark| mark.label.is_some()).count();
            assert!((2..=12).contains(&labels), "{length} s: {labels} labels");
        }
    }

    #[test]
    fn times_are_written_as_clocks_do() {
        for (second, step, text) in [
            (65.0, 1.0, "1:05"),
            (0.0, 1.0, "0:00"),
            (1.25, 0.05, "0:01.25"),
            (59.97, 0.1, "1:00.0"),
            (7200.0, 300.0, "2:00:00"),
            (0.0123, 0.0005, "0:00.0123"),
        ] {
            assert_eq!(time_text(second, step), text);
        }
    }
}
