//! Where Limpid keeps its own files on this computer.

use std::path::PathBuf;

use limpid_engine::LibraryConfig;

/// Folder of everything Limpid keeps: `LIMPID_HOME` where that is set (tests, portable installs),
/// else the system's place for a program's data.
#[must_use]
pub fn home() -> PathBuf {
    chosen_home().unwrap_or_else(|| {
        directories::ProjectDirs::from("", "", "limpid").map_or_else(
            || std::env::temp_dir().join("limpid"),
            |dirs| dirs.data_local_dir().into(),
        )
    })
}

fn chosen_home() -> Option<PathBuf> {
    std::env::var_os("LIMPID_HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Where the models are, fetched packs and the user's own files: below [`home`] where that was set,
/// else where [`LibraryConfig::for_user`] says.
#[must_use]
pub fn library() -> LibraryConfig {
    let Some(home) = chosen_home() else { return LibraryConfig::for_user() };
    LibraryConfig { packs_dir: home.join("packs"), imports_dir: home.join("imports") }
}

/// Folder of the window's saved queue.
#[must_use]
pub fn queue_dir() -> PathBuf {
    home().join("queue")
}

/// Folder for pictures that were pasted, until the system clears its temporary files.
#[must_use]
pub fn pasted_dir() -> PathBuf {
    std::env::temp_dir().join("limpid-pasted")
}

/// Folder for results of pictures that have no folder of their own, such as pasted ones.
#[must_use]
pub fn pictures_dir() -> PathBuf {
    let user = directories::UserDirs::new();
    let pictures = user.as_ref().and_then(|dirs| dirs.picture_dir());
    let home = user.as_ref().map(|dirs| dirs.home_dir());
    pictures.or(home).map_or_else(home_pictures, |folder| folder.join("Limpid"))
}

/// Folder for takes: what is recorded from a microphone.
#[must_use]
pub fn takes_dir() -> PathBuf {
    if let Some(home) = chosen_home() {
        return home.join("takes");
    }
    let user = directories::UserDirs::new();
    let sounds = user.as_ref().and_then(|dirs| dirs.audio_dir());
    let own = user.as_ref().map(|dirs| dirs.home_dir());
    sounds.or(own).map_or_else(|| home().join("takes"), |folder| folder.join("Limpid"))
}

fn home_pictures() -> PathBuf {
    home().join("pictures")
}
