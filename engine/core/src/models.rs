//! The thread that fetches, imports and checks models.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use crossbeam_channel::Receiver;
use limpid_kernels::Cancel;
use limpid_nets::packs::FetchStep;
use limpid_nets::{Library, LoadError, LoadErrorKind, ModelCard};

use crate::event::Event;
use crate::outbox::Outbox;

/// Something to do about models.
#[derive(Debug)]
pub(crate) enum ModelWork {
    Fetch(String),
    Import(PathBuf),
    Verify,
}

impl ModelWork {
    fn name(&self) -> String {
        match self {
            Self::Fetch(name) => name.clone(),
            Self::Import(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Self::Verify => String::new(),
        }
    }
}

/// Does what it is asked, one thing after the other, until the channel closes or `cancel` is set.
pub(crate) fn run(
    library: &Library,
    outbox: &Outbox,
    cancel: &Cancel,
    requests: &Receiver<ModelWork>,
) {
    for request in requests {
        if cancel.is_cancelled() {
            return;
        }
        let model = request.name();
        let did = catch_unwind(AssertUnwindSafe(|| perform(library, outbox, cancel, &request)));
        if did.is_err() {
            let message = "Limpid made a mistake with this model".to_owned();
            outbox.tell(Event::ModelFailed { model, message });
        }
    }
}

fn perform(library: &Library, outbox: &Outbox, cancel: &Cancel, request: &ModelWork) {
    let model = request.name();
    let progress = |fraction| {
        outbox.tell_if_room(Event::ModelProgress { model: model.clone(), fraction });
    };
    match request {
        ModelWork::Fetch(name) => {
            progress(None);
            let fetched = library.fetch(name, cancel, &mut |step| {
                progress(match step {
                    FetchStep::Download => None, // the package client tells nothing meanwhile
                    FetchStep::Check => Some(0.8),
                    FetchStep::Convert => Some(0.9),
                });
            });
            end(outbox, model, fetched);
        }
        ModelWork::Import(path) => {
            progress(None);
            end(outbox, model, library.import(path));
        }
        ModelWork::Verify => {
            let results = library.verify();
            let problems =
                results.into_iter().filter_map(|(card, result)| Some((card, result.err()?)));
            let problems = problems.map(|(card, error)| format!("{}: {error}", card.title));
            outbox.tell(Event::ModelsVerified { problems: problems.collect() });
        }
    }
}

fn end(outbox: &Outbox, model: String, result: Result<ModelCard, LoadError>) {
    outbox.tell(match result {
        Ok(card) => Event::ModelReady { card: Box::new(card) },
        Err(error) if error.kind() == LoadErrorKind::Cancelled => {
            Event::ModelFailed { model, message: "the fetch was stopped".into() }
        }
        Err(error) => Event::ModelFailed { model, message: error.to_string() },
    });
}
