//! What was opened, dropped or pasted: which of it is a picture, which a recording, and what lies in
//! the folders. Not on the window's thread: a disk may be slow.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use limpid_engine::FileKind;

use super::background::Answer;
use super::state::{OpenedFile, Page};
use super::voice;

/// Extensions that are looked for in folders and offered in the dialog.
pub(super) const PICTURES: [&str; 10] =
    ["jpg", "jpeg", "png", "tif", "tiff", "webp", "bmp", "jxl", "avif", "heic"];

/// Files that are taken from one folder tree, so that a wrong drop of a whole disk stays usable.
const MOST_FILES: usize = 50_000;

/// Files that are looked into; of more the names are believed, for a card in a slow reader would
/// take its time.
const LOOKED_INTO: usize = 64;

/// Sorts files and folders to the pages that they are for; the answer for the page that is to be
/// shown comes last. Of a file its content says what it is, then its name, then the page in front;
/// folders are looked through for what that page is about.
pub(super) fn sorted(paths: Vec<PathBuf>, page: Page) -> Vec<Answer> {
    let looks = paths.len() <= LOOKED_INTO;
    let (sounds, rest): (Vec<_>, Vec<_>) =
        paths.into_iter().partition(|path| page_of(path, looks, page) == Page::Voice);
    let mut answers = Vec::new();
    if !sounds.is_empty() {
        answers.push(find_sounds(sounds));
    }
    if !rest.is_empty() || answers.is_empty() {
        answers.push(find_pictures(&rest));
    }
    answers
}

/// The page that a file or folder is for.
fn page_of(path: &Path, looks: bool, page: Page) -> Page {
    if path.is_dir() {
        return page;
    }
    match looks.then(|| FileKind::of(path)).flatten() {
        Some(FileKind::Sound) => Page::Voice,
        Some(FileKind::Picture) => Page::Photos,
        None if voice::is_sound_name(path) => Page::Voice,
        None if is_picture_name(path) => Page::Photos,
        None => page,
    }
}

/// Recordings and folders of them, as far as they are there: one file to show, else all for the
/// queue.
fn find_sounds(paths: Vec<PathBuf>) -> Answer {
    let paths: Vec<PathBuf> =
        paths.into_iter().map(|path| std::path::absolute(&path).unwrap_or(path)).collect();
    if let Some(path) = paths.iter().find(|path| !path.exists()) {
        return Answer::Failed(format!("There is no such file: {}", path.display()));
    }
    match paths.as_slice() {
        [only] if !only.is_dir() => Answer::Sound(only.clone()),
        _ => Answer::Sounds(paths),
    }
}

fn is_picture_name(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| PICTURES.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Files as they are, whatever their name; of folders the pictures in them and below.
fn find_pictures(paths: &[PathBuf]) -> Answer {
    let mut found = Vec::new();
    for path in paths {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        if path.is_dir() {
            walk(&path, &path, 0, &mut found);
        } else if path.exists() {
            found.push(OpenedFile::new(path, None));
        } else {
            return Answer::Failed(format!("There is no such file: {}", path.display()));
        }
    }
    match (found.is_empty(), paths) {
        (true, [only]) => Answer::Failed(format!("No picture in this folder: {}", only.display())),
        (true, _) => Answer::Failed("No picture among these folders.".into()),
        (false, _) => Answer::Opened(found),
    }
}

fn walk(folder: &Path, root: &Path, depth: usize, found: &mut Vec<OpenedFile>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Links to folders are not followed: they may lead back up.
        match entry.file_type() {
            _ if is_hidden => {}
            Ok(kind) if kind.is_dir() => folders.push(path),
            Ok(_) if is_picture_name(&path) => files.push(path),
            _ => {}
        }
    }
    files.sort_by(|a, b| by_name(a, b));
    folders.sort_by(|a, b| by_name(a, b));
    let stems: HashSet<OsString> =
        files.iter().filter_map(|file| file.file_stem().map(OsStr::to_owned)).collect();
    for file in files {
        if found.len() >= MOST_FILES {
            return;
        }
        // The queue passes over results of earlier runs; what it does is what is listed.
        let is_result = original_stem(&file).is_some_and(|stem| stems.contains(OsStr::new(stem)));
        if is_result {
            continue;
        }
        found.push(OpenedFile::new(file, Some(root.to_owned())));
    }
    for folder in folders {
        // Deeper than any sane folder of photos.
        if depth < 32 {
            walk(&folder, root, depth + 1, found);
        }
    }
}

/// The stem of the original that this file would be the result of: "a" for "a-limpid-2.jpg".
fn original_stem(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    let unnumbered = match stem.rsplit_once('-') {
        Some((head, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => stem,
    };
    unnumbered.strip_suffix("-limpid")
}

/// Orders names as people do: "img2" before "img10".
fn by_name(a: &Path, b: &Path) -> std::cmp::Ordering {
    natural_key(a).cmp(&natural_key(b))
}

fn natural_key(path: &Path) -> Vec<(String, u64)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut key = Vec::new();
    let mut rest = name.as_str();
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - text);
        let value = rest[text..text + digits].parse().unwrap_or(u64::MAX);
        key.push((rest[..text].to_owned(), value));
        rest = &rest[text + digits..];
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(answer: Answer) -> Vec<String> {
        match answer {
            Answer::Opened(files) => files.into_iter().map(|file| file.name).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn folders_give_their_pictures_in_the_order_of_people() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in [
            "img10.jpg",
            "IMG2.JPG",
            "IMG2-limpid.jpg",
            "IMG2-limpid-2.jpg",
            "own-limpid.jpg",
            "notes.txt",
            ".hidden.png",
            "sub/a.tif",
        ] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        let answer = find_pictures(&[folder.path().to_owned()]);
        assert_eq!(names(answer), ["IMG2.JPG", "img10.jpg", "own-limpid.jpg", "a.tif"]);
        let single = find_pictures(&[folder.path().join("notes.txt")]);
        assert_eq!(names(single), ["notes.txt"], "a file that is named is opened whatever it is");
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(find_pictures(&[empty.path().to_owned()]), Answer::Failed(_)));
    }

    #[test]
    fn content_decides_the_page_then_the_name_then_the_page_in_front() {
        let folder = tempfile::tempdir().unwrap();
        let wav: &[u8] = b"RIFF\0\0\0\0WAVEfmt ";
        let png: &[u8] = b"\x89PNG\r\n\x1A\n";
        let mut wrong = Vec::new();
        for (name, content, page, wanted) in [
            ("a.jpg", wav, Page::Voice, Page::Voice),
            ("b", wav, Page::Voice, Page::Voice),
            ("c.jpg", wav, Page::Photos, Page::Voice),
            ("d.wav", png, Page::Voice, Page::Photos),
            ("e.png", png, Page::Voice, Page::Photos),
            ("f.wav", b"broken", Page::Photos, Page::Voice),
            ("g.jpg", b"broken", Page::Voice, Page::Photos),
            ("h", b"broken", Page::Voice, Page::Voice),
            ("i.txt", b"broken", Page::Photos, Page::Photos),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let answers = sorted(vec![path.clone()], page);
            let is_right = match answers.as_slice() {
                [Answer::Sound(only)] => wanted == Page::Voice && *only == path,
                [Answer::Opened(files)] => wanted == Page::Photos && files[0].path == path,
                _ => false,
            };
            if !is_right {
                wrong.push(format!("{name} on {page:?}: {answers:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn pictures_come_last_and_folders_are_for_the_page_in_front() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.jpg"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        let both = || vec![folder.path().join("b.jpg"), folder.path().join("a.wav")];
        let answers = sorted(both(), Page::Voice);
        assert!(matches!(answers.as_slice(), [Answer::Sound(_), Answer::Opened(_)]), "{answers:?}");
        let answers = sorted(vec![folder.path().to_owned()], Page::Voice);
        assert!(matches!(answers.as_slice(), [Answer::Sounds(_)]), "{answers:?}");
        let answers = sorted(vec![folder.path().to_owned()], Page::Photos);
        assert!(matches!(answers.as_slice(), [Answer::Opened(_)]), "{answers:?}");
        let answers = sorted(vec![folder.path().join("none.wav")], Page::Photos);
        assert!(matches!(answers.as_slice(), [Answer::Failed(_)]), "{answers:?}");
    }
}
