//! The disk, as the recorder sees it. Tests put one in its place that is full, or dies.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::Path;

use limpid_files::{sync_name, unwritable};

use crate::error::{AudioError, ErrorKind};

/// A file that grows.
pub(crate) trait TakeFile: Write + Seek + Send {
    /// A second handle, to bring to the disk what was written while more is; none where that means
    /// nothing.
    fn flush_handle(&self) -> io::Result<Option<File>>;

    /// Cuts what is behind the first `bytes`.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl TakeFile for File {
    fn flush_handle(&self) -> io::Result<Option<File>> {
        self.try_clone().map(Some)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// A recording that cannot be written, in one sentence. What has been written is no concern of it.
pub(crate) fn writing(error: io::Error) -> AudioError {
    let why = match error.kind() {
        io::ErrorKind::FileTooLarge => {
            "the recording is as large as the disk's file system allows".to_owned()
        }
        _ => unwritable("the recording", &error),
    };
    AudioError::new(ErrorKind::Unwritable, why).because(error)
}

pub(crate) trait Storage: Send {
    /// A new file. One that is there already is an error and stays as it is.
    fn create(&self, path: &Path) -> io::Result<Box<dyn TakeFile>>;
}

/// The file system.
pub(crate) struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn TakeFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        sync_name(path);
        Ok(Box::new(file))
    }
}

/// Bytes that this user may still write where `path` is, where the system tells.
#[cfg(unix)]
pub(crate) fn bytes_left(path: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(limpid_files::folder_of(path)?).ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}

/// Bytes that this user may still write where `path` is: not told on this system.
#[cfg(not(unix))]
pub(crate) fn bytes_left(_: &Path) -> Option<u64> {
    None
}
