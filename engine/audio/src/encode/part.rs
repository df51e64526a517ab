//! A file that is written beside its place and put there when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{AudioError, ErrorKind};

/// What the name of a file that is being written ends with.
const SUFFIX: &str = ".limpid-part";

/// The part file; removed when dropped before [`PartFile::finish`].
#[derive(Debug)]
pub(crate) struct PartFile {
    file: File,
    path: PathBuf,
    destination: PathBuf,
    finished: bool,
}

impl PartFile {
    /// Begins a file for `destination`, which must not be `original`.
    pub(crate) fn create(destination: &Path, original: Option<&Path>) -> Result<Self, AudioError> {
        let refuse = |sentence: &str| AudioError::new(ErrorKind::Unwritable, sentence);
        if fs::metadata(destination).is_ok_and(|about| about.is_dir()) {
            return Err(refuse("a folder has the name that the result is to have"));
        }
        if original.is_some_and(|original| is_same_file(original, destination)) {
            return Err(refuse("the result would replace the original, which is never done"));
        }
        let path = part_path(destination)
            .ok_or_else(|| refuse("the result is to have a name without a file in it"))?;
        if original.is_some_and(|original| is_same_file(original, &path)) {
            return Err(refuse("the result would replace the original, which is never done"));
        }
        // A part file that a killed run left behind is of no use to anyone.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(AudioError::writing(error));
            }
            _ => {}
        }
        // New, so that a link laid in its place is not followed. Read access is for the
        // header, which is come back to.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(AudioError::writing)?;
        Ok(Self { file, path, destination: destination.to_owned(), finished: false })
    }

    /// What the file will be called.
    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// Where to write.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Flushes the file to the disk and puts it in its place.
    pub(crate) fn finish(&mut self) -> Result<(), AudioError> {
        self.file.sync_all().map_err(AudioError::writing)?;
        fs::rename(&self.path, &self.destination).map_err(AudioError::writing)?;
        self.finished = true;
        // The name is safe once the folder is on the disk. Not every file system can say so, and
        // the result is whole either way.
        if cfg!(unix)
            && let Some(folder) = self.destination.parent()
        {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
                tracing::debug!(%error, "the folder could not be flushed");
            }
        }
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a partial file stays behind");
        }
    }
}

/// `destination` with the suffix; a shorter name of its own where that would be too long.
fn part_path(destination: &Path) -> Option<PathBuf> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = destination.file_name()?;
    let mut part = OsString::from(name);
    part.push(SUFFIX);
    if part.len() > 255 {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        part = format!(".{}-{number}{SUFFIX}", process::id()).into();
    }
    Some(destination.with_file_name(part))
}

/// Whether both names lead to one file, by whatever links.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (fs::metadata(a), fs::metadata(b)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_appears_when_finished_and_leaves_nothing_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let long = "é".repeat(120) + ".wav";
        for name in ["a b 🦀.wav", &long] {
            let destination = folder.path().join(name);
            let part = PartFile::create(&destination, None).unwrap();
            part.file().write_all(b"half").unwrap();
            drop(part);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

            let mut part = PartFile::create(&destination, None).unwrap();
            part.file().write_all(b"whole").unwrap();
            assert!(!destination.exists());
            part.finish().unwrap();
            drop(part);
            assert_eq!(fs::read(&destination).unwrap(), b"whole");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            fs::remove_file(destination).unwrap();
        }
    }

    #[test]
    fn the_original_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("voice.wav");
        fs::write(&original, b"original").unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let mut ways = vec![original.clone(), folder.path().join("sub/../voice.wav")];
        #[cfg(unix)]
        {
            let link = folder.path().join("link.wav");
            std::os::unix::fs::symlink(&original, &link).unwrap();
            let hard = folder.path().join("hard.wav");
            fs::hard_link(&original, &hard).unwrap();
            ways.extend([link, hard]);
        }
        for way in ways {
            let error = PartFile::create(&way, Some(&original)).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unwritable, "{}", way.display());
        }
        assert_eq!(fs::read(&original).unwrap(), b"original");
    }

    #[test]
    fn a_folder_in_the_way_and_a_missing_folder_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("gone/a.wav")] {
            let error = PartFile::create(&path, None).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unwritable);
            assert!(error.to_string().contains("folder"), "{error}");
        }
    }
}
