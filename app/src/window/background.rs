//! What may take long and is not the engine's: file dialogs, the clipboard, folders, small files.
//! Each on a thread of its own; the answer wakes the window.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui;
use limpid_files::PartFile;

use super::state::{OpenedFile, Page, PathPurpose};
use super::{find, voice};
use crate::places;

/// A dialog that answers "nothing chosen" this soon was never on the screen.
const NO_DIALOG: Duration = Duration::from_millis(250);

/// An answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Pictures were found.
    Opened(Vec<OpenedFile>),
    /// One recording, to show.
    Sound(PathBuf),
    /// Several recordings, or folders of them.
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

    /// Finds the pictures and recordings among files and folders, see [`find`].
    pub(crate) fn open(&self, paths: Vec<PathBuf>, page: Page) {
        let sender = self.send.clone();
        self.spawn("open", move || {
            let mut answers = find::sorted(paths, page);
            let last = answers.pop();
            for answer in answers {
                let _closing = sender.send(answer);
            }
            last
        });
    }

    /// Shows a file dialog.
    pub(crate) fn choose(&self, purpose: PathPurpose, folder: Option<PathBuf>) {
        self.choose_named(purpose, folder, None);
    }

    /// Shows a file dialog that suggests a name, numbered where that is taken.
    pub(crate) fn choose_named(
        &self,
        purpose: PathPurpose,
        folder: Option<PathBuf>,
        name: Option<String>,
    ) {
        self.spawn("dialog", move || {
            let name = name.map(|name| free_name(folder.as_deref(), &name));
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
    pub(crate) fn paste(&self, page: Page) {
        let sender = self.send.clone();
        self.spawn("paste", move || {
            let mut answers = pasted(page);
            let last = answers.pop();
            for answer in answers {
                let _closing = sender.send(answer);
            }
            last
        });
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

/// This name, or "NAME-2.wav" and so on where the folder has it.
fn free_name(folder: Option<&Path>, wanted: &str) -> String {
    let Some(folder) = folder else { return wanted.to_owned() };
    let (stem, dot, extension) = match wanted.rsplit_once('.') {
        Some((stem, extension)) => (stem, ".", extension),
        None => (wanted, "", ""),
    };
    let mut name = wanted.to_owned();
    let mut number = 2_u32;
    while folder.join(&name).symlink_metadata().is_ok() {
        name = format!("{stem}-{number}{dot}{extension}");
        number = number.saturating_add(1);
    }
    name
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
            .add_filter("Pictures", &filter(&find::PICTURES))
            .pick_files(),
        PathPurpose::OpenFolder => dialog.set_title("Open folders").pick_folders(),
        PathPurpose::OutputFolder | PathPurpose::DefaultFolder | PathPurpose::SoundFolder => {
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

/// What the clipboard holds: files, a picture, or paths as text.
fn pasted(page: Page) -> Vec<Answer> {
    let failed = |text: String| vec![Answer::Failed(text)];
    let mut clipboard = match arboard::Clipboard::new() {
        Ok(clipboard) => clipboard,
        Err(error) => return failed(format!("The clipboard does not answer ({error}).")),
    };
    if let Ok(files) = clipboard.get().file_list()
        && !files.is_empty()
    {
        return find::sorted(files, page);
    }
    if let Ok(picture) = clipboard.get_image() {
        return match save_pasted(&picture) {
            Ok(path) => vec![Answer::Opened(vec![OpenedFile::new(path, None)])],
            Err(error) => failed(format!("The pasted picture cannot be kept ({error}).")),
        };
    }
    if let Ok(text) = clipboard.get_text() {
        let paths = paths_in(&text);
        if !paths.is_empty() {
            return find::sorted(paths, page);
        }
    }
    failed("There is no picture and no recording on the clipboard.".into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_name_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let name = || free_name(Some(folder.path()), "a.b-limpid.wav");
        assert_eq!(name(), "a.b-limpid.wav");
        for taken in ["a.b-limpid.wav", "a.b-limpid-2.wav"] {
            std::fs::write(folder.path().join(taken), b"").unwrap();
        }
        assert_eq!(name(), "a.b-limpid-3.wav");
        assert_eq!(free_name(None, "a.wav"), "a.wav");
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
