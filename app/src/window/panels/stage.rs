//! What stands in the middle when there is no picture, and the line below it when there is one.

use eframe::egui::{self, Align2, Color32, CornerRadius, FontId, RichText, Stroke, Ui, vec2};
use limpid_engine::PictureInfo;

use super::super::command::Command;
use super::super::state::{Action, State};
use super::super::{icon, theme, widgets};

/// Nothing is open: what this is, and how pictures come in.
pub(crate) fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let frame = egui::Rect::from_center_size(
        ui.max_rect().center(),
        vec2(520.0, 320.0).min(ui.max_rect().size() - vec2(32.0, 32.0)),
    );
    let shapes = egui::Shape::dashed_line(
        &rounded_outline(frame, 14.0),
        Stroke::new(1.2, theme::OUTLINE),
        7.0,
        6.0,
    );
    ui.painter().extend(shapes);
    ui.scope_builder(egui::UiBuilder::new().max_rect(frame.shrink(24.0)), |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space(frame.height() * 0.08);
            ui.label(RichText::new(icon::DROP).size(44.0).color(theme::ACCENT));
            ui.add_space(6.0);
            ui.label(
                RichText::new("Drop photos or folders here")
                    .family(theme::semibold())
                    .size(20.0)
                    .color(theme::TEXT_STRONG),
            );
            ui.add_space(2.0);
            ui.label(theme::weak(
                "See noise go and detail stay, side by side, then save. Your originals are never \
                 changed, and nothing leaves this computer.",
            ));
            ui.add_space(14.0);
            let width = 236.0;
            ui.allocate_ui_with_layout(
                vec2(width, 36.0),
                egui::Layout::left_to_right(egui::Align::Center),
                |ui| {
                    let open = widgets::primary_button(ui, icon::FOLDER_OPEN, "Open…", 112.0);
                    if open.clicked() {
                        actions.push(Action::Run(Command::OpenFiles));
                    }
                    let sign = RichText::new(icon::CLIPBOARD_TEXT).size(theme::ICON);
                    let paste = egui::Button::new((sign, "Paste")).min_size(vec2(112.0, 34.0));
                    let paste = ui.add(paste.gap(7.0)).accessible_name("Paste");
                    if paste.clicked() {
                        actions.push(Action::Run(Command::Paste));
                    }
                },
            );
            ui.add_space(14.0);
            ui.label(theme::weak("JPEG, PNG, TIFF, WebP, BMP and JPEG XL, 8 or 16 bit"));
            if let Some(failure) = &state.engine_failure {
                ui.add_space(6.0);
                ui.label(RichText::new(failure).color(theme::BAD));
            }
        });
    });
}

/// The outline of a rounded rectangle as one closed line, for dashes.
pub(crate) fn rounded_outline(rect: egui::Rect, radius: f32) -> Vec<egui::Pos2> {
    let mut points = Vec::new();
    let corners = [
        (rect.right_top() + vec2(-radius, radius), -90.0_f32),
        (rect.right_bottom() + vec2(-radius, -radius), 0.0),
        (rect.left_bottom() + vec2(radius, -radius), 90.0),
        (rect.left_top() + vec2(radius, radius), 180.0),
    ];
    for (centre, start) in corners {
        for step in 0..=6 {
            let angle = (start + 15.0 * step as f32).to_radians();
            points.push(centre + radius * egui::Vec2::angled(angle));
        }
    }
    points.extend(points.first().copied());
    points
}

/// The picture cannot be shown: why, in words, on the canvas.
pub(crate) fn failure_ui(ui: &mut Ui, name: &str, reason: &str) {
    let rect = ui.max_rect();
    ui.painter().rect_filled(rect, CornerRadius::ZERO, theme::CANVAS);
    let width = 440.0_f32.min(rect.width() - 32.0);
    let middle = egui::Rect::from_center_size(rect.center(), vec2(width, 150.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(middle), |ui| {
        ui.vertical_centered(|ui| {
            ui.label(RichText::new(icon::WARNING_CIRCLE).size(34.0).color(theme::BAD));
            ui.add_space(4.0);
            ui.label(theme::heading(format!("{name} cannot be shown")).size(15.0));
            ui.label(RichText::new(reason).color(theme::TEXT));
            ui.add_space(4.0);
            ui.label(theme::weak("Other pictures are not affected."));
        });
    });
}

/// Files are held over the window.
pub(crate) fn drop_hint_ui(ui: &Ui) {
    let rect = ui.max_rect();
    let painter = ui
        .ctx()
        .layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint")));
    painter.rect_filled(rect, CornerRadius::ZERO, Color32::from_black_alpha(190));
    let frame = rect.shrink(18.0);
    painter.rect_stroke(
        frame,
        CornerRadius::same(14),
        Stroke::new(2.0, theme::ACCENT),
        egui::StrokeKind::Inside,
    );
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        "Drop to open",
        FontId::new(22.0, theme::semibold()),
        theme::TEXT_STRONG,
    );
}

/// The line below the canvas: what the picture is, and what is going on.
pub(crate) fn status_ui(ui: &mut Ui, state: &State) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP;
        let Some(file) = state.files.shown() else {
            ui.label(theme::weak("No picture"));
            return;
        };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if state.shown.is_working {
                widgets::busy(ui, "Enhancing the preview");
                ui.label(theme::weak("Enhancing the preview"));
            } else if state.shown.info.is_some() && !state.shown.models.is_empty() {
                ui.label(theme::weak(models_text(state)));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let width = ui.available_width();
                let name_width = (width * 0.45).min(320.0);
                widgets::elided_label(ui, &file.name, name_width, theme::TEXT);
                if let Some(info) = &state.shown.info {
                    let text = info_text(info);
                    let rest = ui.available_width();
                    let style = egui::TextStyle::Body;
                    let shown = widgets::elide_middle(ui, &text, &style, rest);
                    ui.label(theme::weak(shown)).on_hover_text(long_info_text(info));
                }
            });
        });
    });
}

fn models_text(state: &State) -> String {
    let cards = state.models.value.as_deref().unwrap_or_default();
    let titles: Vec<&str> = state
        .shown
        .models
        .iter()
        .map(|name| {
            cards.iter().find(|card| card.name == *name).map_or(name.as_str(), |c| &c.title)
        })
        .collect();
    titles.join(", ")
}

fn info_text(info: &PictureInfo) -> String {
    let mut parts =
        vec![format!("{} × {}", info.width, info.height), info.format.clone(), info.pixels.clone()];
    parts.extend(info.profile.clone());
    parts.extend(info.noise_sigma.map(|sigma| format!("noise {sigma:.1}")));
    parts.push(widgets::bytes_text(info.file_bytes));
    parts.join(" · ")
}

fn long_info_text(info: &PictureInfo) -> String {
    let mut text = info_text(info).replace(" · ", "\n");
    if let Some(camera) = &info.camera {
        text += &format!("\n{camera}");
    }
    text
}
