//! The queue as the window shows it: rows made from the engine's events.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use limpid_engine::{Event, FailureKind, Item, ItemId, Stage};

/// How far a row is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowState {
    /// Its turn has not come.
    Waiting,
    /// Being worked on.
    Working {
        /// What is being done.
        stage: Option<Stage>,
        /// Share of the file, `0..=1`.
        fraction: f32,
    },
    /// The result is in place.
    Finished {
        /// The result.
        output: PathBuf,
        /// Work time.
        seconds: f32,
        /// What the user should know.
        notes: Vec<String>,
    },
    /// The result was there already.
    Skipped {
        /// The file that is there.
        output: PathBuf,
    },
    /// It failed.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        message: String,
    },
    /// It was cancelled.
    Cancelled,
}

impl RowState {
    /// Whether nothing more will happen by itself.
    pub(crate) fn is_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Working { .. })
    }
}

/// A file in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Which one.
    pub(crate) id: ItemId,
    /// The file to read.
    pub(crate) input: PathBuf,
    /// Its name for people.
    pub(crate) name: String,
    /// How far it is.
    pub(crate) state: RowState,
}

/// All rows and what is known of the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    rows: Vec<Row>,
    places: HashMap<ItemId, usize>,
    /// Whether it is held.
    pub(crate) is_paused: bool,
    /// The engine's estimate for the rest.
    pub(crate) seconds_left: Option<f32>,
}

/// How many rows there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All rows.
    pub(crate) total: usize,
    /// Rows that ended, in whatever way.
    pub(crate) ended: usize,
    /// Rows with a result.
    pub(crate) finished: usize,
    /// Rows that failed.
    pub(crate) failed: usize,
}

/// What happened, for the toasts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notable {
    /// The last file of the queue ended.
    AllDone(Counts),
}

impl Queue {
    /// All rows, in order.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many rows there are of each kind.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { total: self.rows.len(), ..Counts::default() };
        for row in &self.rows {
            counts.ended += usize::from(row.state.is_ended());
            counts.finished += usize::from(matches!(row.state, RowState::Finished { .. }));
            counts.failed += usize::from(matches!(row.state, RowState::Failed { .. }));
        }
        counts
    }

    /// Whether a row waits or runs.
    pub(crate) fn has_work(&self) -> bool {
        self.rows.iter().any(|row| !row.state.is_ended())
    }

    /// Whether a row has a result, new or old.
    pub(crate) fn has_finished(&self) -> bool {
        let is =
            |row: &Row| matches!(row.state, RowState::Finished { .. } | RowState::Skipped { .. });
        self.rows.iter().any(is)
    }

    /// The state of the newest row for this file, for its mark in the list.
    pub(crate) fn state_of(&self, input: &Path) -> Option<&RowState> {
        self.rows.iter().rev().find(|row| row.input == input).map(|row| &row.state)
    }

    /// Takes in what the engine said; other events are passed over.
    pub(crate) fn apply(&mut self, event: &Event) -> Option<Notable> {
        let had_work = self.has_work();
        match event {
            Event::Queued { items, .. } => {
                for item in items {
                    self.add(item);
                }
            }
            Event::Started { item } => {
                self.set(*item, RowState::Working { stage: None, fraction: 0.0 });
            }
            Event::Progress { item, stage, fraction, seconds_left, .. } => {
                self.seconds_left = *seconds_left;
                let state = RowState::Working { stage: Some(stage.clone()), fraction: *fraction };
                self.set(*item, state);
            }
            Event::Finished { item, output, seconds, notes } => {
                let (output, notes) = (output.clone(), notes.clone());
                self.set(*item, RowState::Finished { output, seconds: *seconds, notes });
            }
            Event::Skipped { item, output } => {
                self.set(*item, RowState::Skipped { output: output.clone() });
            }
            Event::Failed { item, kind, message } => {
                self.set(*item, RowState::Failed { kind: *kind, message: message.clone() });
            }
            Event::Cancelled { item } => self.set(*item, RowState::Cancelled),
            Event::Waiting { item } => self.set(*item, RowState::Waiting),
            Event::Removed { items } => self.remove(items),
            _ => return None,
        }
        if had_work && !self.has_work() && !self.rows.is_empty() {
            self.seconds_left = None;
            return Some(Notable::AllDone(self.counts()));
        }
        None
    }

    fn add(&mut self, item: &Item) {
        if self.places.contains_key(&item.id) {
            return;
        }
        let name =
            item.input.file_name().unwrap_or(item.input.as_os_str()).to_string_lossy().into_owned();
        self.places.insert(item.id, self.rows.len());
        self.rows.push(Row {
            id: item.id,
            input: item.input.clone(),
            name,
            state: RowState::Waiting,
        });
    }

    fn set(&mut self, id: ItemId, state: RowState) {
        if let Some(row) = self.places.get(&id).and_then(|place| self.rows.get_mut(*place)) {
            row.state = state;
        }
    }

    fn remove(&mut self, ids: &[ItemId]) {
        let gone: std::collections::HashSet<_> = ids.iter().collect();
        self.rows.retain(|row| !gone.contains(&row.id));
        self.places = self.rows.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
    }
}

/// A stage in words, as it stands in a row.
pub(crate) fn stage_text(stage: Option<&Stage>) -> String {
    match stage {
        None => "Starting".into(),
        Some(Stage::Reading) => "Reading".into(),
        Some(Stage::Measuring) => "Measuring noise".into(),
        Some(Stage::Enhancing(steps)) => steps.clone(),
        Some(Stage::Writing) => "Writing".into(),
    }
}

/// A time in the words of a person: "40 s", "3 min", "1 h 20 min".
pub(crate) fn duration_text(seconds: f32) -> String {
    // Estimates jump about; coarser steps for longer times keep them calm.
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..=9 => format!("{} s", seconds.max(1)),
        10..=89 => format!("{} s", seconds.div_ceil(5) * 5),
        90..=3569 => format!("{} min", (seconds + 30) / 60),
        _ => {
            let minutes = (seconds + 30) / 60;
            match minutes % 60 {
                0 => format!("{} h", minutes / 60),
                rest => format!("{} h {rest} min", minutes / 60),
            }
        }
    }
}

/// "19 of 50 · 3 min left", "50 done, 2 failed".
pub(crate) fn summary_text(queue: &Queue) -> String {
    let counts = queue.counts();
    if counts.total == 0 {
        return "Empty".into();
    }
    if queue.has_work() {
        let mut text = format!("{} of {}", counts.ended, counts.total);
        if queue.is_paused {
            text += " · paused";
        } else if let Some(seconds) = queue.seconds_left {
            text += &format!(" · {} left", duration_text(seconds));
        }
        if counts.failed > 0 {
            text += &format!(" · {} failed", counts.failed);
        }
        return text;
    }
    ended_text(counts)
}

/// "3 done", "48 done, 2 failed", "1 done, 3 not".
pub(crate) fn ended_text(counts: Counts) -> String {
    let mut parts = vec![format!("{} done", counts.finished)];
    if counts.failed > 0 {
        parts.push(format!("{} failed", counts.failed));
    }
    let other = counts.ended - counts.finished - counts.failed;
    if other > 0 {
        parts.push(format!("{other} skipped or cancelled"));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_engine::JobId;

    fn id(index: u32) -> ItemId {
        ItemId { job: JobId(1), index }
    }

    fn queued(count: u32) -> Event {
        let items = (0..count)
            .map(|index| Item { id: id(index), input: format!("/in/{index}.jpg").into() })
            .collect();
        Event::Queued { job: JobId(1), items }
    }

    #[test]
    fn rows_follow_the_events_and_the_end_is_told_once() {
        let mut queue = Queue::default();
        queue.apply(&queued(3));
        queue.apply(&queued(3));
        assert_eq!(queue.rows().len(), 3, "known ids are known files");
        queue.apply(&Event::Started { item: id(0) });
        queue.apply(&Event::Progress {
            item: id(0),
            stage: Stage::Enhancing("Denoise".into()),
            fraction: 0.4,
            files_done: 0,
            files_total: 3,
            seconds_left: Some(170.0),
        });
        assert_eq!(summary_text(&queue), "0 of 3 · 3 min left");
        let finished = |index| Event::Finished {
            item: id(index),
            output: "/out/x.jpg".into(),
            seconds: 1.0,
            notes: Vec::new(),
        };
        assert_eq!(queue.apply(&finished(0)), None);
        let failed =
            Event::Failed { item: id(1), kind: FailureKind::Damaged, message: "Broken.".into() };
        assert_eq!(queue.apply(&failed), None);
        let end = queue.apply(&Event::Cancelled { item: id(2) });
        let counts = Counts { total: 3, ended: 3, finished: 1, failed: 1 };
        assert_eq!(end, Some(Notable::AllDone(counts)));
        assert_eq!(summary_text(&queue), "1 done · 1 failed · 1 skipped or cancelled");
        assert_eq!(queue.apply(&Event::Idle), None);
    }

    #[test]
    fn rows_that_left_are_gone_and_the_rest_is_found() {
        let mut queue = Queue::default();
        queue.apply(&queued(3));
        queue.apply(&Event::Removed { items: vec![id(1)] });
        queue.apply(&Event::Started { item: id(2) });
        assert_eq!(queue.rows().len(), 2);
        assert!(matches!(queue.rows()[1].state, RowState::Working { .. }));
        queue.apply(&Event::Failed {
            item: id(2),
            kind: FailureKind::Unwritable,
            message: "The folder is read-only.".into(),
        });
        queue.apply(&Event::Waiting { item: id(2) });
        assert_eq!(queue.state_of(Path::new("/in/2.jpg")), Some(&RowState::Waiting));
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let cases = [
            (0.2, "1 s"),
            (8.6, "9 s"),
            (41.0, "45 s"),
            (100.0, "2 min"),
            (3590.0, "1 h"),
            (4800.0, "1 h 20 min"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration_text(seconds), text, "{seconds}");
        }
    }
}
