//! What a killed program left behind: files in work become files that wait, or files that are done
//! when their result had come into place.

use std::path::{Path, PathBuf};

use crate::event::ItemId;
use crate::queue::{ItemState, Queue};
use crate::record::{Record, Stamp, StoredPath};

/// What the encoder calls a result that is not in its place yet: "photo.jpg.limpid-part".
pub(crate) const PART_SUFFIX: &str = ".limpid-part";

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
        }
    }
    let without_output: Vec<_> = queue
        .items()
        .filter(|(_, item)| !item.state.is_ended() && item.state != ItemState::Waiting)
        .map(|(id, _)| id)
        .collect();
    without_output.into_iter().for_each(|id| queue.put_back(id));
}

fn part_path(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(PART_SUFFIX);
    name.into()
}
