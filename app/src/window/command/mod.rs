//! Everything a person can ask the window to do. It feeds the menu, the top bar, the keys, the command
//! palette and the shortcuts page; the shell acts on it in one place. What is said of each command,
//! and its key, stands in `table`.

mod table;

use eframe::egui::{Key, KeyboardShortcut};

use super::state::Page;
pub use table::Entry;

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
