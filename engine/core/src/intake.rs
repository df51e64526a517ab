//! The thread that turns submitted folders into files, so that a window never waits for a disk.

use std::collections::HashSet;
use std::path::PathBuf;

use crossbeam_channel::Receiver;
use limpid_kernels::Cancel;

use crate::event::{Event, Item, ItemId, JobId};
use crate::job::{self, Found};
use crate::record::{Record, StoredItem};
use crate::shared::Shared;

/// Files that go into one line of the journal.
const FILES_A_RECORD: usize = 128;

/// Takes jobs in until the channel closes.
pub(crate) fn run(shared: &Shared, jobs: &Receiver<JobId>) {
    for job in jobs {
        if shared.lock().is_closing {
            return;
        }
        take_in(shared, job);
    }
}

/// Finds the files of a job that are not in the queue yet.
fn take_in(shared: &Shared, id: JobId) {
    let state = shared.lock();
    let Some(entry) = state.queue.job(id) else { return };
    let (spec, known) = (entry.spec.clone(), entry.items.len());
    let known_inputs: HashSet<PathBuf> =
        entry.items.values().map(|item| item.found.input.clone()).collect();
    let first_index = entry
        .count
        .unwrap_or(0)
        .max(entry.items.last_key_value().map_or(0, |(index, _)| index.saturating_add(1)));
    let cancel = state.intake.get(&id).cloned().unwrap_or_else(Cancel::new);
    drop(state);

    let found = job::expand(&spec, &cancel);
    let files: Vec<(StoredItem, u64)> = found
        .iter()
        .flatten()
        .filter(|found| !known_inputs.contains(&found.input))
        .zip(first_index..u32::MAX)
        .map(|(found, index)| (StoredItem::new(index, found), size(found)))
        .collect();
    shared.update(|state| {
        state.intake.remove(&id);
        if state.is_closing {
            return; // not sealed: read again at the next start
        }
        for (item, bytes) in &files {
            state.sizes.insert(ItemId { job: id, index: item.index }, *bytes);
        }
        let count = u32::try_from(files.len()).unwrap_or(u32::MAX).saturating_add(first_index);
        for items in files.chunks(FILES_A_RECORD) {
            let items = items.iter().map(|(item, _)| item.clone()).collect();
            state.change(Record::Items { job: id, items });
        }
        state.change(Record::Sealed { job: id, count });
        if files.is_empty() && known == 0 {
            state.change(Record::Removed { items: Vec::new() }); // cancelled before it began
        }
        state.owes_idle = true;
        announce(shared, state.queue.job(id), id);
    });
}

/// Tells the app the files of a job, and how those ended that did.
pub(crate) fn announce(shared: &Shared, entry: Option<&crate::queue::JobEntry>, job: JobId) {
    let items = entry.into_iter().flat_map(|entry| &entry.items);
    let items = items.map(|(index, item)| Item {
        id: ItemId { job, index: *index },
        input: item.found.input.clone(),
    });
    shared.outbox.push(Event::Queued { job, items: items.collect() });
}

fn size(found: &Found) -> u64 {
    found.input.metadata().map_or(0, |metadata| metadata.len())
}
