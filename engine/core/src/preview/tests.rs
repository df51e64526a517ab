//! The preview thread against the real run: same picture, same models.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use limpid_photo::settings::{Denoise, Size, Strength, Upscale};

use super::*;
use crate::config::EngineConfig;
use crate::engine::Engine;
use crate::job::{Destination, Job};
use crate::testing;

struct Bench {
    dir: tempfile::TempDir,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = testing::library(dir.path());
        let engine =
            Engine::start(EngineConfig { threads: 2, ..EngineConfig::new(library) }).unwrap();
        Self { dir, engine }
    }

    fn picture(&self, name: &str, width: u32, height: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        testing::write_png(&path, width, height, 7);
        path
    }

    /// Shows `view` and collects what comes for it.
    fn show(&self, view: &View) -> Shown {
        self.engine.show(view.clone());
        self.collect(view.generation)
    }

    fn collect(&self, generation: u64) -> Shown {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut shown = Shown::default();
        loop {
            match self.engine.events().recv_deadline(deadline).expect("the view was answered") {
                Event::Preview(tile) if tile.generation == generation => shown.tiles.push(tile),
                Event::Opened { generation: of, info } if of == generation => {
                    assert!(shown.tiles.is_empty() || info.noise_sigma.is_some());
                    shown.opened.push(info);
                }
                Event::PreviewDone { generation: of, histogram, models } if of == generation => {
                    (shown.histogram, shown.models) = (histogram, models);
                    return shown;
                }
                Event::PreviewFailed { generation: of, kind, message } if of == generation => {
                    shown.failed = Some((kind, message));
                    return shown;
                }
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Shown {
    opened: Vec<PictureInfo>,
    tiles: Vec<PreviewTile>,
    histogram: Option<Arc<Histogram>>,
    models: Vec<String>,
    failed: Option<(FailureKind, String)>,
}

impl Shown {
    fn of(&self, side: Side) -> Vec<&PreviewTile> {
        self.tiles.iter().filter(|tile| tile.side == side).collect()
    }
}

fn denoise(strength: f32) -> StepSettings {
    let (strength, model) = (Strength::Fixed(strength), "tiny-denoise".into());
    StepSettings::Denoise(Denoise { strength, model, ..Denoise::default() })
}

fn upscale() -> StepSettings {
    StepSettings::Upscale(Upscale {
        size: Size::Scale(2),
        model: "tiny-upscale".into(),
        ..Upscale::default()
    })
}

fn view(generation: u64, path: &Path, steps: Vec<StepSettings>) -> View {
    View {
        generation,
        path: path.to_owned(),
        recipe: Recipe::new(steps),
        visible: Rect::new(600, 100, 300, 200),
        zoom: 1.0,
        removed: false,
    }
}

/// The tiles of one side put together: RGBA of `full`.
fn stitched(tiles: &[&PreviewTile]) -> Vec<u8> {
    let [width, height] = tiles[0].full.map(|side| side as usize);
    let mut whole = vec![0; width * height * 4];
    for tile in tiles {
        assert_eq!(tile.size, [tile.rect.width, tile.rect.height], "not reduced");
        let row_bytes = tile.rect.width as usize * 4;
        for (y, row) in tile.rgba.chunks_exact(row_bytes).enumerate() {
            let start = ((tile.rect.y as usize + y) * width + tile.rect.x as usize) * 4;
            whole[start..start + row_bytes].copy_from_slice(row);
        }
    }
    whole
}

#[test]
fn the_preview_is_the_result() {
    // Both cut the picture into tiles of their own, and a network's sums round by the tile: about
    // 1e-7, which now and then is a level of 255.
    const MOST_OFF: usize = 3;
    let bench = Bench::new();
    let path = bench.picture("a.png", 1100, 700);
    for (generation, steps) in [(1, vec![denoise(0.3)]), (2, vec![denoise(0.2), upscale()])] {
        // Sharp enough for each pixel of a result of twice the size.
        let view = View { zoom: 2.0, ..view(generation, &path, steps) };
        let shown = bench.show(&view);
        assert_eq!(shown.failed, None);
        let preview = stitched(&shown.of(Side::After));

        let output = bench.dir.path().join(format!("{generation}.png"));
        let (inputs, destination) = (vec![path.clone()], Destination::File(output.clone()));
        let job = Job { inputs, recursive: false, recipe: view.recipe, destination };
        bench.engine.submit(job).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !matches!(bench.engine.events().recv_deadline(deadline).unwrap(), Event::Idle) {}
        let result = testing::read(&output);
        let planes = result.raster.read(result.raster.rect()).unwrap();
        let mut histogram = [[0_u32; 256]; 3];
        for (channel, counts) in histogram.iter_mut().enumerate() {
            let levels: Vec<u8> =
                planes.plane(channel).iter().map(|value| (value * 255.0).round() as u8).collect();
            let shown: Vec<u8> = preview.iter().skip(channel).step_by(4).copied().collect();
            let pairs = || shown.iter().zip(&levels);
            let what = format!("channel {channel} of {generation}");
            assert_eq!(shown.len(), levels.len(), "{what}");
            assert!(pairs().all(|(a, b)| a.abs_diff(*b) <= 1), "{what}");
            let off = pairs().filter(|(a, b)| a != b).count();
            assert!(off <= MOST_OFF, "{what}: {off} of {}", levels.len());
            levels.iter().for_each(|level| counts[usize::from(*level)] += 1);
        }
        let counts = shown.histogram.unwrap().0;
        let pairs = counts.iter().flatten().zip(histogram.iter().flatten());
        let moved: u32 = pairs.map(|(a, b)| a.abs_diff(*b)).sum();
        // A sample that moves leaves one bin and enters another.
        assert!(moved as usize <= 2 * 3 * MOST_OFF, "{moved} in the histogram");
        assert_eq!(shown.models.len(), generation as usize);
    }
}

#[test]
fn the_visible_part_comes_first_and_nothing_is_computed_twice() {
    let bench = Bench::new();
    let path = bench.picture("a.png", 1100, 700);
    let first = bench.show(&view(1, &path, vec![denoise(0.3)]));
    let sides: Vec<Side> = first.tiles.iter().map(|tile| tile.side).collect();
    assert_eq!(sides[0], Side::Before);
    assert!(sides[1..].iter().all(|side| *side == Side::After), "the overview is sharp: {sides:?}");
    let rects: Vec<Rect> = first.of(Side::After).iter().map(|tile| tile.rect).collect();
    assert_eq!(rects.len(), 6);
    assert_eq!(rects[0], Rect::new(512, 0, 512, 512));
    assert_eq!(first.opened.len(), 2, "once as read, once with the noise");
    assert!(first.opened[1].noise_sigma.unwrap() > 5.0);

    // A moved view of the same number needs nothing it has; one of a new number is sent all
    // again, the very same memory.
    let mut moved = view(1, &path, vec![denoise(0.3)]);
    moved.visible = Rect::new(0, 0, 10, 10);
    assert!(bench.show(&moved).tiles.is_empty());
    moved.generation = 2;
    let again = bench.show(&moved);
    assert_eq!(again.of(Side::After)[0].rect, Rect::new(0, 0, 512, 512));
    let memory: HashMap<Rect, Arc<[u8]>> =
        first.of(Side::After).iter().map(|tile| (tile.rect, Arc::clone(&tile.rgba))).collect();
    for tile in again.of(Side::After) {
        assert!(Arc::ptr_eq(&tile.rgba, &memory[&tile.rect]), "{:?}", tile.rect);
    }
    // Other steps have other tiles.
    let other = bench.show(&view(3, &path, vec![denoise(0.9)]));
    assert!(other.of(Side::After).iter().any(|tile| tile.rgba != memory[&tile.rect]));
}

#[test]
fn a_far_view_is_reduced_and_a_near_one_of_a_large_picture_is_sharp() {
    let bench = Bench::new();
    let path = bench.picture("large.png", 2500, 300);
    let mut far = view(1, &path, vec![upscale()]);
    far.zoom = 0.25;
    far.visible = Rect::new(0, 0, u32::MAX, u32::MAX);
    let shown = bench.show(&far);
    assert_eq!(shown.of(Side::Before).len(), 1);
    assert_eq!(shown.of(Side::Before)[0].size, [1250, 150]);
    for tile in shown.of(Side::After) {
        // A quarter of the original is an eighth of a result of twice its size.
        assert_eq!(tile.full, [5000, 600]);
        assert_eq!(tile.size, [tile.rect.width.div_ceil(8), tile.rect.height.div_ceil(8)]);
    }
    let near = bench.show(&View { generation: 2, zoom: 1.0, ..far });
    let before = near.of(Side::Before);
    assert_eq!(before[0].size, [1250, 150]);
    assert!(before[1..].iter().all(|tile| tile.size == [tile.rect.width, tile.rect.height]));
    assert_eq!(before.len(), 1 + 5);
}

#[test]
fn what_was_removed_is_shown_around_grey() {
    let bench = Bench::new();
    let path = bench.picture("a.png", 300, 200);
    let mut removed = view(1, &path, vec![denoise(0.3)]);
    removed.removed = true;
    let shown = bench.show(&removed);
    let after = bench.show(&View { generation: 2, removed: false, ..removed });
    let (grey, after) = (stitched(&shown.of(Side::Removed)), stitched(&after.of(Side::After)));
    let before = testing::read(&path);
    let before = before.raster.read(before.raster.rect()).unwrap();
    for (index, value) in before.plane(1).iter().enumerate() {
        let change = value * 255.0 - f32::from(after[index * 4 + 1]);
        let wanted = (127.5 + 4.0 * change).clamp(0.0, 255.0);
        // The result is rounded to a level before it gets here, four times of which is two.
        assert!((f32::from(grey[index * 4 + 1]) - wanted).abs() <= 3.0, "pixel {index}");
    }
}

#[test]
fn a_view_that_cannot_be_shown_says_why() {
    let bench = Bench::new();
    let shown = bench.show(&view(1, &bench.dir.path().join("gone.png"), vec![]));
    let (kind, message) = shown.failed.unwrap();
    assert_eq!(kind, FailureKind::Unreadable);
    assert!(message.ends_with("gone.png"), "{message}");

    let path = bench.picture("a.png", 40, 30);
    let unknown = Denoise { model: "no-such".into(), ..Denoise::default() };
    let shown = bench.show(&view(2, &path, vec![StepSettings::Denoise(unknown)]));
    assert_eq!(shown.failed.as_ref().unwrap().0, FailureKind::Model);
    assert_eq!(shown.of(Side::Before).len(), 1, "the original is shown all the same");
    let shown = bench.show(&view(3, &path, vec![]));
    assert!(shown.failed.is_none() && shown.histogram.is_some());
}

#[test]
fn the_newest_view_wins() {
    let bench = Bench::new();
    let path = bench.picture("a.png", 1500, 1000);
    for generation in 1..=20 {
        bench.engine.show(view(generation, &path, vec![denoise(generation as f32 / 40.0)]));
    }
    let mut after_of_older = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match bench.engine.events().recv_deadline(deadline).unwrap() {
            Event::Preview(tile) if tile.generation < 20 && tile.side == Side::After => {
                after_of_older += 1;
            }
            Event::PreviewDone { generation, .. } => {
                assert_eq!(generation, 20);
                break;
            }
            _ => {}
        }
    }
    assert!(after_of_older < 12, "{after_of_older} tiles nobody waits for");
    // A changed file is read again.
    testing::write_png(&path, 64, 48, 1);
    let shown = bench.show(&view(21, &path, vec![]));
    assert_eq!((shown.opened[0].width, shown.opened[0].height), (64, 48));
}

#[test]
fn a_queue_gives_way_to_a_view_and_goes_on() {
    let bench = Bench::new();
    let path = bench.picture("a.png", 1200, 900);
    let output = bench.dir.path().join("out.png");
    let recipe = Recipe::new([denoise(0.3)]);
    let (inputs, destination) = (vec![path.clone()], Destination::File(output.clone()));
    bench.engine.submit(Job { inputs, recursive: false, recipe, destination }).unwrap();
    let other = bench.picture("b.png", 600, 400);
    bench.engine.show(view(1, &other, vec![denoise(0.2)]));
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut shown, mut idle) = (false, false);
    while !(shown && idle) {
        match bench.engine.events().recv_deadline(deadline).unwrap() {
            Event::PreviewDone { .. } => shown = true,
            Event::Idle => idle = true,
            _ => {}
        }
    }
    assert!(output.exists());
}
