//! A file that is written beside its place and put there when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::folder::sync_name;

/// What the name of a file that is being written ends with: "photo.jpg.limpid-part".
pub const PART_SUFFIX: &str = ".limpid-part";

/// Why a file is not begun, where the disk has nothing against it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(&'static str);

fn refuse(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, Refused(sentence))
}

/// The part file; removed when dropped before [`PartFile::finish`].
#[derive(Debug)]
pub struct PartFile {
    file: File,
    path: PathBuf,
    destination: PathBuf,
    finished: bool,
}

impl PartFile {
    /// Begins a file for `destination`, which must not be `original`.
    ///
    /// # Errors
    ///
    /// `destination` is a folder or the original, or the part file cannot be made.
    /// [`unwritable`](crate::unwritable) says which in words.
    pub fn create(destination: &Path, original: Option<&Path>) -> io::Result<Self> {
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
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // New, so that a link laid in its place is not followed. Read access is for those who come
        // back to their headers.
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, destination: destination.to_owned(), finished: false })
    }

    /// What the file will be called.
    #[must_use]
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Where to write.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flushes the file to the disk and puts it in its place.
    ///
    /// # Errors
    ///
    /// The disk is full or the like; the file is not put in its place then.
    pub fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.destination)?;
        self.finished = true;
        sync_name(&self.destination);
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
    part.push(PART_SUFFIX);
    if part.len() > 255 {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        part = format!(".{}-{number}{PART_SUFFIX}", process::id()).into();
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
    use std::io::Write;

    use super::*;
    use crate::unwritable;

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
            let sentence = unwritable("the result", &error);
            let wanted = "the result would replace the original, which is never done";
            assert_eq!(sentence, wanted, "{}", way.display());
        }
        assert_eq!(fs::read(&original).unwrap(), b"original");
    }

    #[test]
    fn a_folder_in_the_way_and_a_missing_folder_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (path, wanted) in [
            (folder.path().to_owned(), "a folder has the name that the result is to have"),
            (
                folder.path().join("gone/a.wav"),
                "the result cannot be written, the folder is not there",
            ),
        ] {
            let error = PartFile::create(&path, None).map(drop).unwrap_err();
            assert_eq!(unwritable("the result", &error), wanted);
        }
    }
}
