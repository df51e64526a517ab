//! The queue: one line that is always there, and its rows.

use std::collections::HashMap;

use eframe::egui::{
    self, Color32, CornerRadius, Rect, RichText, ScrollArea, Sense, TextureHandle, Ui, UiBuilder,
    pos2, vec2,
};
use limpid_engine::{FailureKind, ItemId};

use super::super::command::Command;
use super::super::queue::{Row, RowState, duration_text, stage_text, summary_text};
use super::super::state::{Action, State};
use super::super::{icon, theme, widgets};

/// Thumbnails by row, as textures.
#[derive(Default)]
pub(crate) struct QueueArt {
    /// The texture of each row that has one.
    pub(crate) thumbnails: HashMap<ItemId, TextureHandle>,
}

/// The line above the rows: how far the whole is, and what can be done about it.
pub(crate) fn queue_bar_ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let counts = state.queue.counts();
    ui.horizontal_centered(|ui| {
        let sign = if state.panels.queue { icon::CARET_DOWN } else { icon::CARET_UP };
        let name = if state.panels.queue { "Hide queue rows" } else { "Show queue rows" };
        if widgets::icon_button(ui, sign, name).clicked() {
            actions.push(Action::Run(Command::ToggleQueue));
        }
        ui.label(theme::heading("Queue"));
        ui.label(RichText::new(summary_text(&state.queue)).color(theme::TEXT));
        if state.queue.has_work() {
            let done: f32 = state.queue.rows().iter().map(|row| done_share(&row.state)).sum();
            let fraction = done / counts.total.max(1) as f32;
            widgets::thin_bar(ui, vec2(160.0, 4.0), fraction, "Queue progress");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add_enabled_ui(counts.ended > 0, |ui| {
                widgets::command_button(ui, Command::ClearFinished, actions);
            });
            let has_work = state.queue.has_work();
            ui.add_enabled_ui(has_work, |ui| {
                widgets::command_button(ui, Command::CancelAll, actions);
            });
            if has_work || state.queue.is_paused {
                let (sign, text) = if state.queue.is_paused {
                    (icon::PLAY, "Resume")
                } else {
                    (icon::PAUSE, "Pause")
                };
                let response = widgets::icon_text_button(ui, sign, text);
                if response.clicked() {
                    actions.push(Action::Run(Command::PauseResume));
                }
                response.on_hover_text(Command::PauseResume.tooltip_with_keys());
            }
        });
    });
}

fn done_share(state: &RowState) -> f32 {
    match state {
        RowState::Waiting => 0.0,
        RowState::Working { fraction, .. } => *fraction,
        _ => 1.0,
    }
}

/// The rows; only those in sight are laid out, so that a thousand cost no more than ten.
pub(crate) fn queue_ui(ui: &mut Ui, state: &State, art: &QueueArt, actions: &mut Vec<Action>) {
    let rows = state.queue.rows();
    if rows.is_empty() {
        ui.add_space(theme::GAP);
        ui.label(theme::weak(
            "Nothing is queued. \"Process this picture\" writes a result; it appears here.",
        ));
        return;
    }
    ui.spacing_mut().item_spacing.y = 2.0;
    ScrollArea::vertical().auto_shrink(false).show_rows(
        ui,
        theme::QUEUE_ROW,
        rows.len(),
        |ui, range| {
            for row in &rows[range] {
                ui.push_id(row.id, |ui| row_ui(ui, row, art, actions));
            }
        },
    );
}

fn row_ui(ui: &mut Ui, row: &Row, art: &QueueArt, actions: &mut Vec<Action>) {
    let size = vec2(ui.available_width(), theme::QUEUE_ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let fill = if response.contains_pointer() {
        Color32::from_gray(0x24)
    } else {
        Color32::from_gray(0x20)
    };
    ui.painter().rect_filled(rect, CornerRadius::same(6), fill);

    let thumbnail = Rect::from_min_size(rect.min + vec2(6.0, 5.0), vec2(50.0, 38.0));
    thumbnail_ui(ui, thumbnail, art.thumbnails.get(&row.id));

    let buttons_width = 104.0;
    let buttons = Rect::from_min_max(pos2(rect.right() - buttons_width, rect.top()), rect.max);
    let left = thumbnail.right() + 12.0;
    let name_width = ((buttons.left() - left) * 0.36).clamp(90.0, 380.0);
    let name = Rect::from_min_max(
        pos2(left, rect.top()),
        pos2((left + name_width).min(buttons.left()), rect.bottom()),
    );
    let status = Rect::from_min_max(pos2(name.right() + 14.0, rect.top()), buttons.left_bottom());

    let mut cell = |rect: Rect, right: bool, content: &mut dyn FnMut(&mut Ui)| {
        let layout = if right {
            egui::Layout::right_to_left(egui::Align::Center)
        } else {
            egui::Layout::left_to_right(egui::Align::Center)
        };
        content(&mut ui.new_child(UiBuilder::new().max_rect(rect).layout(layout)));
    };
    cell(name, false, &mut |ui| {
        widgets::elided_label(ui, &row.name, name.width(), theme::TEXT_STRONG);
    });
    cell(status, false, &mut |ui| status_ui(ui, row, status.width()));
    cell(buttons.shrink2(vec2(6.0, 0.0)), true, &mut |ui| buttons_ui(ui, row, actions));
}

fn thumbnail_ui(ui: &Ui, rect: Rect, texture: Option<&TextureHandle>) {
    ui.painter().rect_filled(rect, CornerRadius::same(3), theme::FIELD);
    let Some(texture) = texture else {
        let font = egui::FontId::proportional(theme::ICON);
        ui.painter().text(
            rect.center(),
            egui::Align2::CENTER_CENTER,
            icon::IMAGE,
            font,
            theme::OUTLINE,
        );
        return;
    };
    // Fills the frame; what hangs over is cut, equally on both sides.
    let size = texture.size_vec2();
    let scale = (rect.width() / size.x).max(rect.height() / size.y);
    let shown = rect.size() / (size * scale);
    let uv = Rect::from_center_size(pos2(0.5, 0.5), shown);
    egui::Image::new((texture.id(), rect.size()))
        .uv(uv)
        .corner_radius(CornerRadius::same(3))
        .paint_at(ui, rect);
}

fn status_ui(ui: &mut Ui, row: &Row, width: f32) {
    ui.spacing_mut().item_spacing.x = theme::GAP;
    let mark = |ui: &mut Ui, sign: &str, colour: Color32| {
        ui.label(RichText::new(sign).size(16.0).color(colour));
    };
    let rest = width - 30.0;
    match &row.state {
        RowState::Waiting => {
            mark(ui, icon::CLOCK, theme::TEXT_WEAK);
            ui.label(RichText::new("Waiting").color(theme::TEXT_WEAK));
        }
        RowState::Working { stage, fraction } => {
            let bar = (width * 0.35).clamp(60.0, 200.0);
            widgets::thin_bar(ui, vec2(bar, 5.0), *fraction, &format!("{} progress", row.name));
            let percent = format!("{:>3.0} %", fraction * 100.0);
            ui.label(RichText::new(percent).color(theme::TEXT_STRONG));
            let stage = stage_text(stage.as_ref());
            widgets::elided_label(ui, &stage, (width - bar - 70.0).max(40.0), theme::TEXT);
        }
        RowState::Finished { output, seconds, notes } => {
            mark(ui, icon::CHECK_CIRCLE, theme::GOOD);
            let name = output.file_name().unwrap_or(output.as_os_str()).to_string_lossy();
            let mut text = format!("Done in {}: {name}", duration_text(*seconds));
            if !notes.is_empty() {
                text += &format!(" ({})", notes.join(" "));
            }
            let colour = if notes.is_empty() { theme::TEXT } else { theme::WARN };
            widgets::elided_label(ui, &text, rest, colour)
                .on_hover_text(output.display().to_string());
        }
        RowState::Skipped { output } => {
            mark(ui, icon::SKIP_FORWARD, theme::TEXT_WEAK);
            let name = output.file_name().unwrap_or(output.as_os_str()).to_string_lossy();
            let text = format!("Skipped, it is there already: {name}");
            widgets::elided_label(ui, &text, rest, theme::TEXT_WEAK)
                .on_hover_text(output.display().to_string());
        }
        RowState::Failed { kind, message } => {
            mark(ui, icon::WARNING_CIRCLE, theme::BAD);
            let response = widgets::elided_label(ui, message, rest, theme::BAD);
            response.on_hover_text(failure_hint(*kind));
        }
        RowState::Cancelled => {
            mark(ui, icon::PROHIBIT, theme::TEXT_WEAK);
            ui.label(RichText::new("Cancelled").color(theme::TEXT_WEAK));
        }
    }
}

/// What a person can do about a failure.
fn failure_hint(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unreadable => "Check that the file is there and may be read, then retry.",
        FailureKind::Damaged => "The file is damaged; take it from the camera or a backup again.",
        FailureKind::Unsupported => "Save the picture as JPEG, PNG or TIFF and open that.",
        FailureKind::TooLarge => "Give Limpid more memory in the settings, then retry.",
        FailureKind::Model => "Look at the Models page, then retry.",
        FailureKind::Unwritable => "Choose another output folder or make room, then retry.",
        FailureKind::Internal => {
            "This is a fault of Limpid; the other files are not touched by it."
        }
    }
}

/// Drawn from the right edge.
fn buttons_ui(ui: &mut Ui, row: &Row, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    let mut button = |icon: &str, verb: &str, action: Action| {
        let name = format!("{verb} {}", row.name);
        if widgets::icon_button(ui, icon, &name).clicked() {
            actions.push(action);
        }
    };
    match &row.state {
        RowState::Waiting | RowState::Working { .. } => {
            button(icon::X, "Cancel", Action::CancelItem(row.id));
        }
        RowState::Finished { output, .. } | RowState::Skipped { output } => {
            button(icon::FOLDER_OPEN, "Show in folder:", Action::Reveal(output.clone()));
            button(icon::IMAGE, "Open result of", Action::OpenPaths(vec![output.clone()]));
        }
        RowState::Failed { .. } | RowState::Cancelled => {
            button(icon::FOLDER_OPEN, "Show in folder:", Action::Reveal(row.input.clone()));
            button(icon::ARROW_COUNTER_CLOCKWISE, "Retry", Action::Retry(row.id));
        }
    }
}
