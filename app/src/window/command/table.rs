//! The table of commands: name, sentence, icon, key and place of each.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use super::super::icon;
use super::{Command, Group};

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
}
