//! What may take long and is not the engine's: file dialogs, the clipboard, folders, small files.
//! Each on a thread of its own; the answer wakes the window.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui;
use limpid_files::PartFile;

use super::state::{OpenedFile, Page, PathPurpose};
use super::voice;
use crate::places;

/// A dialog that answers "nothing chosen" this soon was never on the screen.
const NO_DIALOG: Duration = Duration::from_millis(250);

/// Extensions that are looked for in folders and offered in the dialog.
pub(crate) const PICTURES: [&str; 10] =
    ["jpg", "jpeg", "png", "tif", "tiff", "webp", "bmp", "jxl", "avif", "heic"];

/// Files that are taken from one folder tree, so that a wrong drop of a whole disk stays usable.
const MOST_FILES: usize = 50_000;

/// An answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Pictures were found.
    Opened(Vec<OpenedFile>),
    /// Recordings were found, and folders of them.
    Sounds(Vec<PathBuf>),
    /// Paths were chosen or typed.
    Chosen(PathPurpose, Vec<PathBuf>),
    /// No file dialog is there; why.
    NoDialog(PathPurpose, String),
    /// A preset file was read.
    PresetRead {
        /// The file's name without extension.
        name: String,
        /// What is in it.
        text: String,
    },
    /// Settings were on the clipboard.
    SettingsText(String),
    /// This went well.
    Done(String),
    /// This went wrong: one sentence.
    Failed(String),
    /// Memory of this computer in bytes.
    Memory(Option<u64>),
}

/// Starts the threads and gathers their answers.
pub(crate) struct Background {
    ctx: egui::Context,
    send: Sender<Answer>,
    answers: Receiver<Answer>,
}

impl Background {
    /// Answers ask `ctx` for a frame.
    pub(crate) fn new(ctx: &egui::Context) -> Self {
        let (send, answers) = unbounded();
        Self { ctx: ctx.clone(), send, answers }
    }

    /// What came since the last frame.
    pub(crate) fn poll(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }

    fn spawn(&self, name: &str, work: impl FnOnce() -> Option<Answer> + Send + 'static) {
        let (send, ctx) = (self.send.clone(), self.ctx.clone());
        let started = std::thread::Builder::new().name(format!("limpid-{name}")).spawn(move || {
            if let Some(answer) = work() {
                // The window may be closing.
                let _closing = send.send(answer);
                ctx.request_repaint();
            }
        });
        if let Err(error) = started {
            let text = format!("No thread can be started ({error}).");
            let _own_receiver = self.send.send(Answer::Failed(text));
        }
    }

    /// Finds the pictures and recordings among files and folders. Files are told apart by name;
    /// folders are looked through for what `page` is about.
    pub(crate) fn open(&self, paths: Vec<PathBuf>, page: Page) {
        let sender = self.send.clone();
        self.spawn("open", move || {
            let is_sound = |path: &PathBuf| {
                voice::is_sound_name(path) && !path.is_dir() || page == Page::Voice && path.is_dir()
            };
            let (sounds, rest): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_sound);
            if rest.is_empty() {
                return Some(find_sounds(sounds));
            }
            let pictures = find_pictures(&rest);
            if !sounds.is_empty() {
                // Pictures come last: their page is the one that is shown.
                let _closing = sender.send(find_sounds(sounds));
            }
            Some(pictures)
        });
    }

    /// Shows a file dialog.
    pub(crate) fn choose(&self, purpose: PathPurpose, folder: Option<PathBuf>) {
        self.choose_named(purpose, folder, None);
    }

    /// Shows a file dialog that suggests a name.
    pub(crate) fn choose_named(
        &self,
        purpose: PathPurpose,
        folder: Option<PathBuf>,
        name: Option<String>,
    ) {
        self.spawn("dialog", move || {
            let start = Instant::now();
            let chosen = show_dialog(purpose, folder.as_deref(), name);
            match chosen {
                Some(paths) if !paths.is_empty() => Some(Answer::Chosen(purpose, paths)),
                _ if start.elapsed() < NO_DIALOG || !has_dialog() => {
                    let reason = "No file dialog answers on this desktop. Type the path instead, \
                                  or drop files on the window.";
                    Some(Answer::NoDialog(purpose, reason.into()))
                }
                _ => None,
            }
        });
    }

    /// Takes a picture, files or paths from the clipboard.
    pub(crate) fn paste(&self) {
        self.spawn("paste", || Some(paste_pictures()));
    }

    /// Takes settings from the clipboard.
    pub(crate) fn paste_settings(&self) {
        self.spawn("paste", || {
            let text = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_text());
            Some(match text {
                Ok(text) if !text.trim().is_empty() => Answer::SettingsText(text),
                _ => Answer::Failed("There are no settings on the clipboard.".into()),
            })
        });
    }

    /// Reads a preset file.
    pub(crate) fn read_preset(&self, path: PathBuf) {
        self.spawn("preset", move || {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Some(match read_small(&path) {
                Ok(text) => Answer::PresetRead { name, text },
                Err(error) => Answer::Failed(format!(
                    "The preset cannot be read ({error}): {}",
                    path.display()
                )),
            })
        });
    }

    /// Writes a recipe file: beside its place first, then renamed, as results are.
    pub(crate) fn write_recipe(&self, mut path: PathBuf, text: String) {
        self.spawn("preset", move || {
            if path.extension().is_none() {
                path.set_extension("toml");
            }
            let written = PartFile::create(&path, None).and_then(|mut part| {
                part.file().write_all(text.as_bytes())?;
                part.finish()
            });
            let path = path.display();
            Some(match written {
                Ok(()) => Answer::Done(format!("Recipe written: {path}")),
                Err(error) => {
                    Answer::Failed(format!("The recipe cannot be written ({error}): {path}"))
                }
            })
        });
    }

    /// Shows a file in the system's file manager.
    pub(crate) fn reveal(&self, path: PathBuf) {
        self.spawn("reveal", move || {
            if !path.exists() {
                let text = format!("The file is not there any more: {}", path.display());
                return Some(Answer::Failed(text));
            }
            let parent = path.parent().unwrap_or(&path).to_owned();
            let shown = opener::reveal(&path).or_else(|_| opener::open(&parent));
            shown.err().map(|_| {
                Answer::Failed(format!("No file manager answers. The file is {}", path.display()))
            })
        });
    }

    /// Asks how much memory this computer has.
    pub(crate) fn measure_memory(&self) {
        self.spawn("memory", || Some(Answer::Memory(limpid_engine::memory_bytes())));
    }
}

/// Reads text of at most a megabyte: a recipe is far smaller.
fn read_small(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(1 << 20).read_to_string(&mut text)?;
    Ok(text)
}

fn show_dialog(
    purpose: PathPurpose,
    folder: Option<&Path>,
    name: Option<String>,
) -> Option<Vec<PathBuf>> {
    let mut dialog = rfd::FileDialog::new();
    if let Some(folder) = folder {
        dialog = dialog.set_directory(folder);
    }
    if let Some(name) = name {
        dialog = dialog.set_file_name(name);
    }
    let one = |path: Option<PathBuf>| path.map(|path| vec![path]);
    match purpose {
        PathPurpose::OpenFiles => dialog
            .set_title("Open pictures")
            .add_filter("Pictures", &filter(&PICTURES))
            .pick_files(),
        PathPurpose::OpenFolder => dialog.set_title("Open folders").pick_folders(),
        PathPurpose::OutputFolder | PathPurpose::DefaultFolder => {
            one(dialog.set_title("Folder for results").pick_folder())
        }
        PathPurpose::ImportPreset => {
            one(dialog.set_title("Import preset").add_filter("Recipe", &["toml"]).pick_file())
        }
        PathPurpose::ExportPreset => {
            let dialog = dialog.set_title("Export recipe").set_file_name("recipe.toml");
            one(dialog.add_filter("Recipe", &["toml"]).save_file())
        }
        PathPurpose::ImportModel => {
            let dialog = dialog.set_title("Import model");
            one(dialog.add_filter("Model", &["safetensors"]).pick_file())
        }
        PathPurpose::OpenSounds => dialog
            .set_title("Open recordings")
            .add_filter("Recordings", &filter(&voice::SOUNDS))
            .pick_files(),
        PathPurpose::SaveSound => {
            let dialog = dialog.set_title("Save clean recording");
            one(dialog.add_filter("WAV", &["wav"]).add_filter("FLAC", &["flac"]).save_file())
        }
    }
}

/// Lower and upper case: portals compare names as they are.
fn filter(extensions: &[&str]) -> Vec<String> {
    extensions.iter().flat_map(|e| [(*e).to_owned(), e.to_uppercase()]).collect()
}

/// Whether something on this desktop can show a file dialog: rfd asks the portal, then zenity.
fn has_dialog() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let has_portal = || {
        Process::new("busctl")
            .args(["--user", "--no-pager", "status", "org.freedesktop.portal.Desktop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("zenity").is_file()) || has_portal()
}

fn paste_pictures() -> Answer {
    let mut clipboard = match arboard::Clipboard::new() {
        Ok(clipboard) => clipboard,
        Err(error) => return Answer::Failed(format!("The clipboard does not answer ({error}).")),
    };
    if let Ok(files) = clipboard.get().file_list()
        && !files.is_empty()
    {
        return find_pasted(files);
    }
    if let Ok(picture) = clipboard.get_image() {
        return match save_pasted(&picture) {
            Ok(path) => Answer::Opened(vec![OpenedFile::new(path, None)]),
            Err(error) => Answer::Failed(format!("The pasted picture cannot be kept ({error}).")),
        };
    }
    if let Ok(text) = clipboard.get_text() {
        let paths = paths_in(&text);
        if !paths.is_empty() {
            return find_pasted(paths);
        }
    }
    Answer::Failed("There is no picture on the clipboard.".into())
}

/// Pasted files: recordings when they are nothing else.
fn find_pasted(paths: Vec<PathBuf>) -> Answer {
    if paths.iter().all(|path| voice::is_sound_name(path)) {
        return find_sounds(paths);
    }
    find_pictures(&paths)
}

/// The paths in pasted text: one a line, as they are, as `file://` addresses, or in quotes.
pub(crate) fn paths_in(text: &str) -> Vec<PathBuf> {
    text.lines()
        .map(|line| line.trim().trim_matches(['"', '\'']))
        .filter(|line| !line.is_empty())
        .map(|line| match line.strip_prefix("file://") {
            Some(address) => percent_decoded(address),
            None => expand_home(line),
        })
        .filter(|path| path.is_absolute() && path.exists())
        .collect()
}

/// A typed path; "~" is the user's home.
pub(crate) fn expand_home(text: &str) -> PathBuf {
    match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            directories::UserDirs::new().map_or_else(
                || PathBuf::from(text),
                |dirs| dirs.home_dir().join(rest.trim_start_matches(['/', '\\'])),
            )
        }
        _ => PathBuf::from(text),
    }
}

fn percent_decoded(address: &str) -> PathBuf {
    let bytes = address.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = address.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        std::ffi::OsString::from_vec(decoded).into()
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(&decoded).trim_start_matches('/').to_owned())
    }
}

fn save_pasted(picture: &arboard::ImageData<'_>) -> std::io::Result<PathBuf> {
    let folder = places::pasted_dir();
    std::fs::create_dir_all(&folder)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = now.map_or(0, |since| since.as_millis());
    let path = folder.join(format!("pasted-{millis}.png"));
    let (width, height) = (picture.width as u32, picture.height as u32);
    // Many programs paste opaque pictures with an alpha channel; it is kept only where it says
    // something, so that it does not travel into results.
    let is_opaque = picture.bytes.chunks_exact(4).all(|pixel| pixel[3] == 255);
    let file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_color(if is_opaque { png::ColorType::Rgb } else { png::ColorType::Rgba });
    let mut writer = encoder.write_header()?;
    if is_opaque {
        let rgb: Vec<u8> = picture.bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        writer.write_image_data(&rgb)?;
    } else {
        writer.write_image_data(&picture.bytes)?;
    }
    writer.finish()?;
    Ok(path)
}

fn is_picture_name(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| PICTURES.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Recordings and folders of them, as far as they are there.
fn find_sounds(paths: Vec<PathBuf>) -> Answer {
    let paths: Vec<PathBuf> =
        paths.into_iter().map(|path| std::path::absolute(&path).unwrap_or(path)).collect();
    match paths.iter().find(|path| !path.exists()) {
        Some(path) => Answer::Failed(format!("There is no such file: {}", path.display())),
        None => Answer::Sounds(paths),
    }
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
    fn pasted_text_gives_the_paths_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b.jpg");
        std::fs::write(&file, b"x").unwrap();
        let address = format!("file://{}", file.display().to_string().replace(' ', "%20"));
        let text = format!("{address}\r\n\"{}\"\n/not/there.jpg\nhello\n", file.display());
        assert_eq!(paths_in(&text), [file.clone(), file]);
    }

    #[test]
    fn a_pasted_picture_is_kept_exactly() {
        let bytes = vec![1, 2, 3, 255, 4, 5, 6, 255];
        let picture = arboard::ImageData { width: 2, height: 1, bytes: bytes.into() };
        let path = save_pasted(&picture).unwrap();
        let decoder =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (2, 1, png::ColorType::Rgb));
        assert_eq!(pixels, [1, 2, 3, 4, 5, 6]);
    }
}
