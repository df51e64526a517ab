//! Tells how a batch goes: a progress bar for a person, JSON lines for a program, or failures only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use limpid_engine::{Event, Item, ItemId, Stage};

use super::json::{self, Line};
use super::{output, units};

/// How much is told, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A bar where a terminal is, then a line with the count.
    Person,
    /// JSON lines on standard output; failures also on standard error.
    Json,
    /// Failures alone.
    Quiet,
}

/// How a file ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// A result is in place.
    Finished,
    /// A result was there already.
    Skipped,
    /// No result, for a reason.
    Failed,
    /// No result, because the user said so.
    Cancelled,
}

/// What is known of a file.
#[derive(Debug)]
struct Row {
    input: PathBuf,
    /// Work on it began in this run; what ended before, an earlier run did.
    is_begun: bool,
    end: Option<End>,
    /// Why it failed, when that was in an earlier run: told at the end unless it is tried again.
    old_failure: Option<String>,
}

/// How many files ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// A result is in place; `before` of them since an earlier, interrupted run.
    pub(super) finished: u32,
    pub(super) before: u32,
    /// A result was there already.
    pub(super) skipped: u32,
    /// No result, for a reason.
    pub(super) failed: u32,
    /// No result, because the user said so.
    pub(super) cancelled: u32,
}

/// Follows the events of one job.
pub(super) struct Report {
    form: Form,
    bar: Option<ProgressBar>,
    rows: BTreeMap<ItemId, Row>,
    started: Instant,
}

/// Steps of the bar for each file.
const BAR_STEPS: f32 = 1000.0;

impl Report {
    /// Begins to tell.
    #[must_use]
    pub(super) fn new(form: Form) -> Self {
        let bar = (form == Form::Person && output::has_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {prefix}  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { form, bar, rows: BTreeMap::new(), started: Instant::now() }
    }

    /// Takes in an event.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Queued { items, .. } => self.queued(items),
            Event::Started { item } => {
                self.json(Line::Started { file: self.input(*item) });
                if let Some(row) = self.rows.get_mut(item) {
                    row.is_begun = true;
                }
            }
            Event::Progress { item, stage, fraction, files_done, files_total, seconds_left } => {
                self.json(Line::Progress {
                    file: self.input(*item),
                    stage,
                    fraction: *fraction,
                    files_done: *files_done,
                    files_total: *files_total,
                    seconds_left: *seconds_left,
                });
                if let Some(bar) = &self.bar {
                    bar.set_message(bar_message(self.input(*item), stage, *seconds_left));
                }
                self.move_bar(*fraction, *files_done, *files_total);
            }
            Event::Finished { item, output, seconds, notes } => {
                let before = !self.is_begun(*item);
                let file = self.input(*item);
                self.json(Line::Finished { file, output, seconds: *seconds, notes, before });
                if self.form == Form::Person && !before {
                    for note in notes {
                        self.say(&path_last(&format!("note: {note}"), output));
                    }
                }
                self.end_row(*item, End::Finished);
            }
            Event::Skipped { item, output } => {
                self.json(Line::Skipped { file: self.input(*item), output });
                self.end_row(*item, End::Skipped);
            }
            Event::Failed { item, kind, message } => {
                let text = path_last(message, self.input(*item));
                if self.is_begun(*item) {
                    self.json(Line::Failed { file: self.input(*item), kind: *kind, message });
                    self.say(&text);
                } else if let Some(row) = self.rows.get_mut(item) {
                    row.old_failure = Some(text);
                }
                self.end_row(*item, End::Failed);
            }
            Event::Cancelled { item } => {
                self.json(Line::Cancelled { file: self.input(*item) });
                self.end_row(*item, End::Cancelled);
            }
            Event::Waiting { item } => {
                if let Some(row) = self.rows.get_mut(item) {
                    (row.end, row.old_failure) = (None, None);
                }
            }
            _ => {}
        }
    }

    /// Ends: takes the bar away and tells the count.
    pub(super) fn end(self) -> Counts {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        for text in self.rows.values().filter_map(|row| row.old_failure.as_ref()) {
            output::error_line(text);
        }
        let counts = self.counts();
        let seconds = self.started.elapsed().as_secs_f32();
        match self.form {
            Form::Json => self.json(Line::Done { counts, seconds }),
            Form::Person => output::error_line(&summary(counts, seconds)),
            Form::Quiet => {}
        }
        counts
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in self.rows.values() {
            match row.end {
                Some(End::Finished) => {
                    counts.finished += 1;
                    counts.before += u32::from(!row.is_begun);
                }
                Some(End::Skipped) => counts.skipped += 1,
                Some(End::Failed) => counts.failed += 1,
                // What waits when all is over was cancelled before its turn came.
                Some(End::Cancelled) | None => counts.cancelled += 1,
            }
        }
        counts
    }

    /// The files of the job; sent again with more of them when a batch is taken up.
    fn queued(&mut self, items: &[Item]) {
        for item in items {
            let new =
                Row { input: item.input.clone(), is_begun: false, end: None, old_failure: None };
            self.rows.entry(item.id).or_insert(new);
        }
        self.json(Line::Queued { files: self.rows.len() });
        let ended = self.rows.values().filter(|row| row.end.is_some()).count();
        self.move_bar(0.0, ended as u32, self.rows.len() as u32);
    }

    fn end_row(&mut self, item: ItemId, end: End) {
        if let Some(row) = self.rows.get_mut(&item) {
            row.end = Some(end);
        }
    }

    fn input(&self, item: ItemId) -> &Path {
        self.rows.get(&item).map_or(Path::new(""), |row| row.input.as_path())
    }

    fn is_begun(&self, item: ItemId) -> bool {
        self.rows.get(&item).is_some_and(|row| row.is_begun)
    }

    fn json(&self, line: Line<'_>) {
        if self.form == Form::Json {
            output::line(&json::text(&line));
        }
    }

    /// A line above the bar.
    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::error_line(text)),
            None => output::error_line(text),
        }
    }

    fn move_bar(&self, fraction: f32, files_done: u32, files_total: u32) {
        let Some(bar) = &self.bar else { return };
        let position = (files_done as f32 + fraction.clamp(0.0, 1.0)) * BAR_STEPS;
        bar.set_length((files_total as f32 * BAR_STEPS) as u64);
        bar.set_position(position as u64);
        bar.set_prefix(format!("{files_done} of {files_total}"));
    }
}

fn bar_message(file: &Path, stage: &Stage, seconds_left: Option<f32>) -> String {
    let what = match stage {
        Stage::Reading => "reading",
        Stage::Measuring => "measuring noise",
        Stage::Enhancing(step) => step,
        Stage::Writing => "writing",
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match seconds_left {
        Some(left) => format!("{} left  {what}  {name}", units::show_seconds(left)),
        None => format!("{what}  {name}"),
    }
}

/// A failure's sentence ends with the file it is about; most say it themselves.
fn path_last(message: &str, file: &Path) -> String {
    let path = file.display().to_string();
    if message.contains(&path) { message.to_owned() } else { format!("{message}: {path}") }
}

fn summary(counts: Counts, seconds: f32) -> String {
    let Counts { finished, before, skipped, failed, cancelled } = counts;
    let files = finished + skipped + failed + cancelled;
    let mut text = format!(
        "{files} {} in {}: {finished} done",
        if files == 1 { "file" } else { "files" },
        units::show_seconds(seconds)
    );
    for (count, what) in [
        (before, "of them before"),
        (skipped, "there already"),
        (failed, "failed"),
        (cancelled, "not done"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_leaves_out_what_did_not_happen() {
        let counts = Counts { finished: 1, ..Counts::default() };
        assert_eq!(summary(counts, 2.0), "1 file in 2.0 s: 1 done");
        let counts = Counts { finished: 5, before: 3, skipped: 2, failed: 1, cancelled: 0 };
        assert_eq!(
            summary(counts, 90.0),
            "8 files in 1 min 30 s: 5 done, 3 of them before, 2 there already, 1 failed"
        );
    }

    fn item(index: u32) -> ItemId {
        ItemId { job: limpid_engine::JobId(1), index }
    }

    fn queued(count: u32) -> Event {
        let items =
            (0..count).map(|index| Item { id: item(index), input: format!("{index}").into() });
        Event::Queued { job: limpid_engine::JobId(1), items: items.collect() }
    }

    fn finished(index: u32) -> Event {
        Event::Finished { item: item(index), output: "x".into(), seconds: 1.0, notes: Vec::new() }
    }

    fn failed(index: u32) -> Event {
        let kind = limpid_engine::FailureKind::Damaged;
        Event::Failed { item: item(index), kind, message: "broken".into() }
    }

    #[test]
    fn a_batch_that_is_taken_up_counts_every_file_once() {
        let mut report = Report::new(Form::Quiet);
        // An earlier run finished 0, failed at 1 and 2, and was killed.
        for event in [queued(5), finished(0), failed(1), failed(2)] {
            report.event(&event);
        }
        assert_eq!(report.rows[&item(1)].old_failure.as_deref(), Some("broken: 1"));
        // This run tries 1 and 2 again, then the rest; one more file was found.
        for event in [
            Event::Waiting { item: item(1) },
            Event::Waiting { item: item(2) },
            queued(6),
            Event::Started { item: item(1) },
            failed(1),
            Event::Started { item: item(2) },
            finished(2),
            Event::Started { item: item(3) },
            finished(3),
            Event::Started { item: item(4) },
            Event::Cancelled { item: item(4) },
        ] {
            report.event(&event);
        }
        assert_eq!(
            report.counts(),
            Counts { finished: 3, before: 1, skipped: 0, failed: 1, cancelled: 2 }
        );
        assert!(report.rows.values().all(|row| row.old_failure.is_none()));
    }

    #[test]
    fn a_path_is_said_once_and_last() {
        let file = Path::new("/a/b.jpg");
        assert_eq!(path_last("the file is empty", file), "the file is empty: /a/b.jpg");
        assert_eq!(path_last("the file is empty: /a/b.jpg", file), "the file is empty: /a/b.jpg");
    }

    #[test]
    fn an_estimate_and_the_step_are_in_the_bar() {
        let stage = Stage::Enhancing("Denoise".into());
        let text = bar_message(Path::new("x/a.jpg"), &stage, Some(75.0));
        assert_eq!(text, "1 min 15 s left  Denoise  a.jpg");
    }
}
