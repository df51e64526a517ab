//! Where the app leaves the view it wants and the preview thread takes it: one place, so that the
//! newest wins.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use limpid_kernels::Cancel;

use crate::preview::View;

/// What the preview thread is to do next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Show(View),
    /// Forget the picture.
    Forget,
}

#[derive(Default)]
pub(crate) struct Board {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    wanted: Option<Request>,
    /// What the preview thread works on.
    current: Option<(Request, Cancel)>,
    is_closing: bool,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces what was wanted. A tile in work is broken off unless it serves the new view too.
    pub(crate) fn post(&self, request: Request) {
        let mut slot = self.lock();
        if let Some((current, cancel)) = &slot.current
            && !serves(current, &request)
        {
            cancel.cancel();
        }
        slot.wanted = Some(request);
        self.changed.notify_all();
    }

    /// Waits for a request; none when the engine closes. The flag is set when the work on it is of
    /// no more use.
    pub(crate) fn take(&self) -> Option<(Request, Cancel)> {
        let mut slot = self.lock();
        slot.current = None;
        loop {
            if slot.is_closing {
                return None;
            }
            if let Some(request) = slot.wanted.take() {
                let cancel = Cancel::new();
                slot.current = Some((request.clone(), cancel.clone()));
                return Some((request, cancel));
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether there is something newer to do.
    pub(crate) fn is_superseded(&self) -> bool {
        let slot = self.lock();
        slot.is_closing || slot.wanted.is_some()
    }

    pub(crate) fn close(&self) {
        let mut slot = self.lock();
        slot.is_closing = true;
        if let Some((_, cancel)) = &slot.current {
            cancel.cancel();
        }
        self.changed.notify_all();
    }
}

/// Whether tiles computed for `current` are good for `next` too.
fn serves(current: &Request, next: &Request) -> bool {
    match (current, next) {
        (Request::Show(current), Request::Show(next)) => {
            current.path == next.path
                && current.removed == next.removed
                && current.recipe.enabled_steps().eq(next.recipe.enabled_steps())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use limpid_photo::Rect;
    use limpid_photo::settings::{Denoise, StepSettings, Strength};

    fn view(generation: u64, path: &str, strength: f32) -> View {
        let strength = Strength::Fixed(strength);
        let denoise = Denoise { strength, ..Denoise::default() };
        View {
            generation,
            path: path.into(),
            recipe: Recipe::new([StepSettings::Denoise(denoise)]),
            visible: Rect::new(0, 0, 10, 10),
            zoom: 1.0,
            removed: false,
        }
    }

    #[test]
    fn the_newest_wins_and_only_useless_work_is_broken_off() {
        let board = Board::default();
        board.post(Request::Show(view(1, "a", 0.1)));
        board.post(Request::Show(view(2, "a", 0.2)));
        let (request, cancel) = board.take().unwrap();
        assert_eq!(request, Request::Show(view(2, "a", 0.2)));
        assert!(!board.is_superseded());

        let mut moved = view(3, "a", 0.2);
        moved.visible = Rect::new(5, 5, 10, 10);
        moved.recipe.output.quality = 50;
        board.post(Request::Show(moved));
        assert!(board.is_superseded() && !cancel.is_cancelled());

        for other in [view(4, "a", 0.3), view(4, "b", 0.2)] {
            let board = Board::default();
            board.post(Request::Show(view(1, "a", 0.2)));
            let (_, cancel) = board.take().unwrap();
            board.post(Request::Show(other));
            assert!(cancel.is_cancelled());
        }
    }

    #[test]
    fn a_closed_board_gives_nothing() {
        let board = Board::default();
        board.post(Request::Show(view(1, "a", 0.1)));
        let (_, cancel) = board.take().unwrap();
        board.close();
        assert!(cancel.is_cancelled() && board.take().is_none());
    }
}
