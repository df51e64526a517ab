//! The card of the output: form, loudness, place and name of results, saved or from the queue.

use eframe::egui::{self, ComboBox, Ui};
use limpid_engine::{Output, SoundFormat, Speech};

use super::super::panels;
use super::super::state::{Action, PathPurpose};
use super::super::{icon, theme, widgets};
use super::settings::VoiceSettings;

/// The forms of a result.
const FORMATS: [SoundFormat; 5] = [
    SoundFormat::Same,
    SoundFormat::Wav16,
    SoundFormat::Wav24,
    SoundFormat::Wav32,
    SoundFormat::Flac,
];
/// The loudness that people ask for, in LUFS (EBU R128).
const LOUDNESS: [Option<f32>; 4] = [None, Some(-14.0), Some(Speech::USUAL_LOUDNESS), Some(-23.0)];

/// The card.
pub(super) fn output_card_ui(ui: &mut Ui, settings: &mut VoiceSettings, actions: &mut Vec<Action>) {
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(theme::heading("Output"));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let reset = widgets::icon_button(ui, icon::ARROW_COUNTER_CLOCKWISE, "Reset output");
                if reset.clicked() {
                    settings.output = Output::default();
                    settings.loudness = None;
                }
            });
        });
        format_row_ui(ui, &mut settings.output.sound);
        loudness_row_ui(ui, &mut settings.loudness);
        panels::place_rows_ui(ui, &mut settings.output, PathPurpose::SoundFolder, actions);
    });
}

fn format_text(format: SoundFormat) -> &'static str {
    match format {
        SoundFormat::Same => "Same as original",
        SoundFormat::Wav16 => "WAV, 16 bit",
        SoundFormat::Wav24 => "WAV, 24 bit",
        SoundFormat::Wav32 => "WAV, 32 bit float",
        SoundFormat::Flac => "FLAC",
    }
}

fn format_row_ui(ui: &mut Ui, format: &mut SoundFormat) {
    widgets::row(ui, "Format", |ui| {
        let response = ComboBox::from_id_salt("sound format")
            .selected_text(format_text(*format))
            .width(ui.available_width())
            .show_ui(ui, |ui| {
                for choice in FORMATS {
                    ui.selectable_value(format, choice, format_text(choice));
                }
            })
            .response;
        response.accessible_name("Format").on_hover_text(
            "Same as original: FLAC stays FLAC, all else becomes WAV, as deep as it was.",
        );
    });
}

fn loudness_text(loudness: Option<f32>) -> String {
    let use_of = match loudness {
        None => return "As recorded".into(),
        Some(Speech::USUAL_LOUDNESS) => ", podcasts",
        Some(-14.0) => ", streaming",
        Some(-23.0) => ", broadcast",
        Some(_) => "",
    };
    format!("{:.0} LUFS{use_of}", loudness.unwrap_or_default())
}

fn loudness_row_ui(ui: &mut Ui, loudness: &mut Option<f32>) {
    widgets::row(ui, "Loudness", |ui| {
        let response = ComboBox::from_id_salt("loudness")
            .selected_text(loudness_text(*loudness))
            .width(ui.available_width())
            .show_ui(ui, |ui| {
                for choice in LOUDNESS {
                    ui.selectable_value(loudness, choice, loudness_text(choice));
                }
            })
            .response;
        response.accessible_name("Loudness").on_hover_text(
            "The result is brought to this loudness on average (EBU R128), without clipping.",
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loudness_that_is_offered_is_one_that_the_engine_takes() {
        for loudness in LOUDNESS {
            let speech = Speech { loudness, ..Speech::default() };
            assert!(speech.validate().is_ok(), "{loudness:?}");
        }
        assert_eq!(
            LOUDNESS.map(loudness_text)[1..3],
            ["-14 LUFS, streaming", "-16 LUFS, podcasts"]
        );
        assert_eq!(loudness_text(Some(-18.0)), "-18 LUFS", "from an edited file");
    }
}
