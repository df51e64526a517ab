//! A job: which files, which recipe, where the results go; and how folders become files.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use limpid_kernels::{Cancel, Cancelled};

use crate::error::EngineError;
use crate::naming;
use crate::recipe::Recipe;

/// What is to be done to which files.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Files and folders. A file is kept whatever its name, so that one that is no picture fails
    /// in words; of a folder only files with an extension that suits the recipe are taken.
    pub inputs: Vec<PathBuf>,
    /// Whether subfolders are searched too.
    pub recursive: bool,
    /// What is done.
    pub recipe: Recipe,
    /// Where the result goes.
    pub destination: Destination,
}

/// Where results go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this file; the job has one input, a file. Its extension decides the format where the
    /// recipe says [`crate::OutputFormat::Same`].
    File(PathBuf),
    /// As [`crate::Output`] says: into its folder, or beside the input as "name-limpid.jpg".
    Recipe,
}

impl Job {
    /// Checks the job and makes its paths absolute, so that it means the same after a restart from
    /// another folder.
    ///
    /// # Errors
    /// [`EngineError::Recipe`], or [`EngineError::Job`] when there is no input, or several for one
    /// file.
    pub(crate) fn settle(mut self) -> Result<Self, EngineError> {
        self.recipe.validate()?;
        if self.inputs.is_empty() {
            return Err(EngineError::Job("no file was given".into()));
        }
        for path in &mut self.inputs {
            make_absolute(path);
        }
        if let Some(folder) = &mut self.recipe.output.folder {
            make_absolute(folder);
        }
        if let Destination::File(file) = &mut self.destination {
            make_absolute(file);
            if self.inputs.len() > 1 || self.inputs[0].is_dir() {
                return Err(EngineError::Job(format!(
                    "several files cannot become one; give a folder instead of {}",
                    file.display()
                )));
            }
        }
        Ok(self)
    }
}

fn make_absolute(path: &mut PathBuf) {
    if let Ok(absolute) = std::path::absolute(&*path) {
        *path = absolute;
    }
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The file.
    pub(crate) input: PathBuf,
    /// Its folder below the folder that was given; empty for files that were given themselves.
    pub(crate) below: PathBuf,
}

/// Extensions of the files that a folder contributes: what can be read, and what people expect to
/// be read, so that it is answered in words rather than passed over.
const PICTURE_EXTENSIONS: [&str; 14] = [
    "avif", "bmp", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "jxl", "png", "tif",
    "tiff", "webp",
];

/// The same for recordings; of a film the sound track is taken.
const SOUND_EXTENSIONS: [&str; 17] = [
    "aac", "aif", "aiff", "caf", "flac", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp3", "mp4",
    "oga", "ogg", "opus", "wav",
];

/// Extensions of the files that a recipe is for.
fn extensions(recipe: &Recipe) -> &'static [&'static str] {
    if recipe.speech.is_some() { &SOUND_EXTENSIONS } else { &PICTURE_EXTENSIONS }
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|e| known.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// The files of `job` in order: inputs as given, a folder's files by name (numbers by value) before
/// its subfolders. A file that is reached twice is taken once; hidden files are passed over, and so
/// are results of earlier runs.
///
/// A folder that cannot be read, or that was given and holds no picture, stands for itself, so that
/// it ends as a failure with a sentence instead of vanishing.
///
/// # Errors
/// [`Cancelled`] when `cancel` was set meanwhile.
pub(crate) fn expand(job: &Job, cancel: &Cancel) -> Result<Vec<Found>, Cancelled> {
    let mut walk = Walk {
        recursive: job.recursive,
        extensions: extensions(&job.recipe),
        results_beside: job.recipe.output.folder.is_none(),
        results_folder: job.recipe.output.folder.as_ref().and_then(|f| f.canonicalize().ok()),
        cancel,
        folders_seen: HashSet::new(),
        files_seen: HashSet::new(),
        found: Vec::new(),
    };
    for input in &job.inputs {
        cancel.check()?;
        if input.is_dir() {
            let before = walk.found.len();
            let seen_before = walk.files_seen.len();
            walk.folder(input, Path::new(""))?;
            if walk.found.len() == before && walk.files_seen.len() == seen_before {
                walk.take(input, Path::new(""));
            }
        } else {
            walk.take(input, Path::new(""));
        }
    }
    Ok(walk.found)
}

struct Walk<'a> {
    recursive: bool,
    extensions: &'static [&'static str],
    results_beside: bool,
    results_folder: Option<PathBuf>,
    cancel: &'a Cancel,
    /// Real paths of the folders that were entered: a link back up is not followed twice.
    folders_seen: HashSet<PathBuf>,
    /// Real paths of the files that were taken.
    files_seen: HashSet<PathBuf>,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn take(&mut self, input: &Path, below: &Path) {
        let real = input.canonicalize().unwrap_or_else(|_| input.to_owned());
        if self.files_seen.insert(real) {
            self.found.push(Found { input: input.to_owned(), below: below.to_owned() });
        }
    }

    fn folder(&mut self, folder: &Path, below: &Path) -> Result<(), Cancelled> {
        self.cancel.check()?;
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let is_results_folder = self.results_folder.as_ref() == Some(&real);
        // Results that go into the very folder that was given lie beside their originals.
        let results_beside = self.results_beside || is_results_folder;
        let is_below = !below.as_os_str().is_empty();
        if (is_results_folder && is_below) || !self.folders_seen.insert(real) {
            return Ok(());
        }
        let Ok(entries) = std::fs::read_dir(folder) else {
            self.take(folder, below);
            return Ok(());
        };
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for entry in entries.flatten() {
            self.cancel.check()?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let is_wanted = has_extension(&path, self.extensions);
            if path.is_dir() && (self.recursive || !is_wanted) {
                folders.push(path);
            } else if is_wanted {
                files.push(path);
            }
        }
        let by_name = |a: &PathBuf, b: &PathBuf| compare_names(a.file_name(), b.file_name());
        files.sort_by(by_name);
        folders.sort_by(by_name);
        let stems: HashSet<Vec<u8>> = files.iter().filter_map(|f| stem_bytes(f)).collect();
        for file in &files {
            let is_result = results_beside
                && stem_bytes(file)
                    .as_deref()
                    .and_then(naming::original_stem)
                    .is_some_and(|original| stems.contains(original));
            if !is_result {
                self.take(file, below);
            }
        }
        if self.recursive {
            for folder in &folders {
                let name = folder.file_name().unwrap_or_default();
                self.folder(folder, &below.join(name))?;
            }
        }
        Ok(())
    }
}

fn stem_bytes(path: &Path) -> Option<Vec<u8>> {
    path.file_stem().map(|stem| stem.as_encoded_bytes().to_vec())
}

/// Orders names as people do: runs of digits by value, the rest by byte; "img2" before "img10".
fn compare_names(a: Option<&OsStr>, b: Option<&OsStr>) -> Ordering {
    let a = a.map_or(&[][..], OsStr::as_encoded_bytes);
    let b = b.map_or(&[][..], OsStr::as_encoded_bytes);
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        match (rest_a.first(), rest_b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (run_a, after_a) = split_digits(rest_a);
                let (run_b, after_b) = split_digits(rest_b);
                let by_value = run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b));
                if by_value != Ordering::Equal {
                    return by_value;
                }
                (rest_a, rest_b) = (after_a, after_b);
            }
            (Some(x), Some(y)) if x == y => (rest_a, rest_b) = (&rest_a[1..], &rest_b[1..]),
            (Some(x), Some(y)) => return x.cmp(y),
            // Equal so far: the shorter first; "01" and "1" are told apart by their bytes.
            _ => return rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b)),
        }
    }
}

/// The digits that `name` begins with, without leading zeros, and what follows them.
fn split_digits(name: &[u8]) -> (&[u8], &[u8]) {
    let end = name.iter().position(|c| !c.is_ascii_digit()).unwrap_or(name.len());
    let (digits, rest) = name.split_at(end);
    let zeros = digits.iter().take_while(|c| **c == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn job(inputs: &[&Path], recursive: bool) -> Job {
        Job {
            inputs: inputs.iter().map(|p| p.to_path_buf()).collect(),
            recursive,
            recipe: Recipe::new([]),
            destination: Destination::Recipe,
        }
    }

    fn names(root: &Path, found: &[Found]) -> Vec<String> {
        found
            .iter()
            .map(|f| f.input.strip_prefix(root).unwrap_or(&f.input).display().to_string())
            .collect()
    }

    fn touch(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        path
    }

    #[test]
    fn a_folder_gives_its_pictures_in_human_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["img10.jpg", "img2.JPG", ".hidden.jpg", "notes.txt", "img02.png", "b/c.tif"] {
            touch(root.join(name));
        }
        fs::create_dir(root.join("x.jpg")).unwrap();
        let flat = expand(&job(&[root], false), &Cancel::new()).unwrap();
        assert_eq!(names(root, &flat), ["img2.JPG", "img02.png", "img10.jpg", "x.jpg"]);
        let deep = expand(&job(&[root], true), &Cancel::new()).unwrap();
        assert_eq!(names(root, &deep), ["img2.JPG", "img02.png", "img10.jpg", "b/c.tif"]);
        assert_eq!(deep[3].below, Path::new("b"));
    }

    #[test]
    fn given_files_are_kept_whatever_they_are_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let text = touch(dir.path().join("notes.txt"));
        let missing = dir.path().join("missing.jpg");
        let again = dir.path().join(".").join("notes.txt");
        let found = expand(&job(&[&text, &missing, &again], false), &Cancel::new()).unwrap();
        assert_eq!(names(dir.path(), &found), ["notes.txt", "missing.jpg"]);
    }

    #[test]
    fn a_folder_without_pictures_stands_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let found = expand(&job(&[dir.path()], true), &Cancel::new()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].input, dir.path());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_up_is_entered_once() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path().join("a/1.png"));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a/1.png"), dir.path().join("a/2.png")).unwrap();
        let found = expand(&job(&[dir.path()], true), &Cancel::new()).unwrap();
        assert_eq!(names(dir.path(), &found), ["a/1.png"]);
    }

    #[test]
    fn results_of_an_earlier_run_are_not_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "a-limpid.jpg", "a-limpid-2.jpg", "own-limpid.png", "out/z.jpg"] {
            touch(dir.path().join(name));
        }
        let found = expand(&job(&[dir.path()], false), &Cancel::new()).unwrap();
        assert_eq!(names(dir.path(), &found), ["a.jpg", "own-limpid.png"]);

        let mut into = job(&[dir.path()], true);
        into.recipe.output.folder = Some(dir.path().join("out"));
        let found = names(dir.path(), &expand(&into, &Cancel::new()).unwrap());
        assert!(found.contains(&"a-limpid.jpg".into()), "{found:?}");
        assert!(!found.contains(&"out/z.jpg".into()), "{found:?}");

        into.recipe.output.folder = Some(dir.path().to_owned());
        let found = names(dir.path(), &expand(&into, &Cancel::new()).unwrap());
        assert_eq!(found, ["a.jpg", "own-limpid.png", "out/z.jpg"]);
    }

    #[test]
    fn one_file_cannot_hold_several_results() {
        let mut several = job(&[Path::new("a.jpg"), Path::new("b.jpg")], false);
        several.destination = Destination::File("out.jpg".into());
        assert!(matches!(several.settle(), Err(EngineError::Job(_))));
        assert!(matches!(job(&[], false).settle(), Err(EngineError::Job(_))));
        let settled = job(&[Path::new("a.jpg")], false).settle().unwrap();
        assert!(settled.inputs[0].is_absolute());
    }
}
