//! What a killed program left behind: files in work become files that wait, or files that are done
//! when their result had come into place.

use std::path::{Path, PathBuf};

use limpid_files::PART_SUFFIX;

use crate::event::{FailureKind, ItemId};
use crate::queue::{ItemState, Queue};
use crate::record::{Record, Stamp, StoredPath};

/// A file that the program ended in the middle of this often is set aside: it may be what brings the
/// program down (a fault in the system's libraries, memory that the system refuses), and must not
/// keep the rest of the queue from being done.
const MOST_ATTEMPTS: u32 = 5;

/// Settles every file that was in work against what is on the disk, and removes the partial results
/// of this queue.
///
/// The encoder writes the partial file, then the worker writes [`Record::Committing`] with the stamp
/// of what lies in the result's place, then the file is renamed. So a result was put in place exactly
/// when the partial file is gone and another file than the stamped one is there.
pub(crate) fn settle(queue: &mut Queue) {
    let in_work: Vec<(ItemId, PathBuf, Option<Option<Stamp>>)> = queue
        .items()
        .filter_map(|(id, item)| {
            let output = item.output.clone()?;
            match &item.state {
                ItemState::Committing { before } => Some((id, output, Some(*before))),
                ItemState::Running => Some((id, output, None)),
                _ => None,
            }
        })
        .collect();
    for (id, output, committing) in in_work {
        let part = part_path(&output);
        let is_in_place = committing.is_some_and(|before| {
            let now = Stamp::of(&output);
            now.is_some() && now != before && part.symlink_metadata().is_err()
        });
        if is_in_place {
            let (seconds, notes) = (0.0, Vec::new());
            queue.apply(Record::Done { item: id, output: StoredPath(output), seconds, notes });
        } else {
            if part.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
                && let Err(error) = std::fs::remove_file(&part)
            {
                tracing::warn!(%error, path = %part.display(), "a partial result stays behind");
            }
            queue.put_back(id);
            set_aside(queue, id);
        }
    }
    let without_output: Vec<_> = queue
        .items()
        .filter(|(_, item)| !item.state.is_ended() && item.state != ItemState::Waiting)
        .map(|(id, _)| id)
        .collect();
    without_output.into_iter().for_each(|id| queue.put_back(id));
}

fn set_aside(queue: &mut Queue, id: ItemId) {
    if let Some(item) = queue.item(id)
        && item.attempts >= MOST_ATTEMPTS
    {
        let message = format!(
            "Limpid ended {} times in the middle of this file and has set it aside; retry it alone: {}",
            item.attempts,
            item.found.input.display()
        );
        queue.apply(Record::Failed { item: id, kind: FailureKind::Internal, message });
    }
}

fn part_path(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(PART_SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::JobId;
    use crate::job::{Destination, Found, Job};
    use crate::recipe::Recipe;
    use crate::record::{StoredItem, StoredJob};
    use std::fs;

    const ITEM: ItemId = ItemId { job: JobId(0), index: 0 };

    /// A queue of one file that was in work when the program was killed.
    fn killed(output: &Path, committing: Option<Option<Stamp>>) -> Queue {
        let job = Job {
            inputs: vec!["/in".into()],
            recursive: false,
            recipe: Recipe::new([]),
            destination: Destination::Recipe,
        };
        let found = Found { input: "/in".into(), below: PathBuf::new() };
        let mut queue = Queue::default();
        queue.apply(Record::Job { job: JobId(0), spec: StoredJob::new(&job) });
        queue.apply(Record::Items { job: JobId(0), items: vec![StoredItem::new(0, &found)] });
        queue.apply(Record::Sealed { job: JobId(0), count: 1 });
        let output = StoredPath(output.to_owned());
        queue.apply(Record::Started { item: ITEM, output, attempt: 1 });
        if let Some(before) = committing {
            queue.apply(Record::Committing { item: ITEM, before });
        }
        queue
    }

    #[test]
    fn each_moment_of_a_kill_is_told_apart() {
        // (an old result lies there, committing was recorded, part file is there, renamed) → done
        let cases = [
            (false, false, false, false, false),
            (false, false, true, false, false),
            (false, true, true, false, false),
            (false, true, false, true, true),
            (true, false, true, false, false),
            (true, true, true, false, false),
            (true, true, false, false, false), // the part file was not made yet
            (true, true, false, true, true),
        ];
        let mut wrong = Vec::new();
        for case in cases {
            let (old, committing, part, renamed, done) = case;
            let dir = tempfile::tempdir().unwrap();
            let output = dir.path().join("a.jpg");
            if old {
                fs::write(&output, b"old result").unwrap();
            }
            let before = Stamp::of(&output);
            fs::write(part_path(&output), b"new result").unwrap();
            if renamed {
                fs::rename(part_path(&output), &output).unwrap();
            } else if !part {
                fs::remove_file(part_path(&output)).unwrap();
            }
            let mut queue = killed(&output, committing.then_some(before));
            settle(&mut queue);
            let state = &queue.item(ITEM).unwrap().state;
            let is_right = match done {
                true => matches!(state, ItemState::Done { .. }),
                false => *state == ItemState::Waiting,
            };
            if !is_right || part_path(&output).exists() || output.exists() != (old || renamed) {
                wrong.push((case, state.clone()));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_file_that_brings_the_program_down_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = killed(&dir.path().join("a.jpg"), None);
        for attempt in 1..=MOST_ATTEMPTS {
            settle(&mut queue);
            let is_waiting = queue.item(ITEM).unwrap().state == ItemState::Waiting;
            assert_eq!(is_waiting, attempt < MOST_ATTEMPTS, "after attempt {attempt}");
            // Each start writes the queue anew and begins.
            let mut next = Queue::default();
            queue.records().into_iter().for_each(|record| next.apply(record));
            next.put_back(ITEM);
            if next.take_next() == Some(ITEM) {
                let attempt = next.item(ITEM).unwrap().attempts;
                let output = StoredPath(dir.path().join("a.jpg"));
                next.apply(Record::Started { item: ITEM, output, attempt });
            }
            queue = next;
        }
        assert!(queue.retry(ITEM));
        assert_eq!(queue.item(ITEM).unwrap().attempts, 0);
    }
}
