//! What a file is by its first bytes, for one who sorts what was dropped on a window.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use limpid_photo::FileFormat;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture of a format that is read.
    Picture,
    /// A recording, or a film, whose sound is read.
    Sound,
}

impl FileKind {
    /// By the first bytes of the file, whatever its name is. None for folders, for what is neither,
    /// and for what cannot be read: whoever opens it is told why.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        // A pipe or a device might never answer.
        if !path.metadata().is_ok_and(|about| about.is_file()) {
            return None;
        }
        let mut head = Vec::with_capacity(FileFormat::HEAD_BYTES);
        File::open(path).ok()?.take(FileFormat::HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
        if FileFormat::of(&head).is_some() {
            return Some(Self::Picture);
        }
        limpid_audio::is_sound(path).is_ok_and(|is_sound| is_sound).then_some(Self::Sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_whatever_the_name_is() {
        let dir = tempfile::tempdir().unwrap();
        let cases: [(&str, &[u8], Option<FileKind>); 7] = [
            ("a.jpg", b"RIFF\0\0\0\0WAVEfmt ", Some(FileKind::Sound)),
            ("b", b"fLaC\0\0\0\x22", Some(FileKind::Sound)),
            ("c.wav", b"\x89PNG\r\n\x1A\n", Some(FileKind::Picture)),
            ("d.mp3", b"\xFF\xD8\xFF\xE0\0\x10JFIF", Some(FileKind::Picture)),
            ("e.wav", b"\0\0\0\x1Cftypheic", None),
            ("f.jpg", b"a text", None),
            ("g.png", b"", None),
        ];
        for (name, bytes, kind) in cases {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(FileKind::of(&path), kind, "{name}");
        }
        assert_eq!(FileKind::of(dir.path()), None);
        assert_eq!(FileKind::of(&dir.path().join("none.wav")), None);
    }
}
