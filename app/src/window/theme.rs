//! Colours, sizes and spacing: every token of the window, in one place.
//!
//! Surfaces are neutral greys: a coloured surround changes how the colours of a photo are seen.

use std::sync::Arc;

use eframe::egui::{
    self, Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow,
    Stroke, TextStyle, Vec2, vec2,
};

/// Behind the picture.
pub(crate) const CANVAS: Color32 = Color32::from_gray(0x11);
/// Bars and side panels.
pub(crate) const PANEL: Color32 = Color32::from_gray(0x1B);
/// Cards on a panel.
pub(crate) const CARD: Color32 = Color32::from_gray(0x24);
/// Fields and tracks inside a card.
pub(crate) const FIELD: Color32 = Color32::from_gray(0x17);
/// Buttons at rest.
pub(crate) const BUTTON: Color32 = Color32::from_gray(0x2E);
/// Buttons under the pointer.
pub(crate) const BUTTON_HOVER: Color32 = Color32::from_gray(0x3A);
/// Knobs of sliders.
pub(crate) const KNOB: Color32 = Color32::from_gray(0xB4);
/// Hairlines between surfaces.
pub(crate) const LINE: Color32 = Color32::from_gray(0x2F);
/// Frames of fields and dialogs.
pub(crate) const OUTLINE: Color32 = Color32::from_gray(0x3D);
/// Headings and values.
pub(crate) const TEXT_STRONG: Color32 = Color32::from_gray(0xF0);
/// Running text.
pub(crate) const TEXT: Color32 = Color32::from_gray(0xCE);
/// Hints and units: 4.5 to 1 on a card.
pub(crate) const TEXT_WEAK: Color32 = Color32::from_gray(0x96);
/// What is chosen, on, or the next thing to press.
pub(crate) const ACCENT: Color32 = Color32::from_rgb(0x5B, 0xB5, 0xE8);
/// The accent under the pointer.
pub(crate) const ACCENT_HOVER: Color32 = Color32::from_rgb(0x7C, 0xC6, 0xF0);
/// Behind chosen rows.
pub(crate) const ACCENT_DIM: Color32 = Color32::from_rgb(0x1E, 0x3A, 0x4B);
/// Text on the accent.
pub(crate) const ON_ACCENT: Color32 = Color32::from_rgb(0x07, 0x1A, 0x25);
/// Done.
pub(crate) const GOOD: Color32 = Color32::from_rgb(0x74, 0xC6, 0x8D);
/// Worth knowing.
pub(crate) const WARN: Color32 = Color32::from_rgb(0xE3, 0xB3, 0x5C);
/// Failed.
pub(crate) const BAD: Color32 = Color32::from_rgb(0xEE, 0x7F, 0x74);

/// Between things that belong together.
pub(crate) const GAP_SMALL: f32 = 4.0;
/// Between things in a card.
pub(crate) const GAP: f32 = 8.0;
/// Between cards and around panels.
pub(crate) const GAP_LARGE: f32 = 12.0;
/// Corners of buttons and fields.
pub(crate) const ROUND_SMALL: u8 = 5;
/// Corners of cards and dialogs.
pub(crate) const ROUND: u8 = 8;
/// Height of a button, a field, a row of a card.
pub(crate) const ROW: f32 = 26.0;
/// Height of the top bar.
pub(crate) const TOP_BAR: f32 = 46.0;
/// Height of a queue row.
pub(crate) const QUEUE_ROW: f32 = 48.0;
/// Width of the recipe panel.
pub(crate) const RECIPE_WIDTH: f32 = 312.0;
/// Width of the file list.
pub(crate) const FILES_WIDTH: f32 = 208.0;
/// Side of an icon, as a font size.
pub(crate) const ICON: f32 = 17.0;

/// Semi-bold Inter.
pub(crate) fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

/// A heading's text.
pub(crate) fn heading(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).family(semibold()).size(13.5).color(TEXT_STRONG)
}

/// A hint's text.
pub(crate) fn weak(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).size(12.0).color(TEXT_WEAK)
}

/// Loads fonts and style into `ctx`, once, before the first frame.
pub(crate) fn apply(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.set_theme(egui::Theme::Dark);
    ctx.all_styles_mut(style);
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let files: [(&str, &'static [u8]); 3] = [
        ("inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        ("inter-semibold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        ("phosphor", include_bytes!("../../../assets/fonts/Phosphor-subset.ttf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    if let Some(phosphor) = fonts.font_data.get_mut("phosphor") {
        // Phosphor draws on its baseline; this centres the icons on Inter's x-height.
        Arc::make_mut(phosphor).tweak.y_offset_factor = 0.04;
    }
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let stack = |first: &str| {
        let mut names = vec![first.to_owned(), "phosphor".to_owned()];
        names.extend(fallback.iter().cloned());
        names
    };
    fonts.families.insert(FontFamily::Proportional, stack("inter"));
    fonts.families.insert(semibold(), stack("inter-semibold"));
    fonts
}

fn style(style: &mut egui::Style) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(11.5)),
        (TextStyle::Body, FontId::proportional(13.0)),
        (TextStyle::Button, FontId::proportional(13.0)),
        (TextStyle::Monospace, FontId::monospace(12.0)),
        (TextStyle::Heading, FontId::new(17.0, semibold())),
    ]
    .into();
    style.animation_time = 0.1;
    style.url_in_tooltip = true;

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP_SMALL + 2.0);
    spacing.button_padding = vec2(9.0, 4.0);
    spacing.interact_size = vec2(ROW, ROW);
    spacing.window_margin = Margin::same(16);
    spacing.menu_margin = Margin::same(6);
    spacing.slider_rail_height = 4.0;
    spacing.combo_width = 120.0;
    spacing.icon_width = 16.0;
    spacing.icon_spacing = 7.0;
    spacing.tooltip_width = 320.0;
    spacing.scroll = egui::style::ScrollStyle::thin();

    let visuals = &mut style.visuals;
    *visuals = egui::Visuals::dark();
    visuals.panel_fill = PANEL;
    visuals.window_fill = PANEL;
    visuals.window_stroke = Stroke::new(1.0, OUTLINE);
    visuals.window_corner_radius = CornerRadius::same(ROUND + 2);
    visuals.menu_corner_radius = CornerRadius::same(ROUND);
    visuals.window_shadow = shadow(24);
    visuals.popup_shadow = shadow(14);
    visuals.extreme_bg_color = FIELD;
    visuals.faint_bg_color = Color32::from_gray(0x20);
    visuals.code_bg_color = FIELD;
    visuals.hyperlink_color = ACCENT;
    visuals.warn_fg_color = WARN;
    visuals.error_fg_color = BAD;
    visuals.weak_text_color = Some(TEXT_WEAK);
    visuals.selection.bg_fill = Color32::from_rgb(0x2B, 0x5E, 0x7C);
    visuals.selection.stroke = Stroke::new(1.0, Color32::WHITE);
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = egui::style::HandleShape::Circle;
    visuals.interact_cursor = None;
    visuals.striped = false;
    visuals.disabled_alpha = 0.45;

    let round = CornerRadius::same(ROUND_SMALL);
    let none = Stroke::NONE;
    let widgets = &mut visuals.widgets;
    for (state, fill, text) in [
        (&mut widgets.noninteractive, PANEL, TEXT),
        (&mut widgets.inactive, BUTTON, TEXT),
        (&mut widgets.hovered, BUTTON_HOVER, TEXT_STRONG),
        (&mut widgets.active, Color32::from_gray(0x44), TEXT_STRONG),
        (&mut widgets.open, BUTTON_HOVER, TEXT_STRONG),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = none;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = round;
        state.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
    // The rail of a slider is drawn in the inactive fill.
    widgets.inactive.bg_fill = Color32::from_gray(0x3C);
}

fn shadow(blur: u8) -> Shadow {
    Shadow { offset: [0, 4], blur, spread: 0, color: Color32::from_black_alpha(140) }
}

/// The frame of a card.
pub(crate) fn card_frame() -> egui::Frame {
    egui::Frame::new()
        .fill(CARD)
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(Margin::symmetric(12, 10))
}

/// The frame of a bar or side panel.
pub(crate) fn panel_frame(margin: i8) -> egui::Frame {
    egui::Frame::new().fill(PANEL).inner_margin(Margin::same(margin))
}

/// A square for an icon button.
pub(crate) fn icon_button_size() -> Vec2 {
    vec2(ROW + 2.0, ROW)
}
