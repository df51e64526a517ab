//! The disk, as the recorder sees it. Tests put one in its place that is full, or dies.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::Path;

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

pub(crate) trait Storage: Send {
    /// A new file. One that is there already is an error and stays as it is.
    fn create(&self, path: &Path) -> io::Result<Box<dyn TakeFile>>;
}

/// The file system.
pub(crate) struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn TakeFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        // the name outlives a power cut as well, where a system can promise that
        #[cfg(unix)]
        if let Some(folder) = folder_of(path) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(Box::new(file))
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// Bytes that this user may still write where `path` is, where the system tells.
#[cfg(unix)]
pub(crate) fn bytes_left(path: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder_of(path)?).ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}

/// Bytes that this user may still write where `path` is: not told on this system.
#[cfg(not(unix))]
pub(crate) fn bytes_left(path: &Path) -> Option<u64> {
    let _ = folder_of(path);
    None
}
