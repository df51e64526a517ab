//! The bar at the top: pictures in, undo, presets, views, pages.

use eframe::egui::{self, Button, RichText, Ui, vec2};

use super::super::command::{Command, Group, keys_text};
use super::super::presets;
use super::super::state::{Action, Page, State};
use super::super::{icon, theme, widgets};
use crate::canvas::{CanvasState, Mode};

/// Below this width the bar shows less.
const NARROW: f32 = 1150.0;

/// The whole bar.
pub(crate) fn top_ui(ui: &mut Ui, state: &State, canvas: &CanvasState, actions: &mut Vec<Action>) {
    let bar = ui.max_rect();
    ui.horizontal_centered(|ui| {
        menu_ui(ui, state, actions);
        ui.add_space(2.0);
        let is_photos = state.page == Page::Photos;
        // Where not all has room, what the menu and the keys have too stays away.
        let is_narrow = is_photos && bar.width() < NARROW;
        page_ui(ui, state, is_narrow, actions);
        gap_ui(ui);
        widgets::command_button(ui, Command::OpenFiles, actions);
        if !is_narrow {
            widgets::command_icon(ui, Command::Paste, false, actions);
        }
        if is_photos {
            gap_ui(ui);
            if !is_narrow {
                undo_ui(ui, state, actions);
                gap_ui(ui);
            }
            presets_ui(ui, state, is_narrow, actions);
        }

        let left = ui.cursor().left();
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            widgets::command_icon(ui, Command::ToggleRecipe, state.panels.recipe, actions);
            if is_photos {
                widgets::command_icon(ui, Command::ToggleFiles, state.panels.files, actions);
            }
            gap_ui(ui);
            widgets::command_icon(ui, Command::ShowSettings, false, actions);
            widgets::command_icon(ui, Command::ShowModels, false, actions);
            if !is_narrow {
                widgets::command_icon(ui, Command::ShowPalette, false, actions);
            }

            // The view controls stand in the middle of the bar while there is room for that.
            let width = if is_photos { 420.0 } else { 192.0 };
            let right = ui.cursor().right();
            let room = egui::Rect::from_min_max(
                egui::pos2(left + 8.0, bar.top()),
                egui::pos2(right - 8.0, bar.bottom()),
            );
            let x = (bar.center().x - width / 2.0).min(room.right() - width).max(room.left());
            let rect = egui::Rect::from_min_max(
                egui::pos2(x, bar.top()),
                egui::pos2((x + width).min(room.right()), bar.bottom()),
            );
            let layout = egui::Layout::left_to_right(egui::Align::Center);
            let mut middle = ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(layout));
            middle.set_clip_rect(rect.intersect(ui.clip_rect()));
            if is_photos {
                view_ui(&mut middle, state, canvas, is_narrow, actions);
            } else {
                time_zoom_ui(&mut middle, state, actions);
            }
        });
    });
}

/// Pictures or recordings.
fn page_ui(ui: &mut Ui, state: &State, is_narrow: bool, actions: &mut Vec<Action>) {
    if is_narrow {
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for (command, page) in
                [(Command::ShowPhotos, Page::Photos), (Command::ShowVoice, Page::Voice)]
            {
                widgets::command_icon(ui, command, state.page == page, actions);
            }
        });
        return;
    }
    let size = vec2(148.0, theme::ROW);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        let tips = [Command::ShowPhotos, Command::ShowVoice].map(Command::tooltip_with_keys);
        // A recording goes on while pictures are looked at.
        let voice = if state.voice.recording().is_some() { "Voice •" } else { "Voice" };
        let choices =
            [(Page::Photos, "Photos", tips[0].as_str()), (Page::Voice, voice, tips[1].as_str())];
        let mut page = state.page;
        if widgets::segments(ui, &mut page, &choices) {
            actions.push(Action::Run(match page {
                Page::Photos => Command::ShowPhotos,
                Page::Voice => Command::ShowVoice,
            }));
        }
    });
}

/// How much of the recording is in sight.
fn time_zoom_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    let voice = &state.voice;
    ui.add_enabled_ui(voice.can_play(), |ui| {
        widgets::command_icon(ui, Command::ZoomOut, false, actions);
        let text = if voice.can_play() { span_text(voice.axis.span()) } else { "–".into() };
        let text = RichText::new(text).color(theme::TEXT_STRONG);
        ui.add_sized(vec2(62.0, theme::ROW), egui::Label::new(text).selectable(false))
            .on_hover_text("Time in sight.");
        widgets::command_icon(ui, Command::ZoomIn, false, actions);
        widgets::command_icon(ui, Command::ZoomFit, voice.axis.is_fitted(), actions);
    });
}

/// A stretch of time for people: "12.4 s", "3.5 min".
fn span_text(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ if seconds < 6000.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn gap_ui(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(9.0, 20.0), egui::Sense::hover());
    ui.painter().vline(rect.center().x, rect.y_range(), egui::Stroke::new(1.0, theme::LINE));
}

fn menu_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let sign = RichText::new(icon::LIST).size(theme::ICON + 1.0);
    let button = Button::new(sign).min_size(theme::icon_button_size()).frame_when_inactive(false);
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        ui.set_min_width(200.0);
        for group in Group::ALL {
            ui.menu_button(group.title(), |ui| {
                ui.set_min_width(250.0);
                for command in Command::ALL.into_iter().filter(|c| c.entry().group == group) {
                    menu_row_ui(ui, state, command, actions);
                }
            });
        }
    });
    response.accessible_name("Menu").on_hover_text("Menu");
}

fn menu_row_ui(ui: &mut Ui, state: &State, command: Command, actions: &mut Vec<Action>) {
    let entry = command.entry();
    let sign = RichText::new(entry.icon).size(theme::ICON - 2.0).color(theme::TEXT_WEAK);
    let mut button = Button::new((sign, entry.text)).min_size(vec2(0.0, 25.0)).gap(8.0);
    if let Some(shortcut) = &entry.shortcut {
        button = button.shortcut_text(RichText::new(keys_text(shortcut)).color(theme::TEXT_WEAK));
    }
    let is_enabled = super::super::shell::is_possible(command, state);
    let response = ui.add_enabled(is_enabled, button).accessible_name(entry.text);
    if response.clicked() {
        actions.push(Action::Run(command));
        ui.close();
    }
    response.on_hover_text(entry.tooltip);
}

fn undo_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for (command, what) in
            [(Command::Undo, &state.undo_text), (Command::Redo, &state.redo_text)]
        {
            ui.add_enabled_ui(what.is_some(), |ui| {
                let response = widgets::command_icon(ui, command, false, actions);
                if let Some(what) = what {
                    response.on_hover_text(what);
                }
            });
        }
    });
}

fn presets_ui(ui: &mut Ui, state: &State, is_narrow: bool, actions: &mut Vec<Action>) {
    let label = (
        RichText::new(icon::BOOKMARK_SIMPLE).size(theme::ICON - 1.0),
        if is_narrow { "" } else { "Presets" },
        RichText::new(icon::CARET_DOWN).size(11.0),
    );
    let button = Button::new(label).min_size(vec2(0.0, theme::ROW)).gap(6.0);
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        ui.set_min_width(230.0);
        for preset in presets::built_in() {
            if ui.add(Button::new(preset.name.as_str()).min_size(vec2(0.0, 25.0))).clicked() {
                actions.push(Action::ApplyPreset(preset));
                ui.close();
            }
        }
        if !state.presets.is_empty() {
            ui.separator();
        }
        for (index, preset) in state.presets.iter().enumerate() {
            ui.horizontal(|ui| {
                let width = ui.available_width().max(200.0) - 32.0;
                let button =
                    Button::new(preset.name.as_str()).truncate().min_size(vec2(width, 25.0));
                if ui.add(button).clicked() {
                    actions.push(Action::ApplyPreset(preset.clone()));
                    ui.close();
                }
                let name = format!("Delete preset {}", preset.name);
                if widgets::icon_button(ui, icon::TRASH, &name).clicked() {
                    actions.push(Action::DeletePreset(index));
                }
            });
        }
        ui.separator();
        for command in [
            Command::SavePreset,
            Command::ImportPreset,
            Command::ExportPreset,
            Command::CopySettings,
            Command::PasteSettings,
        ] {
            menu_row_ui(ui, state, command, actions);
        }
    });
    response.accessible_name("Presets");
}

fn view_ui(
    ui: &mut Ui,
    state: &State,
    canvas: &CanvasState,
    is_narrow: bool,
    actions: &mut Vec<Action>,
) {
    ui.spacing_mut().item_spacing.x = 2.0;
    ui.add_enabled_ui(state.shown.info.is_some(), |ui| {
        let mode = canvas.mode();
        widgets::command_icon(ui, Command::ZoomOut, false, actions);
        let text = match canvas.zoom() {
            Some(zoom) => format!("{:.0} %", zoom * 100.0),
            None => "–".into(),
        };
        let zoom = Button::new(RichText::new(text).color(theme::TEXT_STRONG))
            .min_size(vec2(58.0, theme::ROW));
        let zoom = ui.add(zoom).accessible_name("Zoom to 100 %");
        if zoom.clicked() {
            actions.push(Action::Run(Command::Zoom100));
        }
        zoom.on_hover_text(Command::Zoom100.tooltip_with_keys());
        widgets::command_icon(ui, Command::ZoomIn, false, actions);
        widgets::command_icon(ui, Command::ZoomFit, canvas.is_fitted(), actions);
        gap_ui(ui);
        widgets::command_icon(ui, Command::ToggleOriginal, mode == Mode::Before, actions);
        widgets::command_icon(ui, Command::ToggleSplit, mode == Mode::Split, actions);
        widgets::command_icon(ui, Command::ToggleSideBySide, mode == Mode::SideBySide, actions);
        widgets::command_icon(ui, Command::ToggleLens, canvas.lens().is_on, actions);
        widgets::command_icon(ui, Command::ToggleNoise, mode == Mode::Removed, actions);
        if !is_narrow {
            gap_ui(ui);
            widgets::command_icon(ui, Command::ToggleHistogram, state.panels.histogram, actions);
        }
    });
}
