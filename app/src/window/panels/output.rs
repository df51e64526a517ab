//! The card of the output: form, place and name of results. The settings page shows the same rows.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Button, ComboBox, RichText, TextEdit, TextStyle, Ui, vec2};
use limpid_engine::{Existing, Gps, Output, OutputFormat};

use super::super::state::{Action, PathPurpose};
use super::super::{icon, theme, widgets};

pub(super) fn output_card_ui(ui: &mut Ui, output: &mut Output, actions: &mut Vec<Action>) {
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(theme::heading("Output"));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let reset = widgets::icon_button(ui, icon::ARROW_COUNTER_CLOCKWISE, "Reset output");
                if reset.clicked() {
                    *output = Output::default();
                }
            });
        });
        output_rows_ui(ui, output, PathPurpose::OutputFolder, actions);
    });
}

/// The rows of an output; `purpose` says which output a chosen folder is for.
pub(super) fn output_rows_ui(
    ui: &mut Ui,
    output: &mut Output,
    purpose: PathPurpose,
    actions: &mut Vec<Action>,
) {
    format_row_ui(ui, &mut output.format);
    if matches!(output.format, OutputFormat::Jpeg | OutputFormat::Same) {
        widgets::row(ui, "Quality", |ui| {
            let mut quality = f64::from(output.quality);
            let tooltip = "Of JPEG results. 92 is hard to tell from the original.";
            let width = ui.available_width();
            if widgets::number_slider(ui, "Quality", &mut quality, 1.0..=100.0, "", width, tooltip)
            {
                output.quality = quality.round().clamp(1.0, 100.0) as u8;
            }
        });
    }
    place_rows_ui(ui, output, purpose, actions);
    widgets::row(ui, "Location", |ui| {
        let choices = [
            (Gps::Keep, "Keep GPS", "Results say where the picture was taken."),
            (Gps::Strip, "Remove GPS", "The place is removed from EXIF and XMP."),
        ];
        widgets::segments(ui, &mut output.gps, &choices);
    });
}

/// The rows that say where results lie and what they are called; `purpose` says which output a chosen
/// folder is for.
pub(crate) fn place_rows_ui(
    ui: &mut Ui,
    output: &mut Output,
    purpose: PathPurpose,
    actions: &mut Vec<Action>,
) {
    folder_row_ui(ui, &mut output.folder, purpose, actions);
    if output.folder.is_some() {
        widgets::row(ui, "", |ui| {
            ui.checkbox(&mut output.mirror_subfolders, "Mirror subfolders")
                .on_hover_text("Files of an opened folder keep the subfolders they were found in.");
        });
    }
    name_row_ui(ui, &mut output.name);
    widgets::row(ui, "If it exists", |ui| {
        let choices = [
            (Existing::Skip, "Skip", "The queue leaves the file that is there."),
            (Existing::Number, "Number", "Write beside it, as name-2."),
            (Existing::Overwrite, "Replace", "Replace it once the new file is whole."),
        ];
        widgets::segments(ui, &mut output.existing, &choices);
    });
}

fn format_text(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Same => "Same as original",
        OutputFormat::Png => "PNG",
        OutputFormat::Jpeg => "JPEG",
        OutputFormat::Tiff => "TIFF",
        OutputFormat::Webp => "WebP, lossless",
    }
}

fn format_row_ui(ui: &mut Ui, format: &mut OutputFormat) {
    widgets::row(ui, "Format", |ui| {
        let response = ComboBox::from_id_salt("format")
            .selected_text(format_text(*format))
            .width(ui.available_width())
            .show_ui(ui, |ui| {
                for choice in [
                    OutputFormat::Same,
                    OutputFormat::Jpeg,
                    OutputFormat::Png,
                    OutputFormat::Tiff,
                    OutputFormat::Webp,
                ] {
                    ui.selectable_value(format, choice, format_text(choice));
                }
            })
            .response;
        response.accessible_name("Format");
    });
}

/// The row of the folder; `purpose` says which output a chosen one is for.
fn folder_row_ui(
    ui: &mut Ui,
    folder: &mut Option<PathBuf>,
    purpose: PathPurpose,
    actions: &mut Vec<Action>,
) {
    widgets::row(ui, "Folder", |ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP_SMALL;
        // An icon button is as wide as its icon and the padding around it.
        let clear = theme::ICON + 2.0 * ui.spacing().button_padding.x + theme::GAP_SMALL;
        let clear_width = if folder.is_some() { clear } else { 0.0 };
        let width = ui.available_width() - clear_width;
        let text = match folder.as_deref() {
            None => "Beside the original".to_owned(),
            Some(folder) => {
                let text = short_folder(folder);
                widgets::elide_middle(ui, &text, &TextStyle::Button, width - 42.0)
            }
        };
        let sign = RichText::new(icon::FOLDER_OPEN).size(theme::ICON - 2.0);
        let button = Button::new((sign, text)).min_size(vec2(width, theme::ROW)).gap(6.0);
        let response = ui.add(button).accessible_name("Output folder…");
        if response.clicked() {
            actions.push(Action::Choose(purpose));
        }
        response.on_hover_text(match folder.as_deref() {
            None => {
                "Results lie beside their original, as name-limpid. Choose a folder…".to_owned()
            }
            Some(folder) => folder.display().to_string(),
        });
        if folder.is_some() {
            let name = "Write beside the original";
            if widgets::icon_button(ui, icon::X, name).clicked() {
                *folder = None;
            }
        }
    });
}

/// The last two names of a folder's path, enough to know it by.
fn short_folder(folder: &Path) -> String {
    let names: Vec<_> = folder.components().rev().take(2).collect();
    match names.as_slice() {
        [last, parent] => {
            Path::new(parent.as_os_str()).join(last.as_os_str()).display().to_string()
        }
        _ => folder.display().to_string(),
    }
}

/// The row of the name pattern.
fn name_row_ui(ui: &mut Ui, name: &mut String) {
    widgets::row(ui, "Name", |ui| {
        let id = ui.scope_id().with("name");
        // What is typed is kept apart until it is a file name: a recipe is never invalid.
        let mut typed = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| name.clone());
        let response = ui
            .add(
                TextEdit::singleline(&mut typed)
                    .desired_width(ui.available_width())
                    .min_size(vec2(0.0, theme::ROW))
                    .align(egui::Align2::LEFT_CENTER),
            )
            .accessible_name("Name pattern");
        if response.changed() && is_name_pattern(&typed) {
            name.clone_from(&typed);
        }
        if response.has_focus() {
            ui.data_mut(|data| data.insert_temp(id, typed));
        } else {
            ui.data_mut(|data| data.remove_temp::<String>(id));
        }
        response.on_hover_text(
            "{name} is the original's name, {n} its number in the batch: \"{name} clear {n}\".",
        );
    });
}

fn is_name_pattern(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['/', '\\', '\0']) && text != "." && text != ".."
}
