//! The work on one picture: read, measure, compute tile by tile, write.

mod behind;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use limpid_kernels::{Planes, ShapeError};
use limpid_photo::settings::{OutputFormat, StepSettings};
use limpid_photo::{
    Chain, EncodeOptions, FileFormat, Measured, PhotoError, Picture, Rect, decode, encode,
};

use crate::event::{FailureKind, Stage};
use crate::job::Destination;
use crate::recipe::{Gps, Recipe};
use crate::screen::Screen;
use crate::tile_cache::CachedTile;
use crate::tools::{Tools, failure_kind};
use crate::worker::{Control, Done, Processor, Stop, Task};

/// Share of a file's time that reading takes, and reading and measuring; roughly, for the bar.
const READ: f32 = 0.03;
const MEASURED: f32 = 0.06;
/// Where writing begins.
const COMPUTED: f32 = 0.97;

pub(crate) struct PhotoProcessor {
    tools: Arc<Tools>,
}

impl PhotoProcessor {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        Self { tools }
    }
}

impl Processor for PhotoProcessor {
    fn process(&mut self, task: &Task, control: &Control<'_>) -> Result<Done, Stop> {
        let input = task.found.input.as_path();
        let recipe = &task.job.recipe;
        let wanted = wanted_format(recipe, &task.job.destination);
        control.progress(Stage::Reading, 0.0);
        refuse_folder(input)?;
        // Told by the name alone, a result that is there already costs no decoding.
        let by_name = format_by_name(input).map(|format| format.written_as(wanted));
        if let Some(format) = by_name {
            control.choose_output(format)?;
        }
        let budget_bytes = self.tools.budget().queue;
        let cancel = control.cancel();
        let failed = |error: PhotoError| stop(error.at(input));

        let picture = self.tools.with(budget_bytes, cancel, |cx| decode(input, cx));
        let picture = picture.map_err(failed)?;
        control.between_tiles()?;
        let format = picture.format.written_as(wanted);
        let output = control.choose_output(format)?;
        let thumbnail = self
            .tools
            .with(budget_bytes, cancel, |cx| Screen::new(&picture).thumbnail(&picture, cx));
        if let Ok(CachedTile { size, rgba }) = thumbnail {
            control.thumbnail(size, rgba); // a row without one is no failure
        }

        control.progress(Stage::Measuring, READ);
        let steps: Vec<StepSettings> = recipe.enabled_steps().cloned().collect();
        let chain = Chain::build(&steps, &self.tools.library).map_err(failed)?;
        let measured = self.tools.with(budget_bytes, cancel, |cx| chain.measure(&picture, cx));
        let measured = measured.map_err(failed)?;
        control.between_tiles()?;

        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Stop::Failed {
                kind: FailureKind::Unwritable,
                message: format!("the folder cannot be made ({error}): {}", folder.display()),
            })?;
        }
        let size = chain.output_size(picture.width(), picture.height());
        let tiles = chain.tiles(&picture, budget_bytes);
        let band_rows = tiles.first().map_or(1, |tile| tile.height).max(1);
        let options = EncodeOptions {
            format,
            quality: recipe.output.quality,
            gps_strip: recipe.output.gps == Gps::Strip,
            band_rows,
        };
        let mut bands = Bands {
            tools: &self.tools,
            control,
            chain: &chain,
            picture: &picture,
            measured: &measured,
            budget_bytes,
            size,
            title: title(&steps),
            tiles,
            output: &output,
            done_pixels: 0,
        };
        control.progress(Stage::Enhancing(bands.title.clone()), MEASURED);
        let notes = behind::encode_behind(
            |next_band| {
                self.tools.with(budget_bytes, cancel, |cx| {
                    encode(&picture, size, &options, &output, &mut |_| next_band(), cx)
                })
            },
            |index| {
                let y = index as u32 * band_rows;
                let rows = band_rows.min(size.1.checked_sub(y).filter(|rows| *rows > 0)?);
                Some(bands.next(Rect::new(0, y, size.0, rows)))
            },
        );
        Ok(Done { output: output.clone(), notes: notes.map_err(failed)? })
    }
}

/// Computes the bands of the result.
struct Bands<'a> {
    tools: &'a Tools,
    control: &'a Control<'a>,
    chain: &'a Chain,
    picture: &'a Picture,
    measured: &'a Measured,
    budget_bytes: u64,
    size: (u32, u32),
    /// The steps for people.
    title: String,
    /// All tiles of the result, band by band.
    tiles: Vec<Rect>,
    output: &'a Path,
    done_pixels: u64,
}

impl Bands<'_> {
    fn next(&mut self, band: Rect) -> Result<Planes, PhotoError> {
        let mut whole: Option<Planes> = None;
        let first = self.tiles.partition_point(|tile| tile.bottom() <= band.y);
        for index in first..self.tiles.len() {
            let tile = self.tiles[index].intersect(band);
            if tile.is_empty() {
                break;
            }
            self.control.between_tiles()?;
            let planes = self.tools.with(self.budget_bytes, self.control.cancel(), |cx| {
                self.chain.render(self.picture, self.measured, tile, cx)
            })?;
            if tile == band {
                whole = Some(planes);
            } else {
                let whole = whole.get_or_insert_with(|| {
                    let (height, width) = (band.height as usize, band.width as usize);
                    Planes::zeros(planes.channels(), height, width)
                });
                paste(whole, &planes, (tile.x - band.x) as usize, (tile.y - band.y) as usize);
            }
            self.tell_progress(tile);
        }
        let whole = whole.ok_or_else(|| {
            PhotoError::from(ShapeError(format!("no tile covers the rows at {}", band.y)))
        })?;
        if band.bottom() >= self.size.1 {
            self.control.progress(Stage::Writing, COMPUTED);
            self.control.about_to_commit(self.output)?;
        }
        Ok(whole)
    }

    fn tell_progress(&mut self, tile: Rect) {
        self.done_pixels += u64::from(tile.width) * u64::from(tile.height);
        let all = (u64::from(self.size.0) * u64::from(self.size.1)).max(1);
        let share = self.done_pixels as f32 / all as f32;
        let fraction = MEASURED + (COMPUTED - MEASURED) * share;
        self.control.progress(Stage::Enhancing(self.title.clone()), fraction);
    }
}

/// Copies `tile` into `whole` at (`x`, `y`).
fn paste(whole: &mut Planes, tile: &Planes, x: usize, y: usize) {
    let (row, width) = (whole.width(), tile.width());
    for channel in 0..tile.channels() {
        let from = tile.plane(channel);
        let to = whole.plane_mut(channel);
        for (index, line) in from.chunks_exact(width).enumerate() {
            let start = (y + index) * row + x;
            to[start..start + width].copy_from_slice(line);
        }
    }
}

fn title(steps: &[StepSettings]) -> String {
    match steps {
        [] => "Copy".into(),
        steps => steps.iter().map(StepSettings::title).collect::<Vec<_>>().join(", "),
    }
}

/// The format that is asked for: a file that was named tells it by its extension.
fn wanted_format(recipe: &Recipe, destination: &Destination) -> OutputFormat {
    match (recipe.output.format, destination) {
        (OutputFormat::Same, Destination::File(file)) => match format_by_name(file) {
            Some(FileFormat::Jpeg) => OutputFormat::Jpeg,
            Some(FileFormat::Png) => OutputFormat::Png,
            Some(FileFormat::Tiff) => OutputFormat::Tiff,
            Some(FileFormat::Webp) => OutputFormat::Webp,
            Some(FileFormat::Bmp | FileFormat::Jxl) | None => OutputFormat::Same,
        },
        (format, _) => format,
    }
}

fn format_by_name(path: &Path) -> Option<FileFormat> {
    let extension = path.extension().and_then(OsStr::to_str)?;
    use FileFormat::{Bmp, Jpeg, Jxl, Png, Tiff, Webp};
    [Jpeg, Png, Tiff, Webp, Bmp, Jxl].into_iter().find(|format| format.has_extension(extension))
}

/// A folder comes here when none of its files is taken for a picture.
fn refuse_folder(input: &Path) -> Result<(), Stop> {
    if !input.is_dir() {
        return Ok(()); // what else may be wrong is told by the decoder
    }
    let message = format!("this is a folder without pictures: {}", input.display());
    Err(Stop::Failed { kind: FailureKind::Unreadable, message })
}

fn stop(error: PhotoError) -> Stop {
    match failure_kind(&error) {
        Some(kind) => {
            tracing::debug!(?error, "the file failed");
            Stop::Failed { kind, message: error.to_string() }
        }
        None => Stop::Cancelled,
    }
}

#[cfg(test)]
mod tests;
