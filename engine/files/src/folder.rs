//! The folder that a file is in.

use std::fs::File;
use std::path::Path;

/// The folder that a file is in, in a form that can be opened: `.` for a bare name. None where the
/// path has no file in it.
#[must_use]
pub fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// Makes the name that a file was just given outlive a power cut, where the system can promise
/// that: its folder is brought to the disk. Where it cannot, the file is whole either way.
pub fn sync_name(path: &Path) {
    if cfg!(unix)
        && let Some(folder) = folder_of(path)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::debug!(%error, folder = %folder.display(), "the folder was not flushed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_the_folder_of_the_moment() {
        for (path, folder) in [
            ("a.jpg", Some(".")),
            ("b/a.jpg", Some("b")),
            ("/a.jpg", Some("/")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(folder_of(Path::new(path)), folder.map(Path::new), "{path}");
        }
    }
}
