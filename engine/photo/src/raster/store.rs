//! Where the samples of a raster lie: memory, or an unlinked temporary file.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::error::{ErrorKind, PhotoError};

pub(super) enum Store {
    Memory(Vec<u8>),
    File(File),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} bytes in memory", bytes.len()),
            Self::File(_) => f.write_str("in a temporary file"),
        }
    }
}

impl Store {
    /// `bytes` zeros in memory.
    pub(super) fn memory(bytes: u64) -> Result<Self, PhotoError> {
        let too_large = || {
            PhotoError::new(
                ErrorKind::TooLarge,
                format!("there is no room in memory for {} MB of pixels", bytes >> 20),
            )
        };
        let length = usize::try_from(bytes).map_err(|_| too_large())?;
        // A failed reservation is an answer, where `vec!` would end the process.
        let mut probe: Vec<u8> = Vec::new();
        probe.try_reserve_exact(length).map_err(|_| too_large())?;
        drop(probe);
        // Zeroed pages come from the system untouched: nothing is used until it is written.
        Ok(Self::Memory(vec![0; length]))
    }

    /// `bytes` zeros in a temporary file that has no name and ends with this value.
    pub(super) fn file(bytes: u64) -> Result<Self, PhotoError> {
        let make = || -> io::Result<File> {
            let file = tempfile::tempfile_in(temporary_folder())?;
            file.set_len(bytes)?;
            Ok(file)
        };
        make().map(Self::File).map_err(temporary_failed)
    }

    /// `length` bytes from `offset`; `buffer` is used when they lie in a file.
    pub(super) fn slice<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], PhotoError> {
        match self {
            Self::Memory(bytes) => usize::try_from(offset)
                .ok()
                .and_then(|start| bytes.get(start..start.checked_add(length)?))
                .ok_or_else(outside),
            Self::File(file) => {
                buffer.resize(length, 0);
                read_exact_at(file, buffer, offset).map_err(|error| {
                    PhotoError::new(
                        ErrorKind::Unreadable,
                        format!("the temporary file of a large picture cannot be read ({error})"),
                    )
                    .because(error)
                })?;
                Ok(buffer)
            }
        }
    }

    /// Stores `from` at `offset`.
    pub(super) fn write_at(&mut self, offset: u64, from: &[u8]) -> Result<(), PhotoError> {
        match self {
            Self::Memory(bytes) => {
                let to = usize::try_from(offset)
                    .ok()
                    .and_then(|start| bytes.get_mut(start..start.checked_add(from.len())?))
                    .ok_or_else(outside)?;
                to.copy_from_slice(from);
                Ok(())
            }
            Self::File(file) => write_all_at(file, from, offset).map_err(temporary_failed),
        }
    }
}

fn outside() -> PhotoError {
    PhotoError::internal("samples outside the picture were asked for")
}

fn temporary_failed(error: io::Error) -> PhotoError {
    let sentence = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "the picture is larger than half of the memory budget and {} has no room for it",
            temporary_folder().display()
        ),
        _ => format!("the temporary file of a large picture cannot be written ({error})"),
    };
    PhotoError::new(ErrorKind::TooLarge, sentence).because(error)
}

/// Where large pictures are laid out. `/tmp` is memory on many systems, `/var/tmp` is not.
fn temporary_folder() -> PathBuf {
    let disk = PathBuf::from("/var/tmp");
    if cfg!(unix) && std::env::var_os("TMPDIR").is_none() && disk.is_dir() {
        disk
    } else {
        std::env::temp_dir()
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[count..];
        offset += count as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
        offset += count as u64;
    }
    Ok(())
}
