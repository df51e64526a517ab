//! A frame of the canvas: where everything is, what is drawn, what is asked of the engine.

use eframe::egui::{
    Align2, Color32, CursorIcon, FontId, Painter, Pos2, Rect, Response, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use limpid_engine::Side;

use super::compose::{Composition, Coverage, Piece, Span, compose};
use super::paint::{self, Pane, TilePainter};
use super::textures::{Filter, Wish};
use super::transform::{Placement, Xy, zoom_stop, zoom_text};
use super::{Action, CanvasResponse, CanvasState, LensShape, Mode, ViewPort, input, overlay};
use crate::window::theme;

/// Radius of the lens, in points.
const LENS_RADIUS: f32 = 130.0;

/// A lens that did not move for this long is at rest, in seconds.
const LENS_REST_SECS: f32 = 0.18;

/// The dark line between the pictures side by side, in points.
const GUTTER: f32 = 4.0;

/// How long the canvas waits before it says so, in seconds: answers from memory are faster.
const PATIENCE_SECS: f64 = 0.35;

/// Which picture a layer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Before,
    /// The result where it is there, else the original.
    After,
    Removed,
}

/// A part of the canvas that shows one picture.
#[derive(Clone, Debug)]
struct Layer {
    pane: Pane,
    /// Convex outline, in points.
    clip: Vec<Pos2>,
    /// Smallest rectangle around `clip`.
    bounds: Rect,
    shows: Shows,
    /// Whether it is a half of the lens.
    is_lens: bool,
}

impl Layer {
    fn new(pane: Pane, bounds: Rect, shows: Shows) -> Self {
        Self { pane, clip: paint::outline(bounds), bounds, shows, is_lens: false }
    }
}

pub(super) fn canvas_ui(state: &mut CanvasState, ui: &mut Ui) -> CanvasResponse {
    state.frame += 1;
    let now = ui.input(|input| input.time);
    let area = snapped(ui.available_rect_before_wrap(), ui.pixels_per_point());
    ui.advance_cursor_after_rect(area);
    let id = eframe::egui::Id::unique("limpid canvas");
    let response = ui.interact(area, id, Sense::click_and_drag());
    let painter = ui.painter_at(area);
    painter.rect_filled(area, 0, theme::CANVAS);

    if state.shown.is_none() || area.width() < 1.0 || area.height() < 1.0 {
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Picture, none opened"));
        opening_note(state, ui, &painter, area, now);
        return CanvasResponse { response, view: None, view_changed: false, removed: false };
    }

    let handle = act(state, ui, &response, area, now);
    let panes = panes(state, ui, area);
    let layers = layers(state, ui, &response, area, &panes);
    let waits = upload(state, ui, &layers);
    draw(state, &painter, &layers);
    overlays(state, ui, &painter, area, &layers, handle.as_ref(), now);
    describe(state, &response);

    let rest_in_secs = state.view.rest_in_secs(now).or(lens_rest_in_secs(ui, &layers));
    let (view, view_changed) = report(state, &layers, rest_in_secs.is_none());
    if waits {
        ui.ctx().request_repaint();
    } else if let Some(rest_in_secs) = rest_in_secs {
        ui.ctx().request_repaint_after_secs(rest_in_secs as f32);
    }
    let removed = state.settings.mode == Mode::Removed;
    CanvasResponse { response, view, view_changed, removed }
}

/// Corners on whole screen pixels.
fn snapped(rect: Rect, pixels_per_point: f32) -> Rect {
    let snap = |p: Pos2| (p * pixels_per_point).round() / pixels_per_point;
    Rect::from_min_max(snap(rect.min), snap(rect.max))
}

/// Lets hand and keys act on the view. Returns the split line's grip.
fn act(
    state: &mut CanvasState,
    ui: &Ui,
    response: &Response,
    area: Rect,
    now: f64,
) -> Option<Response> {
    if response.clicked() || response.drag_started() {
        response.request_focus();
        state.focused_by_keys = false;
    } else if response.gained_focus() {
        state.focused_by_keys = true;
    }
    state.focused_by_keys &= response.has_focus();
    let space = input::space_is_held(ui, response);
    let pressed = ui.input(|input| input.pointer.any_down());
    // Space with a drag moves the picture; that is no wish to see the original.
    state.is_held = (space && !pressed) || std::mem::take(&mut state.hold_button_down);

    let has_line = state.settings.mode == Mode::Split && !state.is_held && !space;
    let handle = has_line.then(|| input::split_handle(ui, area, &mut state.settings.split));

    let layout = panes(state, ui, area);
    state.view.set_viewport(layout[0].size());
    for action in std::mem::take(&mut state.actions) {
        let middle = state.view.viewport().map(|side| side / 2.0);
        match action {
            Action::Fit => state.view.fit(now),
            Action::ActualSize => state.view.zoom_to(1.0, middle, now),
            Action::Zoom(direction) => {
                let zoom = zoom_stop(state.view.target_zoom(), direction);
                state.view.zoom_to(zoom, middle, now);
            }
        }
    }
    input::navigate(&mut state.view, ui, response, handle.as_ref(), &layout, now);
    if state.view.step(now) {
        ui.ctx().request_repaint();
    }

    if handle.as_ref().is_some_and(|handle| handle.hovered() || handle.dragged()) {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    } else if response.dragged() {
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    } else if response.hovered() {
        let size = state.view.picture().map(|side| side * state.view.placement().zoom);
        let moves = (0..2).any(|axis| size[axis] > state.view.viewport()[axis] + 0.5);
        let lens = state.settings.lens.is_on;
        ui.ctx().set_cursor_icon(match (lens, moves || space) {
            (true, _) => CursorIcon::Crosshair,
            (false, true) => CursorIcon::Grab,
            (false, false) => CursorIcon::Default,
        });
    }
    handle
}

/// The windows onto the picture: one, or two side by side.
fn panes(state: &CanvasState, ui: &Ui, area: Rect) -> Vec<Pane> {
    let scale = ui.pixels_per_point();
    let pane = |area: Rect| Pane {
        area: snapped(area, scale),
        placement: state.view.placement(),
        pixels_per_point: f64::from(scale),
    };
    if state.settings.mode == Mode::SideBySide {
        // Both of one size to the pixel, or the right one would show another part.
        let width = ((area.width() - GUTTER) / 2.0 * scale).floor() / scale;
        let size = vec2(width, area.height());
        let right = pos2(area.right() - width, area.top());
        vec![pane(Rect::from_min_size(area.min, size)), pane(Rect::from_min_size(right, size))]
    } else {
        vec![pane(area)]
    }
}

fn layers(
    state: &CanvasState,
    ui: &Ui,
    response: &Response,
    area: Rect,
    panes: &[Pane],
) -> Vec<Layer> {
    let pane = panes[0];
    let mut layers = match state.settings.mode {
        _ if state.is_held => {
            panes.iter().map(|pane| Layer::new(*pane, pane.area, Shows::Before)).collect()
        }
        Mode::Before => vec![Layer::new(pane, area, Shows::Before)],
        Mode::After => vec![Layer::new(pane, area, Shows::After)],
        Mode::Removed => vec![Layer::new(pane, area, Shows::Removed)],
        Mode::Split => {
            let x = split_x(state, area, ui.pixels_per_point());
            let left = Rect::from_min_max(area.min, pos2(x, area.bottom()));
            let right = Rect::from_min_max(pos2(x, area.top()), area.max);
            vec![Layer::new(pane, left, Shows::Before), Layer::new(pane, right, Shows::After)]
        }
        Mode::SideBySide => vec![
            Layer::new(panes[0], panes[0].area, Shows::Before),
            Layer::new(panes[1], panes[1].area, Shows::After),
        ],
    };
    layers.extend(lens_layers(state, ui, response, panes).into_iter().flatten());
    layers
}

/// Screen position of the split line, between two screen pixels.
fn split_x(state: &CanvasState, area: Rect, pixels_per_point: f32) -> f32 {
    let x = area.left() + area.width() * state.settings.split;
    (x * pixels_per_point).round() / pixels_per_point
}

/// The lens: its left half shows the original, its right half the result, of the same spot.
fn lens_layers(
    state: &CanvasState,
    ui: &Ui,
    response: &Response,
    panes: &[Pane],
) -> Option<Vec<Layer>> {
    let lens = state.settings.lens;
    if !lens.is_on || !response.contains_pointer() || response.dragged() {
        return None;
    }
    let centre = ui.ctx().pointer_latest_pos()?;
    let under = panes.iter().find(|pane| pane.area.contains(centre))?;
    let spot = under.picture_from_point(centre);
    let size = state.view.picture();
    if (0..2).any(|axis| spot[axis] < 0.0 || spot[axis] > size[axis]) {
        return None;
    }
    let pixel = under.pixels_per_point as f32;
    let centre = (centre * pixel).round() / pixel;
    let square = Rect::from_center_size(centre, vec2(2.0 * LENS_RADIUS, 2.0 * LENS_RADIUS));
    let zoom = f64::from(lens.zoom);
    // Its own pane with the spot in the middle.
    let half = f64::from(LENS_RADIUS) * under.pixels_per_point;
    let placement = Placement { zoom, origin: spot.map(|value| half - value * zoom) }.snapped();
    let pane = Pane { area: square, placement, pixels_per_point: under.pixels_per_point };
    let shape = match lens.shape {
        LensShape::Round => paint::circle(centre, LENS_RADIUS),
        LensShape::Square => paint::outline(square),
    };
    let half = |low: f32, high: f32, shows| {
        let bounds = Rect::from_x_y_ranges(low..=high, square.y_range());
        Layer { pane, clip: paint::cut(&shape, bounds), bounds, shows, is_lens: true }
    };
    Some(match (state.is_held, state.settings.mode) {
        (true, _) | (_, Mode::Before) => vec![half(square.left(), square.right(), Shows::Before)],
        (_, Mode::Removed) => vec![half(square.left(), square.right(), Shows::Removed)],
        _ => vec![
            half(square.left(), centre.x, Shows::Before),
            half(centre.x, square.right(), Shows::After),
        ],
    })
}

/// The tiles that a layer may show.
fn pieces(state: &CanvasState, shows: Shows) -> Vec<Piece> {
    let rank = |recipe| state.requests.rank(recipe);
    let originals = state.store.pieces(Side::Before, |_| 0);
    let results = |side| state.store.pieces(side, rank).filter(|piece| piece.rank > 0);
    match shows {
        Shows::Before => originals.collect(),
        Shows::After if !state.requests.has_effect() => originals.collect(),
        Shows::After => originals.chain(results(Side::After)).collect(),
        Shows::Removed if !state.requests.has_effect() => Vec::new(),
        Shows::Removed => results(Side::Removed).collect(),
    }
}

fn composition(state: &CanvasState, layer: &Layer, shows: Shows) -> Composition {
    compose(pieces(state, shows), layer.pane.span(layer.bounds), layer.pane.placement.zoom)
}

/// Makes textures for what the layers show; returns whether some are left for the next frame.
fn upload(state: &mut CanvasState, ui: &Ui, layers: &[Layer]) -> bool {
    let mut wishes = Vec::new();
    let add = |state: &CanvasState, indices: &[usize], layer: &Layer, to: &mut Vec<Wish>| {
        let zoom = layer.pane.placement.zoom;
        to.extend(indices.iter().filter_map(|index| {
            Some(Wish { index: *index, filter: Filter::of(state.store.get(*index)?, zoom) })
        }));
    };
    let mut refreshed = Vec::new();
    // The lens is last and where the eye is.
    for layer in layers.iter().rev() {
        let composition = composition(state, layer, layer.shows);
        add(state, &composition.wanted, layer, &mut wishes);
        add(state, &composition.draw, layer, &mut refreshed);
    }
    wishes.append(&mut refreshed);
    // What the split line or a held key would uncover, so that it is there at once.
    for layer in layers.iter().filter(|layer| !layer.is_lens) {
        let whole = Layer::new(layer.pane, layer.pane.area, layer.shows);
        for shows in [layer.shows, Shows::Before] {
            let composition = composition(state, &whole, shows);
            add(state, &composition.wanted, layer, &mut wishes);
            add(state, &composition.draw, layer, &mut wishes);
        }
    }
    let frame = state.frame;
    let is_left = state.uploader.run(ui.ctx(), &mut state.store, &wishes, frame);
    state.store.evict(frame, state.requests.recipe());
    if state.checker.is_none() {
        let dark = Color32::from_gray(0x3A);
        state.checker = Some(paint::checker(ui.ctx(), dark, Color32::from_gray(0x55)));
    }
    is_left
}

fn draw(state: &CanvasState, painter: &Painter, layers: &[Layer]) {
    for layer in layers {
        let clipped = painter.with_clip_rect(layer.bounds.intersect(painter.clip_rect()));
        let tiles = TilePainter {
            pane: layer.pane,
            clip: &layer.clip,
            painter: &clipped,
            checker: state.checker.as_ref(),
        };
        tiles.fill(theme::CANVAS);
        for index in composition(state, layer, layer.shows).draw {
            if let Some(tile) = state.store.get(index) {
                tiles.tile(tile);
            }
        }
    }
}

/// Which part of a layer's window shows the result of the current recipe with full detail.
fn enhanced(state: &CanvasState, layer: &Layer) -> Option<Coverage> {
    let side = match layer.shows {
        Shows::Before => return None,
        Shows::After => Side::After,
        Shows::Removed => Side::Removed,
    };
    let current = state.requests.rank(state.requests.recipe());
    let zoom = layer.pane.placement.zoom;
    let done: Vec<Span> = state
        .store
        .pieces(side, |recipe| state.requests.rank(recipe))
        .filter(|piece| piece.rank == current && piece.ready && piece.is_fine(zoom))
        .map(|piece| piece.span)
        .collect();
    let picture = Span::from_picture([0.0; 2], state.view.picture());
    let window = layer.pane.span(layer.bounds).intersect(picture);
    let mut coverage = Coverage::new(done.iter().copied(), window);
    for span in done {
        coverage.mark(span);
    }
    Some(coverage)
}

fn overlays(
    state: &mut CanvasState,
    ui: &Ui,
    painter: &Painter,
    area: Rect,
    layers: &[Layer],
    handle: Option<&Response>,
    now: f64,
) {
    let share = waiting(state, ui, painter, area, layers, now);
    // What is not there yet shows the original: the label must not call it the result.
    let coming = |name: &str| match share {
        Some(share) => format!("{name} · {:.0} %", (share * 100.0).floor()),
        None => name.to_owned(),
    };
    let (left, right) = (Align2::LEFT_TOP, Align2::RIGHT_TOP);
    match state.settings.mode {
        _ if state.is_held => overlay::label(painter, area, left, "Original"),
        Mode::After if share.is_none() => {}
        Mode::After => overlay::label(painter, area, right, &coming("After")),
        Mode::Before => overlay::label(painter, area, left, "Original"),
        Mode::Removed => {
            overlay::label(painter, area, left, &coming("Removed, amplified"));
        }
        Mode::Split => {
            let x = split_x(state, area, ui.pixels_per_point());
            let before = Rect::from_min_max(area.min, pos2(x, area.bottom()));
            let after = Rect::from_min_max(pos2(x, area.top()), area.max);
            overlay::label(painter, before, left, "Before");
            overlay::label(painter, after, right, &coming("After"));
            let is_hot = handle.is_some_and(|handle| handle.hovered() || handle.dragged());
            let has_focus = handle.is_some_and(Response::has_focus);
            overlay::split_line(painter, area, x, is_hot, has_focus);
        }
        Mode::SideBySide => {
            for (layer, text) in layers.iter().zip(["Before".to_owned(), coming("After")]) {
                overlay::label(painter, layer.bounds, left, &text);
            }
        }
    }
    if let Some(layer) = layers.last().filter(|layer| layer.is_lens) {
        let centre = layer.pane.area.center();
        let is_round = state.settings.lens.shape == LensShape::Round;
        let halves = layer.bounds != layer.pane.area;
        overlay::lens_frame(painter, centre, LENS_RADIUS, is_round, halves);
    }
    read_out(state, ui, painter, area, layers);
    if state.focused_by_keys {
        let stroke = Stroke::new(1.5, theme::ACCENT);
        painter.rect_stroke(area, 0, stroke, StrokeKind::Inside);
    }
}

/// Shows how far the result is, while it is coming, and returns it, `0..1`.
fn waiting(
    state: &mut CanvasState,
    ui: &Ui,
    painter: &Painter,
    area: Rect,
    layers: &[Layer],
    now: f64,
) -> Option<f32> {
    let coverage = layers
        .iter()
        .filter(|layer| !layer.is_lens && state.requests.has_effect())
        .find_map(|layer| Some((layer, enhanced(state, layer)?)));
    let Some((layer, coverage)) = coverage.filter(|(_, coverage)| coverage.share() < 1.0) else {
        state.waiting_since = None;
        return None;
    };
    let since = *state.waiting_since.get_or_insert(now);
    if now - since < PATIENCE_SECS {
        ui.ctx().request_repaint_after_secs((PATIENCE_SECS - (now - since)) as f32);
        return None;
    }
    let clipped = painter.with_clip_rect(layer.bounds.intersect(painter.clip_rect()));
    overlay::frontier(&clipped, &layer.pane, &coverage);
    overlay::progress(painter, area, coverage.share());
    Some(coverage.share())
}

/// Place, colours and zoom along the bottom.
fn read_out(state: &CanvasState, ui: &Ui, painter: &Painter, area: Rect, layers: &[Layer]) {
    let font = FontId::monospace(11.5);
    let bottom = area.bottom() - theme::GAP;
    let zoom = zoom_text(state.view.placement().zoom);
    let zoom = if state.view.is_fitted() { format!("Fit · {zoom}") } else { zoom };
    let corner = pos2(area.right() - theme::GAP, bottom);
    overlay::pill(painter, corner, Align2::RIGHT_BOTTOM, &zoom, font.clone(), theme::TEXT);

    let Some(pointer) = ui.ctx().pointer_hover_pos().filter(|pos| area.contains(*pos)) else {
        return;
    };
    let Some(layer) = layers.iter().find(|layer| layer.pane.area.contains(pointer)) else { return };
    let at: Xy = layer.pane.picture_from_point(pointer);
    let size = state.view.picture();
    if (0..2).any(|axis| at[axis] < 0.0 || at[axis] >= size[axis]) {
        return;
    }
    // The middle of the pixel, whatever part of it the pointer is over.
    let pixel = at.map(|value| value.floor() + 0.5);
    let mut text = format!("{:.0}, {:.0}   ", at[0].floor(), at[1].floor());
    text += &overlay::colour_text("before", state.store.colour(Side::Before, 0, pixel));
    if state.requests.has_effect() {
        let recipe = state.requests.recipe();
        text += "   ";
        text += &overlay::colour_text("after", state.store.colour(Side::After, recipe, pixel));
    }
    let corner = pos2(area.left() + theme::GAP, bottom);
    overlay::pill(painter, corner, Align2::LEFT_BOTTOM, &text, font, theme::TEXT);
}

fn opening_note(state: &mut CanvasState, ui: &Ui, painter: &Painter, area: Rect, now: f64) {
    let name = state.requests.path().and_then(|path| path.file_name());
    let Some(name) = name.filter(|_| state.is_waiting()) else {
        state.waiting_since = None;
        return;
    };
    let since = *state.waiting_since.get_or_insert(now);
    if now - since < PATIENCE_SECS {
        ui.ctx().request_repaint_after_secs((PATIENCE_SECS - (now - since)) as f32);
        return;
    }
    let text = format!("Opening {}", name.to_string_lossy());
    let font = FontId::proportional(13.0);
    painter.text(area.center(), Align2::CENTER_CENTER, text, font, theme::TEXT_WEAK);
}

/// The canvas in words, for assistive technology.
fn describe(state: &CanvasState, response: &Response) {
    let shows = match state.settings.mode {
        _ if state.is_held => "original",
        Mode::After => "result",
        Mode::Before => "original",
        Mode::Split => "before and after, divided by a line",
        Mode::SideBySide => "before and after, side by side",
        Mode::Removed => "what was removed",
    };
    let zoom = zoom_text(state.view.target_zoom());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Image, true, format!("Picture, {shows}, {zoom}"))
    });
}

/// Seconds until a moving lens counts as at rest; none when it does.
fn lens_rest_in_secs(ui: &Ui, layers: &[Layer]) -> Option<f64> {
    layers.last().filter(|layer| layer.is_lens)?;
    let still = ui.input(|input| input.pointer.time_since_last_movement());
    (still < LENS_REST_SECS).then_some(f64::from(LENS_REST_SECS - still))
}

/// What the engine should make first, and whether it should be asked anew. Where the lens is, that
/// spot is looked at.
fn report(state: &mut CanvasState, layers: &[Layer], is_resting: bool) -> (Option<ViewPort>, bool) {
    let Some(pane) = layers.last().map(|layer| layer.pane) else { return (None, false) };
    let view = ViewPort {
        visible: pane.placement.visible(state.view.picture(), pane.size()),
        zoom: pane.placement.zoom as f32,
    };
    let told = (view, state.settings.mode == Mode::Removed);
    let view_changed = is_resting && state.reported != Some(told) && !view.visible.is_empty();
    if view_changed {
        state.reported = Some(told);
    }
    (Some(view), view_changed)
}

/// Tiles drawn for the result with the whole picture in view, lowest first.
#[cfg(test)]
pub(super) fn drawn_results(state: &CanvasState) -> Vec<usize> {
    let all = Span::from_picture([0.0; 2], state.view.picture());
    compose(pieces(state, Shows::After), all, state.view.placement().zoom).draw
}
