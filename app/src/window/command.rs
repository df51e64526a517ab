//! Everything a person can ask the window to do, in one table. It feeds the menu, the top bar, the
//! keys, the command palette and the shortcuts page; the shell acts on it in one place.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use super::icon;
use super::state::Page;

/// A thing to do that takes no argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Choose pictures.
    OpenFiles,
    /// Choose a folder of pictures.
    OpenFolder,
    /// Type a path.
    OpenPath,
    /// Take pictures or paths from the clipboard.
    Paste,
    /// Close the picture that is shown.
    CloseFile,
    /// Close all pictures.
    CloseAll,
    /// Show the next picture.
    NextFile,
    /// Show the picture before.
    PreviousFile,
    /// Leave the program.
    Quit,
    /// Take back the last change of the recipe.
    Undo,
    /// Make it again.
    Redo,
    /// Put the recipe on the clipboard as text.
    CopySettings,
    /// Take a recipe from the clipboard.
    PasteSettings,
    /// Keep the recipe under a name.
    SavePreset,
    /// Take a preset from a file.
    ImportPreset,
    /// Write the recipe to a file.
    ExportPreset,
    /// All settings of the recipe as at first start.
    ResetRecipe,
    /// Whole picture in the canvas.
    ZoomFit,
    /// One picture pixel, one screen pixel.
    Zoom100,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// Before and after side by side.
    ToggleSplit,
    /// The same part of both, beside each other.
    ToggleSideBySide,
    /// A magnified spot under the pointer.
    ToggleLens,
    /// The original instead of the result.
    ToggleOriginal,
    /// What is removed instead of what is left.
    ToggleNoise,
    /// Brightness histogram.
    ToggleHistogram,
    /// List of opened pictures.
    ToggleFiles,
    /// Recipe cards.
    ToggleRecipe,
    /// Queue.
    ToggleQueue,
    /// The page for pictures.
    ShowPhotos,
    /// The page for recordings.
    ShowVoice,
    /// Play, or hold; the recording under way likewise.
    TogglePlay,
    /// Start a recording, or end it.
    ToggleRecording,
    /// Hear the recording as it is.
    HearOriginal,
    /// Hear the cleaned recording.
    HearClean,
    /// Hear what was taken away.
    HearRemoved,
    /// Play head to the start.
    GoToStart,
    /// Write the cleaned recording.
    SaveSound,
    /// Process the picture that is shown.
    ProcessCurrent,
    /// Process all opened pictures.
    ProcessAll,
    /// Hold the queue or let it go on.
    PauseResume,
    /// Cancel everything that waits or runs.
    CancelAll,
    /// Take finished rows away.
    ClearFinished,
    /// The models on this computer.
    ShowModels,
    /// Take a model from a file.
    ImportModel,
    /// Settings of the program.
    ShowSettings,
    /// All keys.
    ShowShortcuts,
    /// Find a command by its name.
    ShowPalette,
    /// Name, version, licence.
    ShowAbout,
}

/// Where a command stands in the menu and on the shortcuts page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Pictures in and out of the window.
    File,
    /// The recipe.
    Edit,
    /// What is seen.
    View,
    /// Recordings.
    Voice,
    /// Work.
    Queue,
    /// The program.
    Program,
}

impl Group {
    /// All, in menu order.
    pub const ALL: [Self; 6] =
        [Self::File, Self::Edit, Self::View, Self::Voice, Self::Queue, Self::Program];

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Recipe",
            Self::View => "View",
            Self::Voice => "Voice",
            Self::Queue => "Queue",
            Self::Program => "Program",
        }
    }
}

/// What is said of a command.
pub struct Entry {
    /// Sentence case, "…" where it opens a dialog.
    pub text: &'static str,
    /// One sentence.
    pub tooltip: &'static str,
    /// One character of the icon font; empty for none.
    pub icon: &'static str,
    /// Key, when it has one.
    pub shortcut: Option<KeyboardShortcut>,
    /// Where it stands.
    pub group: Group,
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
const PLAIN: Modifiers = Modifiers::NONE;

const fn keys(modifiers: Modifiers, key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(modifiers, key))
}

impl Command {
    /// All, in menu order.
    pub const ALL: [Self; 50] = [
        Self::OpenFiles,
        Self::OpenFolder,
        Self::OpenPath,
        Self::Paste,
        Self::PreviousFile,
        Self::NextFile,
        Self::CloseFile,
        Self::CloseAll,
        Self::Quit,
        Self::Undo,
        Self::Redo,
        Self::CopySettings,
        Self::PasteSettings,
        Self::SavePreset,
        Self::ImportPreset,
        Self::ExportPreset,
        Self::ResetRecipe,
        Self::ZoomFit,
        Self::Zoom100,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::ToggleSplit,
        Self::ToggleSideBySide,
        Self::ToggleLens,
        Self::ToggleOriginal,
        Self::ToggleNoise,
        Self::ToggleHistogram,
        Self::ToggleFiles,
        Self::ToggleRecipe,
        Self::ToggleQueue,
        Self::ShowPhotos,
        Self::ShowVoice,
        Self::TogglePlay,
        Self::ToggleRecording,
        Self::HearOriginal,
        Self::HearClean,
        Self::HearRemoved,
        Self::GoToStart,
        Self::SaveSound,
        Self::ProcessCurrent,
        Self::ProcessAll,
        Self::PauseResume,
        Self::CancelAll,
        Self::ClearFinished,
        Self::ShowModels,
        Self::ImportModel,
        Self::ShowSettings,
        Self::ShowShortcuts,
        Self::ShowPalette,
        Self::ShowAbout,
    ];

    /// The row of the table.
    #[must_use]
    pub fn entry(self) -> Entry {
        let e =
            |text, tooltip, icon, shortcut, group| Entry { text, tooltip, icon, shortcut, group };
        use Group::{Edit, File, Program, Queue, View, Voice};
        match self {
            Self::OpenFiles => {
                e("Open…", "Choose pictures.", icon::FOLDER_OPEN, keys(CTRL, Key::O), File)
            }
            Self::OpenFolder => e(
                "Open folder…",
                "Choose a folder; the pictures in it and below it are opened.",
                icon::IMAGES,
                keys(CTRL_SHIFT, Key::O),
                File,
            ),
            Self::OpenPath => {
                e("Open path…", "Type a file or folder.", icon::KEYBOARD, keys(CTRL, Key::L), File)
            }
            Self::Paste => e(
                "Paste",
                "Open a picture, files or paths from the clipboard.",
                icon::CLIPBOARD_TEXT,
                keys(CTRL, Key::V),
                File,
            ),
            Self::PreviousFile => e(
                "Previous picture",
                "Zoom and place stay.",
                icon::ARROW_LEFT,
                keys(PLAIN, Key::ArrowLeft),
                File,
            ),
            Self::NextFile => e(
                "Next picture",
                "Zoom and place stay.",
                icon::ARROW_RIGHT,
                keys(PLAIN, Key::ArrowRight),
                File,
            ),
            Self::CloseFile => e(
                "Close picture",
                "Take the picture from the list. The file stays as it is.",
                icon::X,
                keys(CTRL, Key::W),
                File,
            ),
            Self::CloseAll => e(
                "Close all pictures",
                "Empty the list. The files stay as they are.",
                icon::X_CIRCLE,
                keys(CTRL_SHIFT, Key::W),
                File,
            ),
            Self::Quit => e(
                "Quit",
                "Leave Limpid. The queue goes on at the next start.",
                icon::SIGN_OUT,
                keys(CTRL, Key::Q),
                File,
            ),
            Self::Undo => e(
                "Undo",
                "Take back the last change of the recipe.",
                icon::ARROW_U_UP_LEFT,
                keys(CTRL, Key::Z),
                Edit,
            ),
            Self::Redo => e(
                "Redo",
                "Make the change again.",
                icon::ARROW_U_UP_RIGHT,
                keys(CTRL_SHIFT, Key::Z),
                Edit,
            ),
            Self::CopySettings => e(
                "Copy settings",
                "Put the recipe on the clipboard, as text anyone can read.",
                icon::COPY,
                keys(CTRL_SHIFT, Key::C),
                Edit,
            ),
            Self::PasteSettings => e(
                "Paste settings",
                "Take a recipe from the clipboard.",
                icon::CLIPBOARD_TEXT,
                keys(CTRL_SHIFT, Key::V),
                Edit,
            ),
            Self::SavePreset => e(
                "Save preset…",
                "Keep these settings under a name.",
                icon::FLOPPY_DISK,
                keys(CTRL, Key::S),
                Edit,
            ),
            Self::ImportPreset => e(
                "Import preset…",
                "Take a recipe file (.toml).",
                icon::FILE_ARROW_DOWN,
                None,
                Edit,
            ),
            Self::ExportPreset => e(
                "Export recipe…",
                "Write a recipe file, for another computer or the command line.",
                icon::DOWNLOAD_SIMPLE,
                keys(CTRL_SHIFT, Key::S),
                Edit,
            ),
            Self::ResetRecipe => e(
                "Reset recipe",
                "All settings as at first start.",
                icon::ARROW_COUNTER_CLOCKWISE,
                keys(CTRL_SHIFT, Key::R),
                Edit,
            ),
            Self::ZoomFit => e(
                "Fit",
                "The whole picture in the canvas.",
                icon::FRAME_CORNERS,
                keys(PLAIN, Key::F),
                View,
            ),
            Self::Zoom100 => e(
                "100 %",
                "One picture pixel on one screen pixel.",
                icon::MAGNIFYING_GLASS,
                keys(PLAIN, Key::Num1),
                View,
            ),
            Self::ZoomIn => e(
                "Zoom in",
                "Also the wheel, at the pointer.",
                icon::MAGNIFYING_GLASS_PLUS,
                keys(PLAIN, Key::Plus),
                View,
            ),
            Self::ZoomOut => e(
                "Zoom out",
                "Also the wheel, at the pointer.",
                icon::MAGNIFYING_GLASS_MINUS,
                keys(PLAIN, Key::Minus),
                View,
            ),
            Self::ToggleSplit => e(
                "Split view",
                "Original on the left of a line that you drag, result on the right.",
                icon::SQUARE_SPLIT_HORIZONTAL,
                keys(PLAIN, Key::S),
                View,
            ),
            Self::ToggleSideBySide => e(
                "Side by side",
                "The same part of original and result, beside each other.",
                icon::COLUMNS,
                keys(PLAIN, Key::D),
                View,
            ),
            Self::ToggleLens => e(
                "Lens",
                "A magnified spot under the pointer: original and result.",
                icon::CIRCLE_HALF,
                keys(PLAIN, Key::L),
                View,
            ),
            Self::ToggleOriginal => e(
                "Show original",
                "The picture as it was. Hold Space for a moment's look.",
                icon::EYE,
                keys(PLAIN, Key::O),
                View,
            ),
            Self::ToggleNoise => e(
                "Show the noise",
                "What the recipe removes, amplified around mid-grey.",
                icon::WAVES,
                keys(PLAIN, Key::N),
                View,
            ),
            Self::ToggleHistogram => e(
                "Histogram",
                "How bright the picture is, before and after.",
                icon::CHART_BAR,
                keys(PLAIN, Key::H),
                View,
            ),
            Self::ToggleFiles => e(
                "File list",
                "The opened pictures, on the left.",
                icon::SIDEBAR_SIMPLE,
                keys(PLAIN, Key::F6),
                View,
            ),
            Self::ToggleRecipe => e(
                "Recipe",
                "The cards on the right.",
                icon::SLIDERS_HORIZONTAL,
                keys(PLAIN, Key::F7),
                View,
            ),
            Self::ToggleQueue => {
                e("Queue", "The rows at the bottom.", icon::QUEUE, keys(PLAIN, Key::F8), View)
            }
            Self::ShowPhotos => {
                e("Photos", "The page for pictures.", icon::IMAGE, keys(CTRL, Key::Num1), View)
            }
            Self::ShowVoice => e(
                "Voice",
                "The page for recordings: see, hear, clean, record.",
                icon::WAVEFORM,
                keys(CTRL, Key::Num2),
                View,
            ),
            Self::TogglePlay => e(
                "Play or pause",
                "Hear the recording from the play head on.",
                icon::PLAY,
                keys(PLAIN, Key::Space),
                Voice,
            ),
            Self::ToggleRecording => e(
                "Record or stop",
                "Record from the microphone. What is recorded is on the disk as it happens.",
                icon::RECORD,
                keys(PLAIN, Key::R),
                Voice,
            ),
            Self::HearOriginal => e(
                "Hear original",
                "The recording as it is.",
                icon::SPEAKER_HIGH,
                keys(PLAIN, Key::Num1),
                Voice,
            ),
            Self::HearClean => e(
                "Hear clean",
                "The cleaned recording, as loud as the original.",
                icon::SPARKLE,
                keys(PLAIN, Key::Num2),
                Voice,
            ),
            Self::HearRemoved => e(
                "Hear removed",
                "Only what was taken away.",
                icon::WAVES,
                keys(PLAIN, Key::Num3),
                Voice,
            ),
            Self::GoToStart => e(
                "Go to start",
                "The play head to the first second.",
                icon::SKIP_BACK,
                keys(PLAIN, Key::Home),
                Voice,
            ),
            Self::SaveSound => e(
                "Save clean recording…",
                "Write what is heard as clean, as WAV or FLAC.",
                icon::FLOPPY_DISK,
                keys(CTRL, Key::S),
                Voice,
            ),
            Self::ProcessCurrent => e(
                "Process this picture",
                "Write the result of the recipe for the picture that is shown.",
                icon::SPARKLE,
                keys(CTRL, Key::Enter),
                Queue,
            ),
            Self::ProcessAll => e(
                "Process all pictures",
                "Write the result of the recipe for every picture in the list.",
                icon::STACK,
                keys(CTRL_SHIFT, Key::Enter),
                Queue,
            ),
            Self::PauseResume => e(
                "Pause or resume",
                "Hold the queue; it keeps its place.",
                icon::PAUSE,
                keys(CTRL, Key::P),
                Queue,
            ),
            Self::CancelAll => e(
                "Cancel all",
                "Cancel what waits and what runs. Finished files stay.",
                icon::PROHIBIT,
                None,
                Queue,
            ),
            Self::ClearFinished => e(
                "Clear finished",
                "Take ended rows from the queue. The files stay.",
                icon::BROOM,
                keys(CTRL_SHIFT, Key::Delete),
                Queue,
            ),
            Self::ShowModels => e(
                "Models",
                "What each model does, its size, licence and measured quality.",
                icon::CUBE,
                keys(CTRL, Key::M),
                Program,
            ),
            Self::ImportModel => e(
                "Import model…",
                "Take a model from a .safetensors file.",
                icon::FILE_PLUS,
                None,
                Program,
            ),
            Self::ShowSettings => e(
                "Settings",
                "Device, memory, threads, and what new recipes start with.",
                icon::GEAR_SIX,
                keys(CTRL, Key::Comma),
                Program,
            ),
            Self::ShowShortcuts => {
                e("Shortcuts", "All keys.", icon::KEYBOARD, keys(PLAIN, Key::F1), Program)
            }
            Self::ShowPalette => e(
                "Find a command…",
                "Type a few letters of what you want to do.",
                icon::COMMAND,
                keys(CTRL, Key::K),
                Program,
            ),
            Self::ShowAbout => {
                e("About Limpid", "Version and licences.", icon::INFO, None, Program)
            }
        }
    }

    /// The page that the command is for; none for those of the whole window.
    pub(crate) fn page(self) -> Option<Page> {
        match self {
            Self::PreviousFile
            | Self::NextFile
            | Self::CloseFile
            | Self::CloseAll
            | Self::Undo
            | Self::Redo
            | Self::CopySettings
            | Self::PasteSettings
            | Self::SavePreset
            | Self::ImportPreset
            | Self::ExportPreset
            | Self::ResetRecipe
            | Self::Zoom100
            | Self::ToggleSplit
            | Self::ToggleSideBySide
            | Self::ToggleLens
            | Self::ToggleOriginal
            | Self::ToggleNoise
            | Self::ToggleHistogram
            | Self::ToggleFiles
            | Self::ProcessCurrent
            | Self::ProcessAll => Some(Page::Photos),
            Self::TogglePlay
            | Self::ToggleRecording
            | Self::HearOriginal
            | Self::HearClean
            | Self::HearRemoved
            | Self::GoToStart
            | Self::SaveSound => Some(Page::Voice),
            _ => None,
        }
    }

    /// The sentence under the pointer, with the key at its end.
    #[must_use]
    pub fn tooltip_with_keys(self) -> String {
        let entry = self.entry();
        match entry.shortcut {
            Some(shortcut) => format!("{}  ({})", entry.tooltip, keys_text(&shortcut)),
            None => entry.tooltip.to_owned(),
        }
    }
}

/// A shortcut as people write it: "Ctrl+Shift+O".
#[must_use]
pub fn keys_text(shortcut: &KeyboardShortcut) -> String {
    let mut text = String::new();
    let modifiers = shortcut.modifiers;
    if modifiers.command {
        text += if cfg!(target_os = "macos") { "Cmd+" } else { "Ctrl+" };
    }
    if modifiers.alt {
        text += "Alt+";
    }
    if modifiers.shift {
        text += "Shift+";
    }
    text += match shortcut.logical_key {
        Key::ArrowLeft => "Left",
        Key::ArrowRight => "Right",
        Key::Plus => "+",
        Key::Minus => "-",
        Key::Comma => ",",
        other => other.name(),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_described_and_no_two_share_a_key() {
        let mut seen: Vec<(KeyboardShortcut, Command)> = Vec::new();
        let mut wrong = Vec::new();
        for command in Command::ALL {
            let entry = command.entry();
            if entry.text.is_empty() || !entry.tooltip.ends_with('.') {
                wrong.push(format!("{command:?}: text or tooltip"));
            }
            if let Some(shortcut) = entry.shortcut {
                // A page's own key may be another page's.
                let meets = |other: Command| match (other.page(), command.page()) {
                    (Some(one), Some(two)) => one == two,
                    _ => true,
                };
                let twice = seen.iter().find(|(key, other)| *key == shortcut && meets(*other));
                if let Some((_, other)) = twice {
                    wrong.push(format!("{command:?} and {other:?}: {}", keys_text(&shortcut)));
                }
                seen.push((shortcut, command));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn the_table_names_each_command_once() {
        let unique: std::collections::HashSet<_> = Command::ALL.into_iter().collect();
        assert_eq!(unique.len(), Command::ALL.len());
    }
}
