//! A frame of the window: where the panels stand, the keys, the dialogs.

use eframe::egui::{self, CornerRadius, Frame, Key, Margin, Modifiers, Panel, Ui, ViewportCommand};

use super::command::{Command, Group};
use super::panels;
use super::shell::Shell;
use super::state::{Action, Dialog, Page};
use super::{icon, theme, voice, widgets};
use crate::canvas::HistogramPlot;

impl Shell {
    /// Draws the window and answers the user.
    pub(crate) fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let mut actions = Vec::new();
        self.keys(&ctx, &mut actions);
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        self.dropped(&dropped);
        self.state.is_dropping = ctx.input(|input| !input.raw.hovered_files.is_empty());

        self.panels_ui(ui, &mut actions);
        self.dialog_ui(&ctx, &mut actions);
        if self.state.is_dropping {
            panels::drop_hint_ui(ui);
        }
        for action in actions {
            self.act(&ctx, action);
        }
        self.notices.show(&ctx);
        let is_resting = !ctx.egui_is_using_pointer();
        self.observe_recipe(is_resting);
    }

    fn panels_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        Panel::top("top")
            .exact_size(theme::TOP_BAR)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::PANEL).inner_margin(Margin::symmetric(10, 0)))
            .show(ui, |ui| panels::top_ui(ui, &self.state, &self.canvas, actions));
        self.queue_panel_ui(ui, actions);
        match self.state.page {
            Page::Photos => self.photos_ui(ui, actions),
            Page::Voice => self.voice_ui(ui, actions),
        }
    }

    fn photos_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if self.state.panels.files && !self.state.files.list.is_empty() {
            Panel::left("files")
                .default_size(theme::FILES_WIDTH)
                .size_range(150.0..=420.0)
                .show_separator_line(false)
                .frame(theme::panel_frame(10))
                .show(ui, |ui| panels::files_ui(ui, &mut self.state, actions));
        }
        if self.state.panels.recipe {
            right_panel("recipe").show(ui, |ui| self.recipe_panel_ui(ui, actions));
        }
        egui::CentralPanel::no_frame()
            .frame(Frame::new().fill(theme::CANVAS))
            .show(ui, |ui| self.stage_ui(ui, actions));
    }

    fn voice_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if self.state.panels.recipe {
            right_panel("voice cards").show(ui, |ui| self.voice_cards_ui(ui, actions));
        }
        egui::CentralPanel::no_frame().frame(Frame::new().fill(theme::CANVAS)).show(ui, |ui| {
            voice::page_ui(ui, &mut self.state.voice, &mut self.tracks, actions);
        });
    }

    fn voice_cards_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        Panel::bottom("save sound")
            .exact_size(54.0)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::PANEL).inner_margin(Margin::same(10)))
            .show(ui, |ui| voice::save_ui(ui, &self.state.voice, actions));
        egui::CentralPanel::no_frame()
            .frame(Frame::new().inner_margin(Margin { left: 10, right: 4, top: 2, bottom: 0 }))
            .show(ui, |ui| {
                egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                    ui.set_width(ui.available_width() - 6.0);
                    ui.add_space(theme::GAP_SMALL);
                    let models = self.state.models.value.as_deref().unwrap_or_default();
                    voice::cards_ui(ui, &mut self.state.voice, models, actions);
                    ui.add_space(theme::GAP);
                });
            });
    }

    fn queue_panel_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if self.state.panels.queue {
            Panel::bottom("queue rows")
                .default_size(190.0)
                .size_range(70.0..=520.0)
                .resizable(true)
                .show_separator_line(false)
                .frame(Frame::new().fill(theme::PANEL).inner_margin(Margin {
                    left: 10,
                    right: 6,
                    top: 2,
                    bottom: 8,
                }))
                .show(ui, |ui| panels::queue_ui(ui, &self.state, &self.art, actions));
        }
        Panel::bottom("queue bar")
            .exact_size(38.0)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::PANEL).inner_margin(Margin::symmetric(10, 0)))
            .show(ui, |ui| panels::queue_bar_ui(ui, &mut self.state, actions));
    }

    fn recipe_panel_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let foot = if self.state.files.list.len() > 1 { 88.0 } else { 54.0 };
        Panel::bottom("process")
            .exact_size(foot)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::PANEL).inner_margin(Margin::same(10)))
            .show(ui, |ui| panels::process_ui(ui, &self.state, actions));
        egui::CentralPanel::no_frame()
            .frame(Frame::new().inner_margin(Margin { left: 10, right: 4, top: 2, bottom: 0 }))
            .show(ui, |ui| {
                egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                    ui.set_width(ui.available_width() - 6.0);
                    ui.add_space(theme::GAP_SMALL);
                    if self.state.panels.histogram
                        && let Some(info) = &self.state.shown.info
                    {
                        let size = egui::vec2(ui.available_width(), 84.0);
                        let plot = HistogramPlot::new(&info.histogram, size)
                            .with_after(self.state.shown.after.as_deref());
                        ui.add(plot);
                        ui.add_space(theme::GAP_SMALL);
                    }
                    panels::recipe_ui(ui, &mut self.state, actions);
                    ui.add_space(theme::GAP);
                });
            });
    }

    fn stage_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let ctx = ui.ctx().clone();
        if self.state.files.shown().is_none() {
            panels::empty_ui(ui, &self.state, actions);
            self.ask_for_view(&ctx, None, false);
            return;
        }
        Panel::bottom("status")
            .exact_size(27.0)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme::CANVAS).inner_margin(Margin::symmetric(12, 0)))
            .show(ui, |ui| panels::status_ui(ui, &self.state));
        let failure = self.state.shown.failure.clone();
        match (failure, self.state.files.shown()) {
            (Some(reason), Some(file)) => {
                panels::failure_ui(ui, &file.name, &reason);
                self.ask_for_view(&ctx, None, false);
            }
            _ => {
                let seen = egui::CentralPanel::no_frame().show(ui, |ui| self.canvas.ui(ui)).inner;
                self.ask_for_view(&ctx, seen.view, seen.view_changed);
            }
        }
    }

    fn dialog_ui(&mut self, ctx: &egui::Context, actions: &mut Vec<Action>) {
        let Some(mut dialog) = self.state.dialog.take() else { return };
        let (title, width): (&str, f32) = match &dialog {
            Dialog::Models => ("Models", 660.0),
            Dialog::Settings => ("Settings", 480.0),
            Dialog::Shortcuts => ("Shortcuts", 620.0),
            Dialog::Palette { .. } => ("", 480.0),
            Dialog::SavePreset { .. } => ("Save preset", 380.0),
            Dialog::TypePath { purpose, .. } => (purpose.title(), 520.0),
            Dialog::About => ("About", 400.0),
        };
        let frame = Frame::new()
            .fill(theme::PANEL)
            .stroke(egui::Stroke::new(1.0, theme::OUTLINE))
            .corner_radius(CornerRadius::same(theme::ROUND + 2))
            .shadow(ctx.global_style().visuals.window_shadow)
            .inner_margin(Margin::same(16));
        let id = egui::Id::unique(("dialog", std::mem::discriminant(&dialog)));
        let shown = egui::Modal::new(id)
            .frame(frame)
            .backdrop_color(egui::Color32::from_black_alpha(120))
            .show(ctx, |ui| {
                ui.set_width(width.min(ctx.content_rect().width() - 48.0));
                if !title.is_empty() {
                    ui.horizontal(|ui| {
                        ui.label(theme::heading(title).size(17.0));
                        let right = egui::Layout::right_to_left(egui::Align::Center);
                        ui.with_layout(right, |ui| {
                            if widgets::icon_button(ui, icon::X, "Close").clicked() {
                                actions.push(Action::CloseDialog);
                            }
                        });
                    });
                    ui.add_space(theme::GAP_SMALL);
                }
                match &mut dialog {
                    Dialog::Models => panels::models_ui(ui, &self.state, actions),
                    Dialog::Settings => panels::settings_ui(ui, &mut self.state, actions),
                    Dialog::Shortcuts => panels::shortcuts_ui(ui),
                    Dialog::Palette { text, chosen } => {
                        panels::palette_ui(ui, &self.state, text, chosen, actions);
                    }
                    Dialog::SavePreset { name, with_output } => {
                        panels::save_preset_ui(ui, name, with_output, actions);
                    }
                    Dialog::TypePath { purpose, text, reason } => {
                        panels::path_dialog_ui(ui, *purpose, text, reason.as_deref(), actions);
                    }
                    Dialog::About => panels::about_ui(ui),
                }
            });
        if !shown.should_close() {
            self.state.dialog = Some(dialog);
        }
    }

    /// Keys to commands. Text fields keep theirs.
    fn keys(&mut self, ctx: &egui::Context, actions: &mut Vec<Action>) {
        let types = ctx.text_edit_focused();
        let has_focus = ctx.egui_wants_keyboard_input();
        let has_dialog = self.state.dialog.is_some();
        let pressed: Vec<(Key, Modifiers)> = ctx.input(|input| {
            input
                .events
                .iter()
                .filter_map(|event| match event {
                    egui::Event::Key { key, pressed: true, modifiers, .. } => {
                        Some((*key, *modifiers))
                    }
                    _ => None,
                })
                .collect()
        });
        for (key, modifiers) in pressed {
            // The system's text keys; the window reads pictures from the clipboard itself.
            let text_key = match key {
                Key::C | Key::Copy => Some(ViewportCommand::RequestCopy),
                Key::X | Key::Cut => Some(ViewportCommand::RequestCut),
                Key::V | Key::Paste => Some(ViewportCommand::RequestPaste),
                _ => None,
            };
            if let Some(command) = text_key
                && modifiers.command
                && !modifiers.shift
                && (types || key == Key::C)
            {
                ctx.send_viewport_cmd(command);
                continue;
            }
            let Some(command) = command_of(key, modifiers, self.state.page) else { continue };
            let is_plain = !modifiers.command && !is_function_key(key);
            let is_arrow = matches!(key, Key::ArrowLeft | Key::ArrowRight);
            let belongs_to_text = types && (is_plain || is_text_command(command));
            // A button that was reached by Tab is pressed with Space.
            if belongs_to_text || (is_arrow || key == Key::Space) && has_focus {
                continue;
            }
            if has_dialog && command.entry().group != Group::Program && command != Command::Quit {
                continue;
            }
            actions.push(Action::Run(command));
        }
    }
}

/// The command of a key on a page, modifiers exactly as in the table; signs may need Shift to be
/// typed.
fn command_of(key: Key, modifiers: Modifiers, page: Page) -> Option<Command> {
    Command::ALL.into_iter().find(|command| {
        command.page().is_none_or(|own| own == page)
            && command.entry().shortcut.is_some_and(|shortcut| {
                let wanted = shortcut.modifiers;
                let is_sign = matches!(key, Key::Plus | Key::Minus | Key::Comma);
                let is_key = shortcut.logical_key == key
                    || shortcut.logical_key == Key::Plus && key == Key::Equals;
                is_key
                    && wanted.command == modifiers.command
                    && wanted.alt == modifiers.alt
                    && (is_sign || wanted.shift == modifiers.shift)
            })
    })
}

/// Keys that a text field uses in its own way.
fn is_text_command(command: Command) -> bool {
    matches!(command, Command::Undo | Command::Redo | Command::Paste)
}

fn is_function_key(key: Key) -> bool {
    (Key::F1..=Key::F12).contains(&key)
}

/// The panel of cards at the right, the same on every page.
fn right_panel(id: &'static str) -> Panel {
    Panel::right(id)
        .exact_size(theme::RECIPE_WIDTH)
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::new().fill(theme::PANEL))
}
