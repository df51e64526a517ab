//! The time axis on the screen: ruler, play head, scroll bar, and the hands on them.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, PointerButton, Pos2, Rangef, Rect, Sense, Stroke,
    Ui, WidgetInfo, pos2,
};
use limpid_engine::studio::StudioCommand;

use super::super::state::Action;
use super::super::theme;
use super::axis::{Axis, time_text};
use super::state::VoiceState;

/// Height of the ruler.
pub(super) const RULER: f32 = 22.0;
/// Height of the scroll bar.
pub(super) const SCROLL_BAR: f32 = 8.0;
/// How much one step of the keys or buttons zooms.
const ZOOM_STEP: f64 = 1.6;

/// Wheel, pinch, click and drag over `area`; the axis lies over `screen` of it.
pub(super) fn hands_ui(
    ui: &mut Ui,
    area: Rect,
    screen: Rangef,
    state: &mut VoiceState,
    actions: &mut Vec<Action>,
) {
    let response = ui.interact(area, ui.scope_id().with("timeline"), Sense::click_and_drag());
    let position = state.position();
    response.widget_info(|| WidgetInfo::slider(true, position, "Position"));
    let axis = &mut state.axis;
    let per_point = axis.span() / f64::from(screen.span().max(1.0));

    if response.contains_pointer() {
        let (zoom, wheel, pointer) = ui.input(|input| {
            (input.zoom_delta(), input.smooth_scroll_delta(), input.pointer.hover_pos())
        });
        if let Some(pointer) = pointer
            && zoom != 1.0
        {
            let second = axis.second_at(pointer.x, screen);
            axis.zoom(second, f64::from(zoom));
        } else {
            axis.scroll(-f64::from(wheel.x + wheel.y) * per_point);
        }
    }
    if response.dragged_by(PointerButton::Middle) {
        axis.scroll(-f64::from(response.drag_delta().x) * per_point);
        ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
    }

    let holds = response.is_pointer_button_down_on()
        && ui.input(|input| input.pointer.button_down(PointerButton::Primary));
    let pointer = response.interact_pointer_pos();
    if let Some(pointer) = pointer
        && holds
    {
        let second = axis.second_at(pointer.x, screen);
        if state.scrub != Some(second) {
            state.scrub = Some(second);
            actions.push(Action::Studio(StudioCommand::Seek(second)));
        }
    } else if state.scrub.take().is_some() {
        // Until the player answers, the play head stays where it was let go.
        state.now.position = position;
    }
}

/// The ruler: times at equal distances.
pub(super) fn ruler_ui(ui: &Ui, rect: Rect, axis: &Axis) {
    let painter = ui.painter_at(rect.expand2(egui::vec2(24.0, 0.0)));
    let screen = rect.x_range();
    painter.hline(screen, rect.bottom() - 0.5, Stroke::new(1.0, theme::LINE));
    for mark in axis.marks(rect.width()) {
        let x = painter.round_to_pixel_center(axis.x_of(mark.second, screen));
        let height = if mark.label.is_some() { 6.0 } else { 3.0 };
        let stroke = Stroke::new(1.0, theme::OUTLINE);
        painter.vline(x, Rangef::new(rect.bottom() - height, rect.bottom()), stroke);
        if let Some(label) = mark.label {
            let place = pos2(x, rect.bottom() - 7.0);
            let font = FontId::proportional(11.0);
            painter.text(place, Align2::CENTER_BOTTOM, label, font, theme::TEXT_WEAK);
        }
    }
}

/// The line of the play head over all tracks, with its grip on the ruler.
pub(super) fn play_head_ui(ui: &Ui, area: Rect, screen: Rangef, state: &VoiceState) {
    let x = state.axis.x_of(state.position(), screen);
    if !screen.expand(0.5).contains(x) {
        return;
    }
    let painter = ui.painter();
    let x = painter.round_to_pixel_center(x);
    let top = area.top() + RULER - 9.0;
    // A dark edge keeps the line in sight over bright sound.
    let lines = Rangef::new(top, area.bottom());
    painter.vline(x, lines, Stroke::new(3.0, Color32::from_black_alpha(140)));
    painter.vline(x, lines, Stroke::new(1.0, theme::TEXT_STRONG));
    let grip = vec![
        pos2(x - 5.0, top),
        pos2(x + 5.0, top),
        pos2(x + 5.0, top + 4.0),
        pos2(x, top + 9.0),
        pos2(x - 5.0, top + 4.0),
    ];
    painter.add(egui::Shape::convex_polygon(grip, theme::TEXT_STRONG, Stroke::NONE));
}

/// The time under the pointer, on the ruler.
pub(super) fn pointer_time_ui(ui: &Ui, area: Rect, screen: Rangef, axis: &Axis) {
    let Some(pointer) = ui.input(|input| input.pointer.hover_pos()) else { return };
    if !area.contains(pointer) || !screen.contains(pointer.x) || !ui.rect_contains_pointer(area) {
        return;
    }
    let painter = ui.painter();
    let faint = Stroke::new(1.0, Color32::from_white_alpha(50));
    painter.vline(pointer.x, Rangef::new(area.top() + RULER, area.bottom()), faint);
    let step = axis.span() / f64::from(screen.span().max(1.0));
    let text = time_text(axis.second_at(pointer.x, screen), step);
    let galley = painter.layout_no_wrap(text, FontId::proportional(11.0), theme::TEXT_STRONG);
    let half = galley.size().x / 2.0;
    let x = pointer.x.clamp(screen.min + half, (screen.max - half).max(screen.min + half));
    let place = Pos2::new(x - half, area.top() + RULER - 7.0 - galley.size().y);
    let behind = Rect::from_min_size(place, galley.size()).expand2(egui::vec2(5.0, 1.0));
    painter.rect_filled(behind, CornerRadius::same(3), theme::BUTTON_HOVER);
    painter.galley(place, galley, theme::TEXT_STRONG);
}

/// The scroll bar: the part in sight within the whole.
pub(super) fn scroll_bar_ui(ui: &mut Ui, rect: Rect, axis: &mut Axis) {
    let response = ui.interact(
        rect.expand2(egui::vec2(0.0, 3.0)),
        ui.scope_id().with("time scroll"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo::labeled(egui::Role::ScrollBar, true, "Part in sight"));
    let (from, to) = axis.shares();
    if let Some(pointer) = response.interact_pointer_pos()
        && response.is_pointer_button_down_on()
        && !axis.is_fitted()
    {
        let share = f64::from((pointer.x - rect.left()) / rect.width().max(1.0));
        let whole = axis.span() / (to - from).max(1e-9);
        let grabs_outside = !(from..=to).contains(&share);
        if response.drag_started() && grabs_outside || response.clicked() {
            axis.scroll((share - (from + to) / 2.0) * whole);
        } else {
            let moved = f64::from(response.drag_delta().x / rect.width().max(1.0));
            axis.scroll(moved * whole);
        }
    }
    let (from, to) = axis.shares();
    let painter = ui.painter();
    let round = rect.height() / 2.0;
    painter.rect_filled(rect, round, theme::FIELD);
    let left = rect.left() + rect.width() * from as f32;
    let width = (rect.width() * (to - from) as f32).max(18.0);
    let left = left.min(rect.right() - width);
    let thumb = Rect::from_min_size(pos2(left, rect.top()), egui::vec2(width, rect.height()));
    let colour = match (axis.is_fitted(), response.hovered() || response.dragged()) {
        (true, _) => theme::LINE,
        (false, true) => Color32::from_gray(0x6A),
        (false, false) => Color32::from_gray(0x50),
    };
    painter.rect_filled(thumb, round, colour);
}

/// One step in or out around the play head while that is in sight, else around the middle.
pub(crate) fn zoom_step(state: &mut VoiceState, inwards: bool) {
    let (from, to) = (state.axis.from(), state.axis.to());
    let position = state.position();
    let second = if (from..=to).contains(&position) { position } else { (from + to) / 2.0 };
    state.axis.zoom(second, if inwards { ZOOM_STEP } else { 1.0 / ZOOM_STEP });
}
