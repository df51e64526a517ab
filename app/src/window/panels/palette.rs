//! Find a command by a few of its letters.

use eframe::egui::{self, Button, Key, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::super::command::{Command, keys_text};
use super::super::shell::is_possible;
use super::super::state::{Action, State};
use super::super::theme;

/// The field and the commands that match. `text` and `chosen` are the state of the dialog.
pub(crate) fn palette_ui(
    ui: &mut Ui,
    state: &State,
    text: &mut String,
    chosen: &mut usize,
    actions: &mut Vec<Action>,
) {
    let (up, down, enter) = ui.input_mut(|input| {
        (
            input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowUp),
            input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowDown),
            input.consume_key(egui::Modifiers::NONE, Key::Enter),
        )
    });
    let field = TextEdit::singleline(text)
        .hint_text("Type what you want to do")
        .desired_width(f32::INFINITY)
        .margin(vec2(8.0, 6.0));
    let field = ui.add(field).accessible_name("Find a command");
    if !field.has_focus() {
        field.request_focus();
    }
    if field.changed() {
        *chosen = 0;
    }
    let found = matches(text, state);
    let last = found.len().saturating_sub(1);
    *chosen = (*chosen + down).saturating_sub(up).min(last);
    if enter && let Some(command) = found.get(*chosen) {
        actions.push(Action::CloseDialog);
        actions.push(Action::Run(*command));
    }
    ui.add_space(theme::GAP_SMALL);
    ScrollArea::vertical().max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (index, command) in found.iter().enumerate() {
            let entry = command.entry();
            let sign = RichText::new(entry.icon).size(theme::ICON - 2.0).color(theme::TEXT_WEAK);
            let mut button = Button::selectable(index == *chosen, (sign, entry.text))
                .min_size(vec2(ui.available_width(), 28.0))
                .gap(9.0);
            if let Some(shortcut) = &entry.shortcut {
                let keys = RichText::new(keys_text(shortcut)).color(theme::TEXT_WEAK);
                button = button.shortcut_text(keys);
            }
            let response = ui.add(button).accessible_name(entry.text);
            if index == *chosen && up + down > 0 {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                actions.push(Action::CloseDialog);
                actions.push(Action::Run(*command));
            }
        }
        if found.is_empty() {
            ui.label(theme::weak("No command has these letters."));
        }
    });
}

/// The commands that are possible now and have the letters of `text` in order; best first.
fn matches(text: &str, state: &State) -> Vec<Command> {
    let mut found: Vec<(usize, Command)> = Command::ALL
        .into_iter()
        .filter(|command| *command != Command::ShowPalette && is_possible(*command, state))
        .filter_map(|command| score(text, command.entry().text).map(|score| (score, command)))
        .collect();
    found.sort_by_key(|(score, _)| *score);
    found.into_iter().map(|(_, command)| command).collect()
}

/// Lower is better: whole text at the start, then inside, then letters in order; none when not all
/// letters are there.
fn score(wanted: &str, text: &str) -> Option<usize> {
    let wanted = wanted.trim().to_lowercase();
    let text = text.to_lowercase();
    if let Some(place) = text.find(&wanted) {
        return Some(place);
    }
    let mut rest = text.chars();
    let mut skipped = 100;
    for letter in wanted.chars().filter(|c| !c.is_whitespace()) {
        skipped += rest.by_ref().position(|other| other == letter)?;
    }
    Some(skipped)
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn letters_find_their_command() {
        assert_eq!(score("open", "Open folder…"), Some(0));
        assert!(score("opf", "Open folder…").is_some());
        assert!(score("zz", "Zoom in").is_none());
        assert!(score("in", "Zoom in") < score("zi", "Zoom in"));
    }
}
