//! What the engine tells the app.

use std::path::PathBuf;
use std::sync::Arc;

use limpid_nets::ModelCard;
use limpid_photo::Rect;
use serde::{Deserialize, Serialize};

/// A submitted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// One file of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId {
    /// The job it belongs to.
    pub job: JobId,
    /// Its place in the job, from 0.
    pub index: u32,
}

/// A file in the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which one.
    pub id: ItemId,
    /// The file to read.
    pub input: PathBuf,
}

/// What is being done to a file now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading and decoding.
    Reading,
    /// Looking at the whole picture once (noise level).
    Measuring,
    /// Running the steps, named for people: "Denoise, Upscale".
    Enhancing(String),
    /// Encoding and writing.
    Writing,
}

/// Why a file failed, coarse enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The input is missing or may not be read.
    Unreadable,
    /// The input is damaged.
    Damaged,
    /// The input is of a kind that Limpid does not do (CMYK, animation, HEIC).
    Unsupported,
    /// The picture does not fit the memory budget.
    TooLarge,
    /// The model is missing or does not fit.
    Model,
    /// The result cannot be written: folder read-only, vanished, disk full.
    Unwritable,
    /// A fault of the program, contained.
    Internal,
}

/// What is known of an opened picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureInfo {
    /// Columns, after orientation.
    pub width: u32,
    /// Rows, after orientation.
    pub height: u32,
    /// "JPEG", "PNG", …
    pub format: String,
    /// "8 bit RGB", "16 bit grey + alpha", …
    pub pixels: String,
    /// Name of the colour profile, when one is embedded.
    pub profile: Option<String>,
    /// "Fujifilm X-T3, 23 mm, f/2, 1/60 s, ISO 6400", as far as EXIF tells.
    pub camera: Option<String>,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Measured noise, standard deviation on the `0..=255` scale, once measured.
    pub noise_sigma: Option<f32>,
    /// Brightness histogram of the original.
    pub histogram: Arc<Histogram>,
}

/// Counts of 256 levels of red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram(pub [[u32; 256]; 3]);

/// Which picture a preview tile shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The original.
    Before,
    /// The result of the recipe.
    After,
    /// What the recipe removed, amplified around mid-grey.
    Removed,
}

/// A piece of a picture for the screen: sRGB, 8 bit, RGBA, not premultiplied.
#[derive(Clone, Debug)]
pub struct PreviewTile {
    /// The `View` request it answers; older ones are stale.
    pub generation: u64,
    /// Which picture it shows.
    pub side: Side,
    /// Full size of the picture it is a piece of, in that picture's pixels.
    pub full: [u32; 2],
    /// The piece, in the pixels of `full`.
    pub rect: Rect,
    /// Pixels of `rgba` a side: smaller than `rect` where the screen needs less.
    pub size: [u32; 2],
    /// `size[0] * size[1] * 4` bytes.
    pub rgba: Arc<[u8]>,
}

/// What the engine tells the app, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// A job was taken in: its files, folders expanded, duplicates dropped. Sent again when a saved
    /// queue is taken up, then followed by how each of its ended files ended; and with further
    /// files when [`crate::Engine::resume_or_submit`] found some: known ids are known files.
    Queued {
        /// The job.
        job: JobId,
        /// Its files.
        items: Vec<Item>,
    },
    /// A small picture for the queue row.
    Thumbnail {
        /// Of which file.
        item: ItemId,
        /// Columns and rows.
        size: [u32; 2],
        /// sRGB RGBA bytes.
        rgba: Arc<[u8]>,
    },
    /// Work on a file began.
    Started {
        /// The file.
        item: ItemId,
    },
    /// Work on a file went on.
    Progress {
        /// The file.
        item: ItemId,
        /// What is being done now.
        stage: Stage,
        /// Share of this file that is done, `0..=1`.
        fraction: f32,
        /// Files of the whole queue that ended.
        files_done: u32,
        /// Files of the whole queue.
        files_total: u32,
        /// Estimate for the rest of the queue, once there is something to judge by.
        seconds_left: Option<f32>,
    },
    /// A result is in place.
    Finished {
        /// The file.
        item: ItemId,
        /// The result.
        output: PathBuf,
        /// Work time in seconds.
        seconds: f32,
        /// What the user should know: "ICC profile cannot be stored in BMP".
        notes: Vec<String>,
    },
    /// Nothing was done because the result is there already.
    Skipped {
        /// The file.
        item: ItemId,
        /// The file that is there.
        output: PathBuf,
    },
    /// A file failed; the rest goes on.
    Failed {
        /// The file.
        item: ItemId,
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        message: String,
    },
    /// A file was cancelled.
    Cancelled {
        /// The file.
        item: ItemId,
    },
    /// A file waits again, after [`crate::Engine::retry`].
    Waiting {
        /// The file.
        item: ItemId,
    },
    /// Files left the queue, after [`crate::Engine::remove_finished`] or
    /// [`crate::Engine::remove_ended`].
    Removed {
        /// The files.
        items: Vec<ItemId>,
    },
    /// Nothing is left to do, or the queue was paused.
    Idle,
    /// The picture of a `View` request was read. Comes again with the noise once that is measured.
    Opened {
        /// Which view.
        generation: u64,
        /// What is known of it.
        info: PictureInfo,
    },
    /// A piece of the preview.
    Preview(PreviewTile),
    /// Every piece of a view was sent.
    PreviewDone {
        /// Which view.
        generation: u64,
        /// Histogram of the result, when the whole of it was computed.
        histogram: Option<Arc<Histogram>>,
        /// Names of the models that were used, in step order.
        models: Vec<String>,
    },
    /// The picture of a view cannot be shown.
    PreviewFailed {
        /// Which view.
        generation: u64,
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        message: String,
    },
    /// A model is being fetched, imported or checked.
    ModelProgress {
        /// Its name, or the file's name for an import.
        model: String,
        /// Share that is done, `0..=1`, where it is known.
        fraction: Option<f32>,
    },
    /// A model was fetched or imported and can be used.
    ModelReady {
        /// Its card.
        card: Box<ModelCard>,
    },
    /// A model could not be fetched or imported.
    ModelFailed {
        /// Its name, or the file's name for an import.
        model: String,
        /// One sentence.
        message: String,
    },
    /// The installed models were checked against their hashes.
    ModelsVerified {
        /// One sentence a model that does not match; empty when all is well.
        problems: Vec<String>,
    },
}
