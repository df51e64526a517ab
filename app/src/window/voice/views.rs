//! Which part is drawn and which is asked for: one request at a time, the newest wish next, and what
//! was drawn last stays until its successor comes.

use limpid_engine::studio::{SoundView, StudioCommand, ViewRequest};

/// A part to draw, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    /// First second.
    pub(super) from: f64,
    /// Last second.
    pub(super) to: f64,
    /// Columns.
    pub(super) width: u32,
    /// Rows of the spectrogram.
    pub(super) height: u32,
}

/// The views of the recording that is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Views {
    /// Number of the newest request; counts on over recordings.
    newest: u64,
    /// Older answers are of another recording.
    since: u64,
    /// What was asked last, and whether its answer is on its way.
    asked: Option<Wish>,
    is_pending: bool,
    shown: Option<SoundView>,
}

impl Views {
    /// The view to draw.
    pub(super) fn shown(&self) -> Option<&SoundView> {
        self.shown.as_ref()
    }

    /// Another recording is open: nothing of the last one is shown.
    pub(super) fn reset(&mut self) {
        *self = Self { newest: self.newest, since: self.newest + 1, ..Self::default() };
    }

    /// The sound changed; what is shown is asked for again.
    pub(super) fn outdate(&mut self) {
        self.asked = None;
    }

    /// What to ask for `wish`, if anything.
    pub(super) fn want(&mut self, wish: Wish) -> Option<StudioCommand> {
        if self.is_pending || self.asked == Some(wish) || wish.width == 0 || wish.height == 0 {
            return None;
        }
        self.newest += 1;
        self.asked = Some(wish);
        self.is_pending = true;
        let Wish { from, to, width, height } = wish;
        Some(StudioCommand::View(ViewRequest { id: self.newest, from, to, width, height }))
    }

    /// An answer came.
    pub(super) fn accept(&mut self, view: SoundView) {
        if view.id < self.since || view.id > self.newest {
            return;
        }
        if view.id == self.newest {
            self.is_pending = false;
        }
        if self.shown.as_ref().is_none_or(|shown| shown.id <= view.id) {
            self.shown = Some(view);
        }
    }

    /// A request failed, perhaps this one: the next wish is asked for, the same one is not.
    pub(super) fn give_up(&mut self) {
        self.is_pending = false;
    }
}

#[cfg(test)]
mod tests {
    use limpid_engine::studio::Track;

    use super::*;

    fn wish(from: f64) -> Wish {
        Wish { from, to: from + 1.0, width: 100, height: 50 }
    }

    fn view(id: u64) -> SoundView {
        let original = Track { peaks: Vec::new(), spectrogram: [].into(), top_hz: 8000.0 };
        SoundView { id, from: 0.0, to: 1.0, original, clean: None }
    }

    fn id(command: Option<StudioCommand>) -> Option<u64> {
        match command {
            Some(StudioCommand::View(request)) => Some(request.id),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_request_is_on_its_way_and_the_newest_wish_is_next() {
        let mut views = Views::default();
        assert_eq!(id(views.want(wish(0.0))), Some(1));
        assert_eq!(id(views.want(wish(1.0))), None);
        assert_eq!(id(views.want(wish(2.0))), None);
        views.accept(view(1));
        assert_eq!(id(views.want(wish(2.0))), Some(2));
        views.accept(view(2));
        assert_eq!(id(views.want(wish(2.0))), None, "nothing new is wished");
        assert_eq!(views.shown().unwrap().id, 2);
    }

    #[test]
    fn a_sound_that_changed_is_drawn_again_and_the_old_view_stays_meanwhile() {
        let mut views = Views::default();
        views.want(wish(0.0));
        views.accept(view(1));
        views.outdate();
        assert!(views.shown().is_some());
        assert_eq!(id(views.want(wish(0.0))), Some(2));
    }

    #[test]
    fn a_change_while_a_request_is_under_way_is_not_lost() {
        let mut views = Views::default();
        views.want(wish(0.0));
        views.outdate();
        views.accept(view(1));
        assert_eq!(id(views.want(wish(0.0))), Some(2));
    }

    #[test]
    fn views_of_the_recording_before_are_dropped() {
        let mut views = Views::default();
        views.want(wish(0.0));
        views.reset();
        views.accept(view(1));
        assert!(views.shown().is_none());
        assert_eq!(id(views.want(wish(0.0))), Some(2));
        views.accept(view(2));
        assert_eq!(views.shown().unwrap().id, 2);
    }

    #[test]
    fn a_failed_request_is_not_repeated_for_ever() {
        let mut views = Views::default();
        views.want(wish(0.0));
        views.give_up();
        assert_eq!(id(views.want(wish(0.0))), None);
        assert_eq!(id(views.want(wish(1.0))), Some(2));
    }
}
