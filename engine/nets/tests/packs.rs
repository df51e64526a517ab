//! Brings the real packs with the package client of this computer, where `LIMPID_TEST_FETCH=1`
//! asks for it: into `LIMPID_PACKS_DIR` where that is set, else into a temporary folder.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use limpid_kernels::Cancel;
use limpid_nets::{Library, LibraryConfig, Task};

#[test]
fn every_pack_can_be_fetched_and_loaded() {
    if std::env::var_os("LIMPID_TEST_FETCH").is_none() {
        eprintln!("not run: LIMPID_TEST_FETCH is not set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = Library::open(LibraryConfig {
        packs_dir: std::env::var_os("LIMPID_PACKS_DIR")
            .map_or_else(|| folder.path().join("packs"), Into::into),
        imports_dir: folder.path().join("imports"),
    })
    .unwrap();
    let mut faults = Vec::new();
    for pack in library.packs() {
        let mut steps = 0;
        let result =
            library.fetch(pack.name(), &Cancel::new(), &mut |_| steps += 1).and_then(|card| {
                match card.task {
                    Task::Speech => library.load_speech(pack.name()).map(|_| card),
                    _ => library.load(pack.name()).map(|network| network.card().clone()),
                }
            });
        match result {
            Ok(card) => assert!(card.installed && steps == 3),
            Err(error) => faults.push(format!("{}: {error}", pack.name())),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
