//! The page of the settings.

use eframe::egui::{self, DragValue, Ui};
use limpid_engine::Budget;

use super::super::state::{Action, PathPurpose, Settings, State};
use super::super::{icon, theme, widgets};
use super::output::output_rows_ui;

const MIB: u64 = 1 << 20;

/// The page.
pub(crate) fn settings_ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let before = state.settings.clone();
    let machine = state.machine;
    let settings = &mut state.settings;
    section_ui(ui, "Work", |ui| {
        widgets::row(ui, "Device", |ui| {
            let mut chosen = 0;
            egui::ComboBox::from_id_salt("device")
                .selected_text(format!("CPU, {} cores", machine.cores))
                .width(ui.available_width())
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut chosen, 0, format!("CPU, {} cores", machine.cores));
                })
                .response
                .accessible_name("Device");
        });
        widgets::row(ui, "", |ui| {
            ui.label(theme::weak(
                "This version computes on the processor; it needs no graphics card.",
            ));
        });
        memory_row_ui(ui, settings, machine.memory_bytes);
        threads_row_ui(ui, settings, machine.cores);
    });
    section_ui(ui, "Window", |ui| {
        widgets::row(ui, "Scale", |ui| {
            let mut percent = f64::from(settings.scale) * 100.0;
            let range = 75.0..=200.0;
            let field = DragValue::new(&mut percent).range(range).speed(1.0).max_decimals(0);
            let field = field.suffix(" %").update_while_editing(false);
            let response = ui.add_sized([90.0, theme::ROW], field).accessible_name("Scale");
            // While it is dragged the window must stay still under the pointer.
            if response.changed() && !response.dragged() || response.drag_stopped() {
                settings.scale = (percent / 100.0) as f32;
            }
        });
    });
    section_ui(ui, "Output of new recipes", |ui| {
        output_rows_ui(ui, &mut settings.output, PathPurpose::DefaultFolder, actions);
        if widgets::icon_text_button(ui, icon::CHECK, "Use for this recipe too").clicked() {
            state.recipe.output = settings.output.clone();
        }
    });
    if *settings != before {
        actions.push(Action::SettingsChanged);
    }
}

fn section_ui(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui)) {
    theme::card_frame().show(ui, |ui| {
        ui.push_id(title, |ui| {
            ui.set_width(ui.available_width());
            ui.label(theme::heading(title));
            content(ui);
        });
    });
}

fn memory_row_ui(ui: &mut Ui, settings: &mut Settings, total: Option<u64>) {
    let total = total.unwrap_or(16 << 30);
    let smallest = (Budget::SMALLEST / MIB) as f64;
    let largest = (total / MIB) as f64;
    let shown = settings.budget_bytes.unwrap_or(total / 2);
    widgets::row(ui, "Memory", |ui| {
        let mut mebibytes = ((shown / MIB) as f64).clamp(smallest, largest);
        let tooltip = "The most memory that pictures and models may take together.";
        let width = ui.available_width();
        let range = smallest..=largest;
        if widgets::number_slider(ui, "Memory", &mut mebibytes, range, " MB", width, tooltip) {
            settings.budget_bytes = Some(mebibytes as u64 * MIB);
        }
    });
    widgets::row(ui, "", |ui| {
        let text = format!(
            "This computer has {:.1} GB. Larger pictures than fit are worked on in parts.",
            total as f64 / (1u64 << 30) as f64
        );
        ui.label(theme::weak(text));
    });
}

fn threads_row_ui(ui: &mut Ui, settings: &mut Settings, cores: usize) {
    widgets::row(ui, "Threads", |ui| {
        let mut threads = if settings.threads == 0 { cores } else { settings.threads } as f64;
        let tooltip = "Fewer leave room for other programs. Results are the same.";
        let width = ui.available_width();
        let range = 1.0..=cores as f64;
        if widgets::number_slider(ui, "Threads", &mut threads, range, "", width, tooltip) {
            let threads = threads.round() as usize;
            settings.threads = if threads >= cores { 0 } else { threads };
        }
    });
}
