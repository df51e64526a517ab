//! Short notices in the corner: what went well, what did not. Each is shown once.

use std::time::Duration;

use eframe::egui::{self, Color32, RichText};
use egui_notify::{Anchor, Toasts};

use super::{icon, theme};

/// The notices that are on the screen.
pub(crate) struct Notices(Toasts);

impl Default for Notices {
    fn default() -> Self {
        Self(
            Toasts::default()
                .with_anchor(Anchor::BottomRight)
                .with_margin(egui::vec2(theme::RECIPE_WIDTH + 14.0, 76.0)),
        )
    }
}

impl Notices {
    /// Something is done.
    pub(crate) fn good(&mut self, text: impl Into<String>) {
        self.add(text.into(), icon::CHECK_CIRCLE, theme::GOOD, 4);
    }

    /// Worth knowing.
    pub(crate) fn info(&mut self, text: impl Into<String>) {
        self.add(text.into(), icon::INFO, theme::ACCENT, 6);
    }

    /// Done, but not all of it.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.add(text.into(), icon::WARNING_CIRCLE, theme::WARN, 8);
    }

    /// Not done; long enough on the screen to be read twice.
    pub(crate) fn bad(&mut self, text: impl Into<String>) {
        self.add(text.into(), icon::WARNING_CIRCLE, theme::BAD, 12);
    }

    /// Draws them.
    pub(crate) fn show(&mut self, ctx: &egui::Context) {
        self.0.show(ctx);
    }

    fn add(&mut self, text: String, sign: &str, colour: Color32, seconds: u64) {
        let text = RichText::new(text).color(theme::TEXT_STRONG);
        // No bar that runs down: it would draw a frame for every step of it.
        self.0
            .custom(text, sign.to_owned(), colour)
            .duration(Some(Duration::from_secs(seconds)))
            .closable(false)
            .show_progress_bar(false);
    }
}
