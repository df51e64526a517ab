//! The saved queue: a file of lines, each a checksum and one record in JSON, only ever appended to
//! and flushed to the disk. A program that is killed at any moment leaves at most a torn last line,
//! which is passed over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use limpid_files::PartFile;

use crate::error::EngineError;
use crate::queue::Queue;
use crate::record::Record;

const FILE: &str = "queue.journal";
const LOCK_FILE: &str = "queue.lock";

/// Longest line that is read or written. Far above what a job of 100 000 files needs; a reader of a
/// damaged file never holds more than this.
const LONGEST_LINE: u64 = 64 << 20;

/// What a saved queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Jobs.
    pub jobs: usize,
    /// Files of all jobs.
    pub files: usize,
    /// Files that wait, or were in work.
    pub unfinished: usize,
    /// Lines that could not be read.
    pub damaged_lines: usize,
}

/// Reads a saved queue from `bytes`. Any bytes will do: lines that cannot be read are counted and
/// passed over.
#[must_use]
pub fn read(bytes: &[u8]) -> Contents {
    let Ok(replay) = replay(bytes) else { return Contents::default() };
    let unfinished = replay.queue.items().filter(|(_, item)| !item.state.is_ended()).count();
    Contents {
        jobs: replay.queue.jobs().count(),
        files: replay.queue.items().count(),
        unfinished,
        damaged_lines: replay.damaged_lines,
    }
}

/// A queue as its journal tells it.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) queue: Queue,
    pub(crate) damaged_lines: usize,
    /// The newest format that a line asks for.
    version: u32,
}

fn replay(mut reader: impl BufRead) -> std::io::Result<Replay> {
    let mut replay = Replay::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(replay);
        }
        match parse_line(&line) {
            Some(record) => {
                if let Record::Queue { version, .. } = record {
                    replay.version = replay.version.max(version);
                }
                replay.queue.apply(record);
            }
            None => replay.damaged_lines += 1,
        }
    }
}

fn parse_line(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, rest) = line.split_at_checked(16)?;
    let json = rest.strip_prefix(b" ")?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum != checksum(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn write_line(out: &mut impl Write, record: &Record) -> std::io::Result<()> {
    out.write_all(&line(&serde_json::to_vec(record)?))
}

/// The line of a saved queue that holds `json`, whatever that is: its checksum, itself, its end.
/// Public for fuzzing, which does not guess checksums.
#[must_use]
pub fn line(json: &[u8]) -> Vec<u8> {
    let mut line = format!("{:016x} ", checksum(json)).into_bytes();
    line.extend_from_slice(json);
    line.push(b'\n');
    line
}

/// FNV-1a, 64 bit (Fowler, Noll, Vo): finds a torn or damaged line, and names a batch. No defence
/// against forgery, and none is needed: who can write the journal can write the pictures.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The folder of a saved queue, owned by this process alone while it is held.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Takes the folder, made when missing.
    ///
    /// # Errors
    /// [`EngineError::InUse`] when another process holds it, [`EngineError::State`] when it cannot
    /// be used.
    pub(crate) fn take(path: &Path) -> Result<Self, EngineError> {
        let state = |action, path: &Path| {
            let path = path.to_owned();
            move |source| EngineError::State { action, path, source }
        };
        let lock_path = path.join(LOCK_FILE);
        // The last owner may remove the lock's file between our opening and our locking it; then
        // what we hold guards nothing, and we try again.
        for _ in 0..16 {
            std::fs::create_dir_all(path).map_err(state("opened", path))?;
            let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path);
            let lock = match lock {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                lock => lock.map_err(state("opened", &lock_path))?,
            };
            match lock.try_lock() {
                Ok(()) if is_still_at(&lock, &lock_path) => {
                    return Ok(Self { path: path.to_owned(), _lock: lock });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(EngineError::InUse(path.to_owned())),
                Err(TryLockError::Error(e)) => return Err(state("opened", &lock_path)(e)),
            }
        }
        Err(EngineError::InUse(path.to_owned()))
    }

    /// Reads the queue that is saved here.
    ///
    /// # Errors
    /// [`EngineError::State`] when the file cannot be read, or is of a newer format.
    pub(crate) fn read(&self) -> Result<Replay, EngineError> {
        let path = self.path.join(FILE);
        let replay = match File::open(&path) {
            Ok(file) => replay(BufReader::new(file)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Replay::default()),
            Err(e) => Err(e),
        };
        let replay = replay.and_then(|replay| match replay.version {
            0..=Record::VERSION => Ok(replay),
            newer => Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("a newer Limpid wrote it, format {newer}"),
            )),
        });
        replay.map_err(|source| EngineError::State { action: "read", path, source })
    }

    /// Replaces the journal by `records`: written beside it and renamed, so that one of the two is
    /// whole at any moment. Returns the file, ready to be appended to.
    fn rewrite(&self, records: &[Record]) -> std::io::Result<File> {
        let path = self.path.join(FILE);
        let mut part = PartFile::create(&path, None)?;
        let mut out = BufWriter::new(part.file());
        for record in records {
            write_line(&mut out, record)?;
        }
        out.flush()?;
        drop(out);
        part.finish()?;
        OpenOptions::new().append(true).open(&path)
    }

    /// Removes the saved queue, and the folder when nothing else is in it.
    fn remove(self) {
        let gone = std::fs::remove_file(self.path.join(FILE));
        tracing::debug!(?gone, "removed the saved queue");
        if cfg!(unix) {
            // While it is held: see `take`. Elsewhere a held file cannot be removed, and stays.
            drop(std::fs::remove_file(self.path.join(LOCK_FILE)));
        }
        drop(std::fs::remove_dir(&self.path)); // fails where there is more in it, as it should
    }
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_at(_file: &File, _path: &Path) -> bool {
    true
}

/// The thread that writes the journal. Records are handed over without waiting; [`Journal::begin_settle`]
/// tells when all of them are on the disk. Without a folder records go
/// nowhere.
#[derive(Debug)]
pub(crate) struct Journal {
    sender: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Message {
    Record(Box<Record>),
    Rewrite(Vec<Record>),
    Settle(Sender<()>),
    /// Ends the thread; removes the saved queue when it is empty.
    Close {
        remove: bool,
    },
}

impl Journal {
    /// A journal that keeps nothing.
    pub(crate) fn nowhere() -> Self {
        Self { sender: None, thread: None }
    }

    /// A journal in `dir` that begins with the records of `queue`.
    ///
    /// # Errors
    /// [`EngineError::State`] when it cannot be written, [`EngineError::Threads`].
    pub(crate) fn start(dir: StateDir, queue: &Queue) -> Result<Self, EngineError> {
        let file = dir.rewrite(&queue.records()).map_err(|source| {
            let path = dir.path.join(FILE);
            EngineError::State { action: "written", path, source }
        })?;
        let (sender, receiver) = crossbeam_channel::unbounded();
        let thread = std::thread::Builder::new()
            .name("limpid-journal".into())
            .spawn(move || Writer { dir, file, torn: false }.run(&receiver))
            .map_err(|e| EngineError::Threads(e.to_string()))?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    fn send(&self, message: Message) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.send(message).is_ok())
    }

    /// Appends a record. Records reach the disk in the order of these calls.
    pub(crate) fn record(&self, record: Record) {
        self.send(Message::Record(Box::new(record)));
    }

    /// Replaces everything written so far.
    pub(crate) fn rewrite(&self, records: Vec<Record>) {
        self.send(Message::Rewrite(records));
    }

    /// Asks for a message (or the end of the channel) once everything recorded so far is on the
    /// disk, or could not be written. None when nothing is kept.
    pub(crate) fn begin_settle(&self) -> Option<Receiver<()>> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        self.send(Message::Settle(sender)).then_some(receiver)
    }

    /// Writes what is left and gives the folder free; removes the saved queue when asked.
    pub(crate) fn close(&mut self, remove: bool) {
        self.send(Message::Close { remove });
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread ended early");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close(false);
    }
}

struct Writer {
    dir: StateDir,
    file: File,
    /// The last write failed and may have left half a line.
    torn: bool,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        let mut lines = Vec::new();
        while let Ok(first) = receiver.recv() {
            let mut waiting = Vec::new();
            // Whatever has come meanwhile shares one flush.
            for message in std::iter::once(first).chain(receiver.try_iter()) {
                match message {
                    Message::Record(record) => {
                        if let Err(error) = write_line(&mut lines, &record) {
                            tracing::error!(%error, "a change of the queue cannot be stored");
                        }
                    }
                    Message::Rewrite(records) => {
                        lines.clear();
                        self.rewrite(&records);
                    }
                    Message::Settle(sender) => waiting.push(sender),
                    Message::Close { remove } => {
                        if remove {
                            self.dir.remove();
                        } else {
                            self.append(&lines);
                        }
                        return;
                    }
                }
            }
            self.append(&lines);
            lines.clear();
            for sender in waiting {
                let _gone = sender.send(());
            }
        }
    }

    fn rewrite(&mut self, records: &[Record]) {
        match self.dir.rewrite(records) {
            Ok(file) => (self.file, self.torn) = (file, false),
            Err(error) => self.warn(&error),
        }
    }

    fn append(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        // A new line first closes the half one, so that only that one is lost.
        let separator: &[u8] = if self.torn { b"\n" } else { b"" };
        let written = self
            .file
            .write_all(separator)
            .and_then(|()| self.file.write_all(lines))
            .and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
        if let Err(error) = written {
            self.warn(&error);
        }
    }

    /// The results matter more than the queue's memory of them: the work goes on.
    fn warn(&self, error: &std::io::Error) {
        tracing::warn!(%error, folder = %self.dir.path.display(), "the saved queue was not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ItemId, JobId};
    use crate::job::{Destination, Found, Job};
    use crate::recipe::Recipe;
    use crate::record::{StoredItem, StoredJob, StoredPath};
    use proptest::prelude::*;

    const ITEM: ItemId = ItemId { job: JobId(3), index: 0 };

    fn records() -> Vec<Record> {
        let job = Job {
            inputs: vec!["/in/ä b.jpg".into()],
            recursive: false,
            recipe: Recipe::new([]),
            destination: Destination::Recipe,
        };
        let found = Found { input: "/in/ä b.jpg".into(), below: PathBuf::new() };
        let output = || StoredPath("/out/ä b.jpg".into());
        vec![
            Record::Queue { version: 1, next_job: 3 },
            Record::Job { job: JobId(3), spec: StoredJob::new(&job) },
            Record::Items { job: JobId(3), items: vec![StoredItem::new(0, &found)] },
            Record::Sealed { job: JobId(3), count: 1 },
            Record::Started { item: ITEM, output: output(), attempt: 1 },
            Record::Committing { item: ITEM, before: None },
            Record::Done {
                item: ITEM,
                output: output(),
                seconds: 0.25,
                notes: vec!["x\ny".into()],
            },
        ]
    }

    fn lines(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| write_line(&mut bytes, record).unwrap());
        bytes
    }

    fn queue_of(records: &[Record]) -> Queue {
        let mut queue = Queue::default();
        records.iter().cloned().for_each(|record| queue.apply(record));
        queue
    }

    #[test]
    fn a_journal_cut_at_any_byte_gives_the_records_before_the_cut() {
        let records = records();
        let bytes = lines(&records);
        let ends: Vec<usize> =
            (0..=records.len()).map(|count| lines(&records[..count]).len()).collect();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let replay = replay(&bytes[..cut]).unwrap();
            assert_eq!(replay.queue, queue_of(&records[..whole]), "cut at {cut}");
            assert_eq!(replay.damaged_lines, usize::from(ends[whole] != cut), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_its_line_alone() {
        let records = records();
        let bytes = lines(&records);
        let last_line = lines(&records[..records.len() - 1]).len();
        for at in last_line..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let replay = replay(&damaged[..]).unwrap();
            // A flip that makes a line end gives two damaged lines.
            assert!((1..=2).contains(&replay.damaged_lines), "byte {at}");
            assert_eq!(replay.queue, queue_of(&records[..records.len() - 1]), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let contents = read(&bytes);
            prop_assert_eq!(contents.files, 0);
        }
    }

    #[test]
    fn any_change_behind_a_right_checksum_can_be_read() {
        for record in records() {
            let json = serde_json::to_vec(&record).unwrap();
            for at in 0..json.len() {
                for replacement in [b'0', b'-', b'"', b'[', b'}', 0xff] {
                    let mut json = json.clone();
                    json[at] = replacement;
                    let mut bytes = lines(&records()[..4]);
                    bytes.extend(line(&json));
                    let contents = read(&bytes);
                    assert!(contents.damaged_lines <= 1 && contents.files <= 2, "{contents:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_recorded_is_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let records = records();
        let state = StateDir::take(dir.path()).unwrap();
        let mut journal = Journal::start(state, &Queue::default()).unwrap();
        records.iter().cloned().for_each(|record| journal.record(record));
        journal.begin_settle().unwrap().recv().unwrap();
        let on_disk = std::fs::read(dir.path().join(FILE)).unwrap();
        assert_eq!(read(&on_disk), Contents { jobs: 1, files: 1, ..Contents::default() });
        journal.close(false);
        let replay = StateDir::take(dir.path()).unwrap().read().unwrap();
        assert_eq!(replay.queue, queue_of(&records));
    }

    #[test]
    fn a_torn_line_does_not_spoil_what_is_written_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let records = records();
        let mut torn = lines(&records[..5]);
        torn.truncate(torn.len() - 7);
        std::fs::write(dir.path().join(FILE), torn).unwrap();
        let state = StateDir::take(dir.path()).unwrap();
        let replay = state.read().unwrap();
        assert_eq!(replay.damaged_lines, 1);
        let mut journal = Journal::start(state, &replay.queue).unwrap();
        records[4..].iter().cloned().for_each(|record| journal.record(record));
        journal.close(false);
        let replay = StateDir::take(dir.path()).unwrap().read().unwrap();
        assert_eq!((replay.damaged_lines, replay.queue), (0, queue_of(&records)));
    }

    #[test]
    fn one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::take(dir.path()).unwrap();
        let second = StateDir::take(dir.path());
        assert!(matches!(second, Err(EngineError::InUse(_))), "{second:?}");
        drop(first);
        StateDir::take(dir.path()).unwrap();
    }

    #[test]
    fn a_journal_of_a_newer_program_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = lines(&[Record::Queue { version: 2, next_job: 0 }]);
        std::fs::write(dir.path().join(FILE), &bytes).unwrap();
        let state = StateDir::take(dir.path()).unwrap();
        let error = state.read().unwrap_err().to_string();
        assert!(error.contains("newer Limpid"), "{error}");
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), bytes);
    }

    #[test]
    fn an_empty_queue_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("batch");
        let state = StateDir::take(&state_dir).unwrap();
        let mut journal = Journal::start(state, &Queue::default()).unwrap();
        journal.close(true);
        assert_eq!(state_dir.exists(), cfg!(not(unix)));
    }
}
