//! What the journal holds: one record a change of the queue. Applying all of them in order to an
//! empty [`crate::queue::Queue`] gives the queue.

use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{FailureKind, ItemId, JobId};
use crate::job::{Destination, Found, Job};
use crate::recipe::Recipe;

/// A change of the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first line: the format, and the number of the next job.
    Queue { version: u32, next_job: u64 },
    /// The queue was paused or resumed.
    Paused { paused: bool },
    /// A job was submitted. Its files follow; until [`Record::Sealed`] they are not complete.
    Job { job: JobId, spec: StoredJob },
    /// Files of a job.
    Items { job: JobId, items: Vec<StoredItem> },
    /// All files of a job are known; `count` were found, of which some may have been removed.
    Sealed { job: JobId, count: u32 },
    /// Work began, for the `attempt`th time; the result will go to `output`.
    Started { item: ItemId, output: StoredPath, attempt: u32 },
    /// The result is whole and about to be renamed into place, where `before` lay.
    Committing { item: ItemId, before: Option<Stamp> },
    /// The result is in place.
    Done { item: ItemId, output: StoredPath, seconds: f32, notes: Vec<String> },
    /// The result was there already.
    Skipped { item: ItemId, output: StoredPath },
    /// The file failed.
    Failed { item: ItemId, kind: FailureKind, message: String },
    /// The file was cancelled.
    Cancelled { item: ItemId },
    /// The file waits again, as if it had never been tried.
    Waiting { item: ItemId },
    /// Files left the queue.
    Removed { items: Vec<ItemId> },
}

impl Record {
    /// The journal format that this program writes and reads.
    pub(crate) const VERSION: u32 = 1;
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredItem {
    pub(crate) index: u32,
    pub(crate) input: StoredPath,
    #[serde(default)]
    pub(crate) below: StoredPath,
}

impl StoredItem {
    pub(crate) fn new(index: u32, found: &Found) -> Self {
        let (input, below) = (StoredPath(found.input.clone()), StoredPath(found.below.clone()));
        Self { index, input, below }
    }

    pub(crate) fn found(self) -> Found {
        Found { input: self.input.0, below: self.below.0 }
    }
}

/// A job. The recipe's folder is kept beside it, because the recipe's own text form cannot hold
/// every path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredJob {
    inputs: Vec<StoredPath>,
    recursive: bool,
    recipe: Recipe,
    folder: Option<StoredPath>,
    file: Option<StoredPath>,
}

impl StoredJob {
    pub(crate) fn new(job: &Job) -> Self {
        let mut recipe = job.recipe.clone();
        let folder = recipe.output.folder.take().map(StoredPath);
        let file = match &job.destination {
            Destination::File(file) => Some(StoredPath(file.clone())),
            Destination::Recipe => None,
        };
        let inputs = job.inputs.iter().cloned().map(StoredPath).collect();
        Self { inputs, recursive: job.recursive, recipe, folder, file }
    }

    /// The job, unless its recipe is out of range: the journal may have been tampered with.
    pub(crate) fn job(self) -> Option<Job> {
        let mut recipe = self.recipe;
        recipe.output.folder = self.folder.map(|folder| folder.0);
        recipe.validate().ok()?;
        let destination = match self.file {
            Some(file) => Destination::File(file.0),
            None => Destination::Recipe,
        };
        let inputs = self.inputs.into_iter().map(|input| input.0).collect();
        Some(Job { inputs, recursive: self.recursive, recipe, destination })
    }
}

/// What a file was like: tells a new file from the one that lay in its place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    modified_ns: u64,
    /// 0 where the system has none.
    inode: u64,
}

impl Stamp {
    /// Of the file at `path`, when there is one.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        let since_1970 = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok();
        let modified_ns = since_1970.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { bytes: metadata.len(), modified_ns, inode })
    }
}

/// A path in JSON: a string where it is Unicode, else `{"raw": "…"}` with the system's own units in
/// hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredPath(pub(crate) PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathText {
    Text(String),
    Raw { raw: String },
}

impl Serialize for StoredPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self.0.to_str() {
            Some(text) => PathText::Text(text.to_owned()),
            None => PathText::Raw { raw: raw::to_hex(&self.0) },
        };
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match PathText::deserialize(deserializer)? {
            PathText::Text(text) => Ok(Self(text.into())),
            PathText::Raw { raw } => {
                raw::from_hex(&raw).map(Self).ok_or_else(|| D::Error::custom("not a stored path"))
            }
        }
    }
}

#[cfg(unix)]
mod raw {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    pub(super) fn to_hex(path: &Path) -> String {
        path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn from_hex(text: &str) -> Option<PathBuf> {
        let units = super::parse_units(text, 2)?;
        let bytes = units.into_iter().map(u8::try_from).collect::<Result<_, _>>().ok()?;
        Some(OsString::from_vec(bytes).into())
    }
}

#[cfg(windows)]
mod raw {
    use std::ffi::OsString;
    use std::os::windows::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    pub(super) fn to_hex(path: &Path) -> String {
        path.as_os_str().encode_wide().map(|unit| format!("{unit:04x}")).collect()
    }

    pub(super) fn from_hex(text: &str) -> Option<PathBuf> {
        Some(OsString::from_wide(&super::parse_units(text, 4)?).into())
    }
}

/// Numbers of `digits` hexadecimal digits each.
fn parse_units(text: &str, digits: usize) -> Option<Vec<u16>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(digits) || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    bytes
        .chunks_exact(digits)
        .map(|unit| std::str::from_utf8(unit).ok().and_then(|u| u16::from_str_radix(u, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(path: &Path) -> PathBuf {
        let text = serde_json::to_string(&StoredPath(path.to_owned())).unwrap();
        serde_json::from_str::<StoredPath>(&text).unwrap().0
    }

    #[test]
    fn paths_come_back() {
        for path in ["", "a b", "ünï/☃ 🎞.jpg", "quote\"\n\\"] {
            assert_eq!(back(Path::new(path)), Path::new(path));
        }
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_unicode_come_back() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/caf\xe9/\xff\xfe.jpg"));
        assert_eq!(back(path), path);
        for wrong in ["{\"raw\":\"abc\"}", "{\"raw\":\"zz\"}", "{\"raw\":\"+1\"}", "7"] {
            assert!(serde_json::from_str::<StoredPath>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_job_comes_back_with_its_folder() {
        let mut recipe = Recipe::new([]);
        recipe.output.folder = Some("/out".into());
        let job = Job {
            inputs: vec!["/a".into(), "/b".into()],
            recursive: true,
            recipe,
            destination: Destination::File("/c".into()),
        };
        let text = serde_json::to_string(&StoredJob::new(&job)).unwrap();
        let stored: StoredJob = serde_json::from_str(&text).unwrap();
        assert_eq!(stored.job(), Some(job));
    }
}
