//! Pointer, wheel, pinch and keys on the canvas.

use eframe::egui::{
    EventFilter, Key, Modifiers, PointerButton, Pos2, Rect, Response, Role, Sense, Ui, WidgetInfo,
    accesskit,
};

use super::paint::Pane;
use super::transform::Xy;
use super::view::View;

/// Wheel travel, in points, that zooms by e. A notch, 40 to 80 points, is a step of a fifth or so.
const POINTS_A_ZOOM: f64 = 320.0;

/// Screen pixels an arrow key moves the picture.
const ARROW_STEP: f64 = 60.0;

/// Half the width of the zone in which the split line can be caught, in points.
const GRIP: f32 = 10.0;

/// Whether Space means the canvas: it or nothing has the keyboard.
pub(super) fn space_is_held(ui: &Ui, canvas: &Response) -> bool {
    let is_ours = canvas.has_focus() || !ui.ctx().egui_wants_keyboard_input();
    is_ours && ui.input(|input| input.key_down(Key::Space) && input.modifiers.is_none())
}

/// Moves `view` as the hand on the canvas asks. `handle` is the split line's grip.
pub(super) fn navigate(
    view: &mut View,
    ui: &Ui,
    canvas: &Response,
    handle: Option<&Response>,
    panes: &[Pane],
    now: f64,
) {
    let Some(first) = panes.first() else { return };
    let pane_at = |pos: Pos2| panes.iter().find(|pane| pane.area.contains(pos)).unwrap_or(first);
    let scale = first.pixels_per_point;
    let screen = |points: eframe::egui::Vec2| [points.x, points.y].map(|v| f64::from(v) * scale);

    if canvas.contains_pointer()
        && let Some(pos) = ui.ctx().pointer_latest_pos()
    {
        let anchor = pane_at(pos).screen_from_point(pos);
        let (scroll, pinch, touch) =
            ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta(), i.multi_touch()));
        let factor = f64::from(pinch) * (f64::from(scroll.y) / POINTS_A_ZOOM).exp();
        if factor != 1.0 {
            view.zoom_by(factor, anchor, now);
        }
        // Shift turns the wheel sideways; two fingers move the picture.
        let slide = touch.map_or(eframe::egui::vec2(scroll.x, 0.0), |t| t.translation_delta);
        if slide != eframe::egui::Vec2::ZERO {
            view.pan(screen(slide), now);
        }
        if canvas.double_clicked() {
            view.toggle_actual_size(anchor, now);
        }
    }

    let is_dragged = [PointerButton::Primary, PointerButton::Middle]
        .into_iter()
        .any(|button| canvas.dragged_by(button))
        || handle.is_some_and(|handle| handle.dragged_by(PointerButton::Middle));
    if is_dragged {
        view.pan(screen(ui.input(|input| input.pointer.delta())), now);
    }

    if canvas.has_focus() {
        let filter = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(canvas.id, filter));
        let step = arrow_step(ui);
        if step != [0.0; 2] {
            view.pan(step, now);
        }
    }
}

fn arrow_step(ui: &Ui) -> Xy {
    ui.input_mut(|input| {
        let far = if input.modifiers.shift { 5.0 } else { 1.0 } * ARROW_STEP;
        let mut presses = |key| {
            let shifted = input.count_and_consume_key(Modifiers::SHIFT, key);
            (shifted + input.count_and_consume_key(Modifiers::NONE, key)) as f64
        };
        // The key says where to look: the picture moves the other way.
        [
            far * (presses(Key::ArrowLeft) - presses(Key::ArrowRight)),
            far * (presses(Key::ArrowUp) - presses(Key::ArrowDown)),
        ]
    })
}

/// The grip of the split line: moves `split` (`0..=1` of `area`'s width) by pointer, arrow keys and
/// assistive technology.
pub(super) fn split_handle(ui: &Ui, area: Rect, split: &mut f32) -> Response {
    let x = area.left() + area.width() * *split;
    let zone = Rect::from_x_y_ranges(x - GRIP..=x + GRIP, area.y_range()).intersect(area);
    let id = eframe::egui::Id::unique("limpid canvas split");
    let handle = ui.interact(zone, id, Sense::click_and_drag());

    let mut value = *split;
    if handle.dragged_by(PointerButton::Primary)
        && let Some(pos) = handle.interact_pointer_pos()
    {
        value = (pos.x - area.left()) / area.width();
    }
    if handle.double_clicked() {
        value = 0.5;
    }
    if handle.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        ui.input_mut(|input| {
            for (modifiers, step) in [(Modifiers::SHIFT, 0.1), (Modifiers::NONE, 0.01)] {
                value += input.count_and_consume_key(modifiers, Key::ArrowRight) as f32 * step;
                value -= input.count_and_consume_key(modifiers, Key::ArrowLeft) as f32 * step;
            }
        });
    }
    ui.input(|input| {
        let count = |action| input.num_accesskit_action_requests(id, action) as f32;
        value += 0.05 * (count(accesskit::Action::Increment) - count(accesskit::Action::Decrement));
        for request in input.accesskit_action_requests(id, accesskit::Action::SetValue) {
            if let Some(accesskit::ActionData::NumericValue(percent)) = request.data {
                value = percent as f32 / 100.0;
            }
        }
    });
    *split = value.clamp(0.0, 1.0);

    let percent = f64::from(*split) * 100.0;
    handle.widget_info(|| {
        WidgetInfo::slider(true, percent.round(), "Line between before and after, percent")
    });
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_role(Role::Slider);
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
        node.set_numeric_value_step(1.0);
        node.add_action(accesskit::Action::SetValue);
        node.add_action(accesskit::Action::Increment);
        node.add_action(accesskit::Action::Decrement);
    });
    handle
}
