//! The few controls that egui does not have in this form. Each has a name that screen readers and
//! tests find it by.

use std::ops::RangeInclusive;

use eframe::egui::{
    self, Button, Color32, CornerRadius, DragValue, FontId, Margin, Response, RichText, Role,
    Sense, Slider, Stroke, TextStyle, Ui, Vec2, WidgetInfo, vec2,
};

use super::command::Command;
use super::state::Action;
use super::theme;

/// Width of the names in a card, so that the controls line up.
const NAME_WIDTH: f32 = 74.0;
/// Width of a typed value.
const VALUE_WIDTH: f32 = 58.0;

/// A button that is an icon; `name` is its tooltip and accessible name.
pub(crate) fn icon_button(ui: &mut Ui, icon: &str, name: &str) -> Response {
    icon_toggle(ui, icon, name, false)
}

/// An icon button that stays down while `is_on`.
pub(crate) fn icon_toggle(ui: &mut Ui, icon: &str, name: &str, is_on: bool) -> Response {
    let colour = if is_on { theme::ACCENT } else { theme::TEXT };
    let fill = if is_on { theme::ACCENT_DIM } else { Color32::TRANSPARENT };
    let mut button = Button::new(RichText::new(icon).size(theme::ICON).color(colour))
        .min_size(theme::icon_button_size())
        .frame_when_inactive(is_on);
    if is_on {
        button = button.fill(fill);
    }
    ui.add(button).accessible_name(name).on_hover_text(name)
}

/// The icon button of a command.
pub(crate) fn command_icon(
    ui: &mut Ui,
    command: Command,
    is_on: bool,
    actions: &mut Vec<Action>,
) -> Response {
    let entry = command.entry();
    let colour = if is_on { theme::ACCENT } else { theme::TEXT };
    let mut button = Button::new(RichText::new(entry.icon).size(theme::ICON).color(colour))
        .min_size(theme::icon_button_size())
        .frame_when_inactive(is_on);
    if is_on {
        button = button.fill(theme::ACCENT_DIM);
    }
    let response = ui.add(button).accessible_name(entry.text);
    if response.clicked() {
        actions.push(Action::Run(command));
    }
    response.on_hover_ui(|ui| command_tooltip_ui(ui, command))
}

/// The button of a command with icon and text.
pub(crate) fn command_button(ui: &mut Ui, command: Command, actions: &mut Vec<Action>) -> Response {
    let entry = command.entry();
    let response = icon_text_button(ui, entry.icon, entry.text);
    if response.clicked() {
        actions.push(Action::Run(command));
    }
    response.on_hover_ui(|ui| command_tooltip_ui(ui, command))
}

fn command_tooltip_ui(ui: &mut Ui, command: Command) {
    let entry = command.entry();
    ui.horizontal(|ui| {
        ui.label(theme::heading(entry.text));
        if let Some(shortcut) = entry.shortcut {
            key_ui(ui, &super::command::keys_text(&shortcut));
        }
    });
    ui.label(entry.tooltip);
}

/// A key as it stands on the keyboard.
pub(crate) fn key_ui(ui: &mut Ui, text: &str) {
    egui::Frame::new()
        .fill(theme::FIELD)
        .stroke(Stroke::new(1.0, theme::OUTLINE))
        .corner_radius(CornerRadius::same(4))
        .inner_margin(Margin::symmetric(6, 1))
        .show(ui, |ui| ui.label(RichText::new(text).size(11.5).color(theme::TEXT)));
}

/// A button of an icon and a text, named by the text alone.
pub(crate) fn icon_text_button(ui: &mut Ui, icon: &str, text: &str) -> Response {
    let icon = RichText::new(icon).size(theme::ICON - 1.0);
    ui.add(Button::new((icon, text)).min_size(vec2(0.0, theme::ROW)).gap(6.0)).accessible_name(text)
}

/// The one button of a place that does what the place is for.
pub(crate) fn primary_button(ui: &mut Ui, icon: &str, text: &str, width: f32) -> Response {
    let is_enabled = ui.is_enabled();
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for (state, fill) in [
            (&mut widgets.inactive, theme::ACCENT),
            (&mut widgets.hovered, theme::ACCENT_HOVER),
            (&mut widgets.active, theme::ACCENT),
        ] {
            state.weak_bg_fill = fill;
            state.fg_stroke.color = theme::ON_ACCENT;
        }
        widgets.noninteractive.weak_bg_fill = theme::BUTTON;
        let colour = if is_enabled { theme::ON_ACCENT } else { theme::TEXT_WEAK };
        let icon = RichText::new(icon).size(theme::ICON).color(colour);
        let label = RichText::new(text).family(theme::semibold()).color(colour);
        let mut button = Button::new((icon, label)).min_size(vec2(width, 34.0)).gap(7.0);
        if !is_enabled {
            button = button.fill(theme::BUTTON);
        }
        ui.add(button).accessible_name(text)
    })
    .inner
}

/// An on/off switch named `name`.
pub(crate) fn switch(ui: &mut Ui, is_on: &mut bool, name: &str) -> Response {
    let size = vec2(30.0, 17.0);
    let (rect, mut response) = ui.allocate_exact_size(size, Sense::click());
    if response.clicked() {
        *is_on = !*is_on;
        response.mark_changed();
    }
    let (enabled, selected) = (ui.is_enabled(), *is_on);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, enabled, selected, name));
    if ui.is_rect_visible(rect) {
        let how_on = ui.ctx().animate_bool_responsive(response.id, *is_on);
        let radius = rect.height() / 2.0;
        let off = if response.hovered() { theme::BUTTON_HOVER } else { Color32::from_gray(0x40) };
        let on = if response.hovered() { theme::ACCENT_HOVER } else { theme::ACCENT };
        ui.painter().rect_filled(rect, radius, off.lerp_to_gamma(on, how_on));
        if response.has_focus() {
            let ring = Stroke::new(1.5, theme::ACCENT_HOVER);
            ui.painter().rect_stroke(rect, radius, ring, egui::StrokeKind::Outside);
        }
        let x = egui::lerp((rect.left() + radius)..=(rect.right() - radius), how_on);
        let knob = theme::TEXT_WEAK.lerp_to_gamma(Color32::WHITE, 0.4 + 0.6 * how_on);
        ui.painter().circle_filled(egui::pos2(x, rect.center().y), radius - 3.0, knob);
    }
    response
}

/// The name at the left of a row of a card. Returns its response, to label the control with.
pub(crate) fn row_name(ui: &mut Ui, name: &str) -> Response {
    let size = vec2(NAME_WIDTH, theme::ROW);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_size(size);
        ui.label(RichText::new(name).color(theme::TEXT))
    })
    .inner
}

/// A row of a card: its name, then what `content` draws in the rest of the width.
pub(crate) fn row<R>(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        row_name(ui, name);
        content(ui)
    })
    .inner
}

/// A row with a slider and a value that can be typed, in whole percent of `value` (`0..=1`).
/// Returns whether it changed.
pub(crate) fn percent_row(ui: &mut Ui, name: &str, value: &mut f32, tooltip: &str) -> bool {
    row(ui, name, |ui| percent_slider(ui, name, value, tooltip, ui.available_width()))
}

/// A slider of `width` with a typed value, in whole percent of `value` (`0..=1`).
pub(crate) fn percent_slider(
    ui: &mut Ui,
    name: &str,
    value: &mut f32,
    tooltip: &str,
    width: f32,
) -> bool {
    let mut percent = f64::from(*value) * 100.0;
    let changed = number_slider(ui, name, &mut percent, 0.0..=100.0, " %", width, tooltip);
    if changed {
        *value = (percent.round() / 100.0).clamp(0.0, 1.0) as f32;
    }
    changed
}

/// A slider with a typed whole value; `width` is that of both together.
pub(crate) fn number_slider(
    ui: &mut Ui,
    name: &str,
    value: &mut f64,
    range: RangeInclusive<f64>,
    unit: &str,
    width: f32,
    tooltip: &str,
) -> bool {
    // The slider knows whole steps only; a value between them is not a change of the user's.
    let before = value.round();
    *value = before;
    ui.spacing_mut().item_spacing.x = theme::GAP;
    let slider = ui
        .scope(|ui| {
            ui.spacing_mut().slider_width = (width - VALUE_WIDTH - theme::GAP).max(40.0);
            // The knob's size follows from the height.
            ui.spacing_mut().interact_size.y = 16.0;
            ui.visuals_mut().widgets.inactive.bg_fill = theme::KNOB;
            ui.visuals_mut().widgets.hovered.bg_fill = theme::TEXT_STRONG;
            ui.visuals_mut().widgets.active.bg_fill = theme::TEXT_STRONG;
            ui.add(Slider::new(value, range.clone()).show_value(false).step_by(1.0))
        })
        .inner
        .accessible_name(name);
    let typed = DragValue::new(value)
        .range(range)
        .speed(0.3)
        .max_decimals(0)
        .suffix(unit.to_owned())
        .update_while_editing(false)
        .min_size(vec2(VALUE_WIDTH, theme::ROW - 4.0));
    let typed = ui.add_sized([VALUE_WIDTH, theme::ROW - 4.0], typed);
    let typed = typed.accessible_name(format!("{name} value"));
    if !tooltip.is_empty() {
        slider.clone().on_hover_text(tooltip);
    }
    (slider.changed() || typed.changed()) && before != *value
}

/// Choices side by side, of which one is taken. Returns whether the choice changed.
pub(crate) fn segments<T: Copy + PartialEq>(
    ui: &mut Ui,
    chosen: &mut T,
    choices: &[(T, &str, &str)],
) -> bool {
    let before = *chosen;
    egui::Frame::new()
        .fill(theme::FIELD)
        .corner_radius(CornerRadius::same(theme::ROUND_SMALL + 1))
        .inner_margin(Margin::same(2))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            ui.spacing_mut().button_padding.x = 4.0;
            let gaps = 2.0 * (choices.len() as f32 - 1.0);
            let width = ((ui.available_width() - gaps) / choices.len() as f32).floor();
            ui.horizontal(|ui| {
                for (value, text, tooltip) in choices {
                    let button = Button::selectable(*chosen == *value, *text)
                        .min_size(vec2(width, theme::ROW - 4.0));
                    let response = ui.add(button);
                    if response.clicked() {
                        *chosen = *value;
                    }
                    if !tooltip.is_empty() {
                        response.on_hover_text(*tooltip);
                    }
                }
            });
        });
    before != *chosen
}

/// `text`, cut in its middle so that it fits into `width`: "DSC_10…23.jpg".
pub(crate) fn elide_middle(ui: &Ui, text: &str, style: &TextStyle, width: f32) -> String {
    let font: FontId = style.resolve(ui.style());
    let measure = |text: &str| {
        ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE).size().x
    };
    let full = measure(text);
    if full <= width {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    // The share of letters that fits if all were equally wide; then down until it does.
    let mut keep = ((width / full) * letters.len() as f32) as usize;
    while keep > 2 {
        let head = keep.div_ceil(2);
        let tail = letters.len() - (keep - head);
        let cut: String =
            letters[..head].iter().chain(['…'].iter()).chain(&letters[tail..]).collect();
        if measure(&cut) <= width {
            return cut;
        }
        keep -= 1;
    }
    "…".into()
}

/// A line of text in the middle of a row, in `width`, cut in its middle; the whole is the tooltip.
pub(crate) fn elided_label(ui: &mut Ui, text: &str, width: f32, colour: Color32) -> Response {
    let shown = elide_middle(ui, text, &TextStyle::Body, width);
    let is_cut = shown != text;
    let response = ui.add(egui::Label::new(RichText::new(shown).color(colour)).selectable(false));
    if is_cut { response.on_hover_text(text) } else { response }
}

/// A thin bar that is filled to `fraction`.
pub(crate) fn thin_bar(ui: &mut Ui, size: Vec2, fraction: f32, name: &str) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let value = f64::from(fraction) * 100.0;
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = Some(value.round());
        info
    });
    let round = rect.height() / 2.0;
    ui.painter().rect_filled(rect, round, Color32::from_gray(0x38));
    let mut done = rect;
    done.set_width((rect.width() * fraction.clamp(0.0, 1.0)).max(rect.height()));
    ui.painter().rect_filled(done, round, theme::ACCENT);
}

/// A sign that something is going on. It turns eight times a second and no faster: every frame
/// costs time that the work itself could have.
pub(crate) fn busy(ui: &mut Ui, name: &str) {
    const STEPS: f64 = 8.0;
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(14.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, name));
    if !ui.is_rect_visible(rect) {
        return;
    }
    ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(1.0 / STEPS));
    let turn = (ui.input(|input| input.time) * STEPS).floor();
    for dot in 0..STEPS as u32 {
        let age = (turn - f64::from(dot)).rem_euclid(STEPS) / STEPS;
        let angle = std::f32::consts::TAU * dot as f32 / STEPS as f32;
        let place = rect.center() + 5.0 * Vec2::angled(angle);
        let colour = theme::ACCENT.gamma_multiply(1.0 - 0.85 * age as f32);
        ui.painter().circle_filled(place, 1.4, colour);
    }
}

/// A number of bytes for people: "4.2 MB".
pub(crate) fn bytes_text(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} bytes"),
        _ if value < 10.0 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_as_people_say_them() {
        for (bytes, text) in [(999, "999 bytes"), (4_200, "4.2 kB"), (3_512_000_000, "3.5 GB")] {
            assert_eq!(bytes_text(bytes), text);
        }
    }

    #[test]
    fn long_names_lose_their_middle_and_keep_both_ends() {
        let mut shown = String::new();
        let harness = egui_kittest::Harness::new_ui(|ui| {
            let name = "a-very-long-name-of-a-holiday-picture-from-2019.jpeg";
            shown = elide_middle(ui, name, &TextStyle::Body, 120.0);
        });
        drop(harness);
        assert!(shown.starts_with("a-very") && shown.ends_with("jpeg"), "{shown}");
        assert!(shown.contains('…') && shown.chars().count() < 30, "{shown}");
    }
}
