//! The list of opened pictures.

use eframe::egui::{
    self, Color32, CornerRadius, RichText, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, vec2,
};

use super::super::command::Command;
use super::super::queue::RowState;
use super::super::state::{Action, State};
use super::super::{icon, theme, widgets};

const ROW_HEIGHT: f32 = 30.0;

/// The list; only rows in sight are laid out.
pub(crate) fn files_ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.label(theme::heading("Pictures"));
        let count = state.files.list.len();
        if count > 0 {
            ui.label(theme::weak(count.to_string()));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            ui.add_enabled_ui(count > 0, |ui| {
                widgets::command_icon(ui, Command::CloseAll, false, actions);
            });
            widgets::command_icon(ui, Command::OpenFolder, false, actions);
        });
    });
    ui.add_space(theme::GAP_SMALL);
    if state.files.list.is_empty() {
        ui.label(theme::weak("Opened pictures are listed here."));
        return;
    }
    ui.spacing_mut().item_spacing.y = 1.0;
    let mut area = ScrollArea::vertical().auto_shrink(false);
    if std::mem::take(&mut state.files.reveal)
        && let Some(current) = state.files.current
    {
        // Keeps the row in the middle third, so that its neighbours are seen too.
        let row = (ROW_HEIGHT + 1.0) * current as f32;
        let offset = row - ui.available_height() / 2.0;
        area = area.vertical_scroll_offset(offset.max(0.0));
    }
    area.show_rows(ui, ROW_HEIGHT, state.files.list.len(), |ui, range| {
        for index in range {
            ui.push_id(index, |ui| row_ui(ui, state, index, actions));
        }
    });
}

fn row_ui(ui: &mut Ui, state: &State, index: usize, actions: &mut Vec<Action>) {
    let Some(file) = state.files.list.get(index) else { return };
    let is_shown = state.files.current == Some(index);
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, is_shown, &file.name));
    let fill = match (is_shown, response.contains_pointer()) {
        (true, _) => theme::ACCENT_DIM,
        (false, true) => Color32::from_gray(0x26),
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, CornerRadius::same(theme::ROUND_SMALL), fill);
    if response.has_focus() {
        let ring = egui::Stroke::new(1.0, theme::ACCENT);
        let round = CornerRadius::same(theme::ROUND_SMALL);
        ui.painter().rect_stroke(rect, round, ring, egui::StrokeKind::Inside);
    }
    if response.clicked() {
        actions.push(Action::ShowFile(index));
    }
    let can_close = response.contains_pointer() || is_shown;
    let mut inside = ui.new_child(
        UiBuilder::new()
            .max_rect(rect.shrink2(vec2(8.0, 0.0)))
            .layout(egui::Layout::right_to_left(egui::Align::Center)),
    );
    let ui = &mut inside;
    ui.spacing_mut().item_spacing.x = theme::GAP_SMALL;
    if can_close {
        let close =
            egui::Button::new(RichText::new(icon::X).size(13.0)).frame_when_inactive(false).small();
        let close = ui.add(close).accessible_name(format!("Close {}", file.name));
        if close.clicked() {
            actions.push(Action::CloseFile(index));
        }
    }
    if let Some((sign, colour, hint)) = state.queue.state_of(&file.path).map(mark) {
        ui.label(RichText::new(sign).size(14.0).color(colour)).on_hover_text(hint);
    }
    let colour = if is_shown { theme::TEXT_STRONG } else { theme::TEXT };
    let width = ui.available_width();
    ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
        let name = widgets::elide_middle(ui, &file.name, &egui::TextStyle::Body, width);
        ui.painter().text(
            ui.max_rect().left_center(),
            egui::Align2::LEFT_CENTER,
            name,
            egui::TextStyle::Body.resolve(ui.style()),
            colour,
        );
    });
    response.on_hover_text(file.path.display().to_string());
}

fn mark(state: &RowState) -> (&'static str, Color32, &'static str) {
    match state {
        RowState::Waiting => (icon::CLOCK, theme::TEXT_WEAK, "Queued"),
        RowState::Working { .. } => (icon::HOURGLASS_MEDIUM, theme::ACCENT, "Being processed"),
        RowState::Finished { .. } => (icon::CHECK, theme::GOOD, "Processed"),
        RowState::Skipped { .. } => (icon::SKIP_FORWARD, theme::TEXT_WEAK, "Skipped"),
        RowState::Failed { .. } => (icon::WARNING_CIRCLE, theme::BAD, "Failed"),
        RowState::Cancelled => (icon::PROHIBIT, theme::TEXT_WEAK, "Cancelled"),
    }
}
