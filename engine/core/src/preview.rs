//! The thread that shows a picture and what a recipe makes of it: the very tiles and models of the
//! real run, the visible part first.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use limpid_kernels::Cancel;
use limpid_photo::settings::StepSettings;
use limpid_photo::{
    Chain, Measured, NoiseLevel, PhotoError, Picture, Rect, RenderCache, decode, estimate_noise,
};

use crate::board::{Board, Request};
use crate::event::{Event, FailureKind, Histogram, PictureInfo, PreviewTile, Side};
use crate::recipe::Recipe;
use crate::record::Stamp;
use crate::screen::{self, Screen};
use crate::shared::Shared;
use crate::tile_cache::{CachedTile, TileCache, TileKey};
use crate::tile_plan;
use crate::tools::{Tools, failure_kind};

/// A request to show a picture and what a recipe makes of it; see [`crate::Engine::show`].
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Number of the request; every event that answers it carries it. A view that differs from the
    /// last one in `visible` alone may keep the number: what the app was sent stays good, and only
    /// what it does not have yet is sent, in the new order. With a new number everything is sent
    /// again, from memory where it was computed before.
    pub generation: u64,
    /// The picture.
    pub path: PathBuf,
    /// What is done to it; only the steps that are on count.
    pub recipe: Recipe,
    /// The part that can be seen, in pixels of the original.
    pub visible: Rect,
    /// Screen pixels for one pixel of the original.
    pub zoom: f32,
    /// Whether to send [`crate::Side::Removed`] instead of [`crate::Side::After`].
    pub removed: bool,
}

/// Longest side of the reduced whole picture that comes first.
const OVERVIEW: u32 = 2048;

/// Recipes whose tiles are told apart in the cache before all are forgotten.
const RECIPES_KEPT: usize = 64;

/// Why the work on a view ended early.
enum Stop {
    /// There is a newer view, or the engine closes.
    Superseded,
    Failed {
        kind: FailureKind,
        message: String,
    },
}

impl From<PhotoError> for Stop {
    fn from(error: PhotoError) -> Self {
        match failure_kind(&error) {
            Some(kind) => Self::Failed { kind, message: error.to_string() },
            None => Self::Superseded,
        }
    }
}

/// The open picture.
struct Open {
    path: PathBuf,
    stamp: Option<Stamp>,
    picture: Picture,
    screen: Screen,
    info: PictureInfo,
    noise: Option<NoiseLevel>,
    overview_level: u32,
    overview: CachedTile,
    /// Results of networks: a slider that only says how these are used costs no network.
    renders: RenderCache,
}

impl Open {
    fn full(&self) -> [u32; 2] {
        [self.picture.width(), self.picture.height()]
    }
}

/// A chain that was measured on the open picture.
struct Prepared {
    steps: Vec<StepSettings>,
    chain: Chain,
    measured: Measured,
}

struct Viewer<'a> {
    shared: &'a Shared,
    tools: &'a Tools,
    board: &'a Board,
    open: Option<Open>,
    prepared: Option<Prepared>,
    /// The steps that tiles in the cache were made with: their place here, from 1, is their key.
    known_steps: Vec<Vec<StepSettings>>,
    tiles: TileCache,
    /// What the app was sent for `sent_generation`.
    sent: HashSet<TileKey>,
    sent_generation: Option<u64>,
}

/// Shows views until the engine closes.
pub(crate) fn run(shared: &Shared, tools: &Tools, board: &Board) {
    let mut viewer = Viewer {
        shared,
        tools,
        board,
        open: None,
        prepared: None,
        known_steps: Vec::new(),
        tiles: TileCache::default(),
        sent: HashSet::new(),
        sent_generation: None,
    };
    while let Some((request, cancel)) = board.take() {
        let Request::Show(view) = request else {
            viewer.forget();
            continue;
        };
        let generation = view.generation;
        shared.set_view_urgent(true);
        let shown = catch_unwind(AssertUnwindSafe(|| viewer.show(&view, &cancel)));
        shared.set_view_urgent(false);
        let failed = match shown {
            Ok(Ok(()) | Err(Stop::Superseded)) => continue,
            Ok(Err(Stop::Failed { kind, message })) => (kind, message),
            Err(_) => {
                viewer.forget();
                let path = view.path.display();
                let message = format!("Limpid made a mistake with this picture: {path}");
                (FailureKind::Internal, message)
            }
        };
        let (kind, message) = failed;
        shared.outbox.tell(Event::PreviewFailed { generation, kind, message });
    }
}

impl Viewer<'_> {
    fn forget(&mut self) {
        self.open = None;
        self.prepared = None;
        self.known_steps.clear();
        self.tiles.clear();
        self.sent.clear();
        self.sent_generation = None;
    }

    fn show(&mut self, view: &View, cancel: &Cancel) -> Result<(), Stop> {
        let is_new = self.sent_generation != Some(view.generation);
        if is_new {
            self.sent.clear();
            self.sent_generation = None;
        }
        let mut open = self.open(view, cancel)?;
        let shown = self.show_open(view, &mut open, is_new, cancel);
        self.open = Some(open);
        shown
    }

    fn show_open(
        &mut self,
        view: &View,
        open: &mut Open,
        is_new: bool,
        cancel: &Cancel,
    ) -> Result<(), Stop> {
        let generation = view.generation;
        if is_new {
            self.shared.outbox.tell(Event::Opened { generation, info: open.info.clone() });
            self.sent_generation = Some(generation);
        }
        let whole = Rect::new(0, 0, open.full()[0], open.full()[1]);
        let overview =
            TileKey { steps: 0, side: Side::Before, level: open.overview_level, rect: whole };
        self.send(view, open.full(), overview, open.overview.clone())?;
        self.show_before(view, open, cancel)?;

        let steps: Vec<StepSettings> = view.recipe.enabled_steps().cloned().collect();
        if steps.is_empty() {
            let histogram = Some(Arc::clone(&open.info.histogram));
            let done = Event::PreviewDone { generation, histogram, models: Vec::new() };
            self.shared.outbox.tell(done);
            return Ok(());
        }
        let prepared = self.prepare(view, steps, open, cancel)?;
        let shown = self.show_after(view, open, &prepared, cancel);
        self.prepared = Some(prepared);
        shown
    }

    /// The picture of `view`, read unless it is open and its file the same.
    fn open(&mut self, view: &View, cancel: &Cancel) -> Result<Open, Stop> {
        let stamp = Stamp::of(&view.path);
        if let Some(open) = self.open.take()
            && open.path == view.path
            && open.stamp == stamp
        {
            return Ok(open);
        }
        self.prepared = None;
        self.known_steps.clear();
        self.tiles.clear();
        let budget = self.tools.budget();
        let open = self.tools.with(budget.view, cancel, |cx| {
            let picture = decode(&view.path, cx)?;
            let full = [picture.width(), picture.height()];
            let screen = Screen::new(&picture);
            let info = screen::describe(&picture, &view.path, cx)?;
            let overview_level = tile_plan::level_within(full, OVERVIEW);
            let overview = screen.overview(&picture, overview_level, cx)?;
            Ok(Open {
                path: view.path.clone(),
                stamp,
                picture,
                screen,
                info,
                noise: None,
                overview_level,
                overview,
                renders: RenderCache::new(budget.tiles / 2),
            })
        });
        open.map_err(|error: PhotoError| error.at(&view.path).into())
    }

    /// The original as sharp as the screen, where the overview is not.
    fn show_before(&mut self, view: &View, open: &Open, cancel: &Cancel) -> Result<(), Stop> {
        let level = tile_plan::level(view.zoom);
        if level >= open.overview_level {
            return Ok(());
        }
        let plan = tile_plan::ordered(open.full(), view.visible);
        for rect in &plan.tiles[..plan.visible_count] {
            self.check()?;
            let key = TileKey { steps: 0, side: Side::Before, level, rect: *rect };
            let tile = match self.tiles.get(&key) {
                Some(tile) => tile,
                None => {
                    let planes = open.picture.raster.read(*rect)?;
                    let tile = self.tools.with(0, cancel, |cx| open.screen.tile(planes, level, cx));
                    self.keep(key, tile?)
                }
            };
            self.send(view, open.full(), key, tile)?;
        }
        Ok(())
    }

    /// The chain of `steps`, measured.
    fn prepare(
        &mut self,
        view: &View,
        steps: Vec<StepSettings>,
        open: &mut Open,
        cancel: &Cancel,
    ) -> Result<Prepared, Stop> {
        if let Some(prepared) = self.prepared.take()
            && prepared.steps == steps
        {
            return Ok(prepared);
        }
        self.check()?;
        let budget_bytes = self.tools.budget().view;
        let noise = match open.noise {
            Some(noise) => noise,
            None => {
                let noise = self
                    .tools
                    .with(budget_bytes, cancel, |cx| estimate_noise(&open.picture.raster, cx))?;
                open.noise = Some(noise);
                open.info.noise_sigma = Some(noise.sigma);
                let info = open.info.clone();
                self.shared.outbox.tell(Event::Opened { generation: view.generation, info });
                noise
            }
        };
        let chain = Chain::build(&steps, &self.tools.library)?;
        let measured = self
            .tools
            .with(budget_bytes, cancel, |cx| chain.measure_from(&open.picture, noise, cx))?;
        Ok(Prepared { steps, chain, measured })
    }

    fn show_after(
        &mut self,
        view: &View,
        open: &Open,
        prepared: &Prepared,
        cancel: &Cancel,
    ) -> Result<(), Stop> {
        let (width, height) = prepared.chain.output_size(open.full()[0], open.full()[1]);
        let full = [width, height];
        let steps = self.key_of(&prepared.steps);
        let side = if view.removed { Side::Removed } else { Side::After };
        let enlarged = f64::from(width) / f64::from(open.full()[0].max(1));
        let level = tile_plan::level((f64::from(view.zoom) / enlarged) as f32);
        let plan = tile_plan::ordered(full, tile_plan::scaled(view.visible, open.full(), full));
        // Beyond what can be kept, the rest of the picture would push out what was computed.
        let mut room = self.tools.budget().tiles / 2;
        let mut keys = Vec::new();
        for (index, rect) in plan.tiles.iter().enumerate() {
            if index == plan.visible_count {
                self.shared.set_view_urgent(false);
            }
            self.check()?;
            let key = TileKey { steps, side, level, rect: *rect };
            let tile = match self.tiles.get(&key) {
                Some(tile) => tile,
                None => {
                    let tile = self.compute(view, open, prepared, key, cancel)?;
                    self.keep(key, tile)
                }
            };
            room = room.saturating_sub(tile.bytes());
            if room == 0 && index >= plan.visible_count {
                break;
            }
            self.send(view, full, key, tile)?;
            keys.push(key);
        }
        let is_whole = keys.len() == plan.tiles.len() && side == Side::After;
        let histogram = if is_whole { self.histogram(&keys) } else { None };
        let models = prepared.chain.models();
        let generation = view.generation;
        self.shared.outbox.tell(Event::PreviewDone { generation, histogram, models });
        Ok(())
    }

    fn compute(
        &self,
        view: &View,
        open: &Open,
        prepared: &Prepared,
        key: TileKey,
        cancel: &Cancel,
    ) -> Result<CachedTile, Stop> {
        let budget_bytes = self.tools.budget().view;
        let tile = self.tools.with(budget_bytes, cancel, |cx| {
            let Prepared { chain, measured, .. } = prepared;
            let mut planes =
                chain.render_cached(&open.picture, measured, key.rect, cx, &open.renders)?;
            if view.removed {
                let full = chain.output_size(open.full()[0], open.full()[1]);
                planes = screen::removed(&open.picture.raster, &planes, key.rect, full, cx)?;
            }
            open.screen.tile(planes, key.level, cx)
        });
        tile.map_err(|error| error.at(&open.path).into())
    }

    /// The number that tells tiles of these steps from those of others.
    fn key_of(&mut self, steps: &[StepSettings]) -> u64 {
        let known = self.known_steps.iter().position(|known| known == steps);
        let index = known.unwrap_or_else(|| {
            if self.known_steps.len() >= RECIPES_KEPT {
                self.known_steps.clear();
                self.tiles.clear();
            }
            self.known_steps.push(steps.to_vec());
            self.known_steps.len() - 1
        });
        index as u64 + 1
    }

    fn keep(&mut self, key: TileKey, tile: CachedTile) -> CachedTile {
        self.tiles.insert(key, tile.clone(), self.tools.budget().tiles / 2);
        tile
    }

    fn check(&self) -> Result<(), Stop> {
        if self.board.is_superseded() { Err(Stop::Superseded) } else { Ok(()) }
    }

    /// Sends a tile that the app does not have yet.
    fn send(
        &mut self,
        view: &View,
        full: [u32; 2],
        key: TileKey,
        tile: CachedTile,
    ) -> Result<(), Stop> {
        if self.sent.contains(&key) {
            return Ok(());
        }
        let CachedTile { size, rgba } = tile;
        let (side, rect) = (key.side, key.rect);
        let tile = PreviewTile { generation: view.generation, side, full, rect, size, rgba };
        let outbox = &self.shared.outbox;
        if !outbox.has_room_for_pictures() {
            // Nobody looks: a window that is hidden reads no events, and must not hold the queue.
            self.shared.set_view_urgent(false);
        }
        if !outbox.tell_when_room(Event::Preview(tile), || self.board.is_superseded()) {
            return Err(Stop::Superseded);
        }
        self.sent.insert(key);
        Ok(())
    }

    /// Counts the levels of a whole result as it was sent; none when a tile is gone meanwhile.
    fn histogram(&mut self, keys: &[TileKey]) -> Option<Arc<Histogram>> {
        let mut counts = Histogram([[0; 256]; 3]);
        for key in keys {
            let tile = self.tiles.get(key)?;
            for pixel in tile.rgba.chunks_exact(4) {
                for (channel, value) in counts.0.iter_mut().zip(pixel) {
                    let count = &mut channel[usize::from(*value)];
                    *count = count.saturating_add(1);
                }
            }
        }
        Some(Arc::new(counts))
    }
}

#[cfg(test)]
mod tests;
