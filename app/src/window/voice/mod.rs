//! The page for voices: one recording to see, hear, clean, save, or record. It draws plain state;
//! the studio is asked through [`link`] alone.
//!
//! | file | what it has |
//! |---|---|
//! | `state`, `settings` | what the page knows, and what events make of it; what is kept |
//! | `axis`, `views` | which seconds are in sight; which part is drawn and asked for |
//! | `timeline`, `tracks` | ruler and hands; the recording that is open, before and after |
//! | `meter`, `live` | a recording under way: its level, its last seconds |
//! | `lanes`, `colours` | a track: waveform and spectrogram, and its colours |
//! | `transport`, `empty` | the bar below; no recording |
//! | `cards`, `output` | the right side: cleaning and microphone; where results go |
//! | `link` | the only place that holds the studio |
//! | `acts` | what the shell does for this page |

mod acts;
mod axis;
mod cards;
mod colours;
mod empty;
mod lanes;
mod link;
mod live;
mod meter;
mod output;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod timeline;
mod tracks;
mod transport;
mod views;

use eframe::egui::{self, Frame, Margin, Panel, Ui};

use super::state::Action;
use super::{theme, widgets};
pub(crate) use acts::{SOUNDS, is_possible, is_sound_name};
pub(crate) use cards::{cards_ui, save_ui};
#[cfg(test)]
pub(crate) use link::StudioEnd;
pub(crate) use link::StudioLink;
pub(crate) use settings::VoiceSettings;
pub(crate) use state::VoiceState;
pub(crate) use tracks::TrackArt;

/// The middle of the page.
pub(super) fn page_ui(
    ui: &mut Ui,
    state: &mut VoiceState,
    art: &mut TrackArt,
    actions: &mut Vec<Action>,
) {
    let has_bar = state.opened.is_some() || state.recording().is_some();
    if has_bar {
        Panel::bottom("transport")
            .exact_size(transport::HEIGHT)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::CANVAS).inner_margin(Margin::symmetric(14, 0)))
            .show(ui, |ui| transport::transport_ui(ui, state, actions));
    }
    let frame = Frame::new().inner_margin(Margin { left: 8, right: 4, top: 4, bottom: 2 });
    egui::CentralPanel::no_frame().frame(frame).show(ui, |ui| {
        if let Some(recording) = state.recording().cloned() {
            meter::recording_ui(ui, state, &mut art.live, &recording);
        } else if let Some(path) = &state.opening {
            empty::opening_ui(ui, &state::name_of(path));
        } else if state.failure.is_some() {
            empty::failure_ui(ui, state, actions);
        } else if state.opened.is_some() {
            headline_ui(ui, state);
            tracks::tracks_ui(ui, state, art, actions);
        } else {
            empty::empty_ui(ui, state, actions);
        }
    });
}

/// What is open: its name and what it is.
fn headline_ui(ui: &mut Ui, state: &VoiceState) {
    let Some(opened) = &state.opened else { return };
    ui.horizontal(|ui| {
        ui.set_height(theme::ROW);
        ui.add_space(6.0);
        let width = (ui.available_width() * 0.55).min(520.0);
        let name = state::name_of(&opened.path);
        widgets::elided_label(ui, &name, width, theme::TEXT_STRONG)
            .on_hover_text(opened.path.display().to_string());
        let facts = facts_text(opened);
        let room = (ui.available_width() - 6.0).max(0.0);
        let shown = widgets::elide_middle(ui, &facts, &egui::TextStyle::Body, room);
        ui.label(theme::weak(shown)).on_hover_text(facts);
    });
}

fn facts_text(opened: &limpid_engine::studio::Opened) -> String {
    let khz = f64::from(opened.rate) / 1000.0;
    let channels = match opened.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        count => format!("{count} channels"),
    };
    let length = axis::time_text(opened.seconds, 1.0);
    format!("{length} · {} · {khz} kHz · {channels}", opened.format)
}
