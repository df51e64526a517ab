//! The models on this computer: built in, fetched as packs, imported.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use limpid_kernels::Cancel;

use crate::card::{ModelCard, Origin, Task};
use crate::cpu::Buffers;
use crate::device::Device;
use crate::error::{LoadError, LoadErrorKind};
use crate::network::Network;
use crate::packs::{self, FetchStep, Pack};
use crate::speech::{DeepFilterNet3, DeepFilterSettings, SpeechNetwork};
use crate::weights::Weights;
use crate::{built_in, imports};

/// Among installed models of one task, "auto" takes the first of these. Our denoiser comes before
/// FFDNet: on the noise of cameras it is 1.7 dB better than FFDNet with the level we measure.
const PREFERRED: [&str; 3] = ["dn-resnet", "span-x2", "span-x4"];

/// Where models are kept. Folders that do not exist are empty, and made when first written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryConfig {
    /// Converted packs.
    pub packs_dir: PathBuf,
    /// Files the user imported.
    pub imports_dir: PathBuf,
}

impl LibraryConfig {
    /// The user's own folders; `LIMPID_PACKS_DIR` and `LIMPID_IMPORTS_DIR` name others.
    #[must_use]
    pub fn for_user() -> Self {
        let data = directories::ProjectDirs::from("", "", "limpid")
            .map_or_else(|| PathBuf::from("limpid-data"), |dirs| dirs.data_local_dir().to_owned());
        let folder = |variable: &str, name: &str| {
            std::env::var_os(variable).map_or_else(|| data.join(name), PathBuf::from)
        };
        Self {
            packs_dir: folder("LIMPID_PACKS_DIR", "packs"),
            imports_dir: folder("LIMPID_IMPORTS_DIR", "imports"),
        }
    }
}

/// Finds, checks, loads, fetches and imports models. Networks are loaded once and shared.
#[derive(Debug)]
pub struct Library {
    config: LibraryConfig,
    packs: Vec<Pack>,
    built_in: Vec<ModelCard>,
    loaded: Mutex<HashMap<String, Arc<Network>>>,
    /// As they are before they hear anything.
    speech: Mutex<HashMap<String, DeepFilterNet3>>,
    buffers: Arc<Buffers>,
    device: Device,
}

impl Library {
    /// Looks at the folders; reads no weights yet.
    ///
    /// # Errors
    /// A built-in card or the table of packs is faulty, which the tests of this crate exclude.
    pub fn open(config: LibraryConfig) -> Result<Self, LoadError> {
        Self::open_on(config, Device::Cpu)
    }

    /// As [`Library::open`], for networks that run on `device`.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn open_on(config: LibraryConfig, device: Device) -> Result<Self, LoadError> {
        Ok(Self {
            config,
            packs: packs::all()?,
            built_in: built_in::ALL
                .iter()
                .chain(built_in::SPEECH)
                .map(built_in::BuiltIn::card)
                .collect::<Result<_, _>>()?,
            loaded: Mutex::default(),
            speech: Mutex::default(),
            buffers: Arc::default(),
            device,
        })
    }

    /// All models: built in, packs whether installed or not, imports.
    #[must_use]
    pub fn models(&self) -> Vec<ModelCard> {
        let mut cards = self.built_in.clone();
        cards.extend(self.packs.iter().map(|pack| pack.card(&self.config.packs_dir)));
        cards.extend(imports::cards(&self.config.imports_dir));
        cards
    }

    /// The name of the model for `task`: `name` itself after a check that it is installed and does
    /// this, or for "auto" the best one installed.
    ///
    /// # Errors
    /// [`LoadErrorKind::NoModel`] when none does this task, or the named one does another (a
    /// caller may then compose ×4 from ×2); [`LoadErrorKind::UnknownName`];
    /// [`LoadErrorKind::NotInstalled`].
    pub fn resolve(&self, task: Task, name: &str) -> Result<String, LoadError> {
        let models = self.models();
        if name == "auto" {
            return models
                .into_iter()
                .filter(|card| card.installed && card.task == task)
                .min_by_key(rank)
                .map(|card| card.name)
                .ok_or_else(|| {
                    LoadError::new(
                        LoadErrorKind::NoModel,
                        format!("no model that can {task} is on this computer"),
                    )
                });
        }
        let card =
            models.into_iter().find(|card| card.name == name).ok_or_else(|| unknown(name))?;
        if card.task != task {
            return Err(other_task(&card, task));
        }
        if !card.installed {
            return Err(not_installed(&card));
        }
        Ok(card.name)
    }

    /// The network called `name`, ready to run; loaded once, then shared.
    ///
    /// # Errors
    /// Unknown, not installed, unreadable, or its hash or its tensors are not what they should be.
    pub fn load(&self, name: &str) -> Result<Arc<Network>, LoadError> {
        if let Some(network) = self.loaded().get(name) {
            return Ok(Arc::clone(network));
        }
        let (card, weights) = self.read(name)?;
        let network =
            Arc::new(Network::on(card, &weights, &self.device, Arc::clone(&self.buffers))?);
        self.loaded().insert(name.to_owned(), Arc::clone(&network));
        Ok(network)
    }

    /// A speech network called `name` that has heard nothing yet.
    ///
    /// # Errors
    /// As [`Library::load`]; [`LoadErrorKind::NoModel`] when the model does something else.
    pub fn load_speech(&self, name: &str) -> Result<SpeechNetwork, LoadError> {
        if let Some(own) = built_in::speech(name) {
            return SpeechNetwork::read_own(own.weights);
        }
        let network = self.load_deep_filter_net(name, DeepFilterSettings::default())?;
        Ok(SpeechNetwork::DeepFilter(Box::new(network)))
    }

    /// As [`Library::load_speech`] for sound that is heard as it comes: "auto" is the best network
    /// that can do that.
    ///
    /// # Errors
    /// As [`Library::resolve`] and [`Library::load_speech`]; [`LoadErrorKind::Unsupported`] when
    /// the named one needs to hear what comes next.
    pub fn load_live_speech(&self, name: &str) -> Result<SpeechNetwork, LoadError> {
        let resolved = self.resolve(Task::Speech, name)?;
        let network = self.load_speech(&resolved)?;
        if network.is_live() {
            return Ok(network);
        }
        let live = built_in::SPEECH.iter().find_map(|own| {
            let network = SpeechNetwork::read_own(own.weights).ok()?;
            network.is_live().then_some((own.card().ok()?.name, network))
        });
        match live {
            Some((_, network)) if name == "auto" => Ok(network),
            live => {
                let other = live.map_or(String::new(), |(name, _)| format!("; {name} can"));
                Err(LoadError::unsupported(format!(
                    "the model {resolved} listens ahead and cannot clean while recording{other}"
                )))
            }
        }
    }

    /// The network called `name`, which is DeepFilterNet3, before it has heard anything. Networks
    /// loaded one after the other share their weights.
    ///
    /// # Errors
    /// As [`Library::load`]; [`LoadErrorKind::NoModel`] when the model does something else.
    pub fn load_deep_filter_net(
        &self,
        name: &str,
        settings: DeepFilterSettings,
    ) -> Result<DeepFilterNet3, LoadError> {
        let mut loaded = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = if let Some(network) = loaded.get(name) {
            network.clone()
        } else {
            let (card, weights) = self.read(name)?;
            if card.task != Task::Speech {
                return Err(other_task(&card, Task::Speech));
            }
            let network = DeepFilterNet3::new(&weights, settings)?;
            loaded.insert(name.to_owned(), network.clone());
            network
        };
        drop(loaded);
        let mut network = fresh;
        network.set_settings(settings);
        Ok(network)
    }

    /// Card and checked weights, past the cache.
    fn read(&self, name: &str) -> Result<(ModelCard, Weights), LoadError> {
        if let Some(index) = self.built_in.iter().position(|card| card.name == name) {
            let model = built_in::ALL.get(index).ok_or_else(|| {
                LoadError::unsupported(format!("the model {name} cleans speech, not pictures"))
            })?;
            return Ok((self.built_in[index].clone(), Weights::read(model.weights)?));
        }
        if let Some(pack) = self.packs.iter().find(|pack| pack.name() == name) {
            let bytes = pack.check(&self.config.packs_dir)?;
            let path = pack.path(&self.config.packs_dir);
            let weights = Weights::read(&bytes).map_err(|error| error.at(&path))?;
            return Ok((pack.card(&self.config.packs_dir), weights));
        }
        let card = imports::cards(&self.config.imports_dir)
            .into_iter()
            .find(|card| card.name == name)
            .ok_or_else(|| unknown(name))?;
        let bytes = imports::check(&self.config.imports_dir, &card)?;
        let path = imports::weights_path(&self.config.imports_dir, name);
        Ok((card, Weights::read(&bytes).map_err(|error| error.at(&path))?))
    }

    /// Checks a weight file the user has and copies it into the imports folder.
    ///
    /// # Errors
    /// A pickle, an unknown architecture, tensors that do not fit it, an unreadable file, or a
    /// folder that cannot be written.
    pub fn import(&self, path: &Path) -> Result<ModelCard, LoadError> {
        let taken: Vec<String> = self.models().into_iter().map(|card| card.name).collect();
        imports::import(path, &self.config.imports_dir, |name| taken.iter().any(|t| t == name))
    }

    /// Reads every installed model again: its hash, its tensors. One result a model.
    #[must_use]
    pub fn verify(&self) -> Vec<(ModelCard, Result<(), LoadError>)> {
        self.models()
            .into_iter()
            .filter(|card| card.installed)
            .map(|card| {
                let result = match built_in::speech(&card.name) {
                    Some(own) => SpeechNetwork::read_own(own.weights).map(|_| ()),
                    None => self.read(&card.name).map(|_| ()),
                };
                (card, result)
            })
            .collect()
    }

    /// Frees the memory that networks keep from tile to tile. For when the work is done; it is
    /// taken anew by the next run.
    pub fn trim(&self) {
        self.buffers.trim();
    }

    /// The packs this program knows.
    #[must_use]
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Brings the pack called `name` with the user's own package client; see [`Pack::fetch`].
    ///
    /// # Errors
    /// As [`Pack::fetch`], or no pack has this name.
    pub fn fetch(
        &self,
        name: &str,
        cancel: &Cancel,
        progress: &mut dyn FnMut(FetchStep),
    ) -> Result<ModelCard, LoadError> {
        let pack =
            self.packs.iter().find(|pack| pack.name() == name).ok_or_else(|| unknown(name))?;
        pack.fetch(&self.config.packs_dir, cancel, progress)?;
        self.loaded().remove(name);
        self.speech.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(pack.card(&self.config.packs_dir))
    }

    /// The cache is a map of finished networks: sound even after a panic elsewhere.
    fn loaded(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Network>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lower is better: the preferred packs, other packs, what is built in, what was imported.
fn rank(card: &ModelCard) -> usize {
    PREFERRED.iter().position(|name| *name == card.name).unwrap_or(match card.origin {
        Origin::Pack => PREFERRED.len(),
        Origin::BuiltIn => PREFERRED.len() + 1,
        Origin::Imported => PREFERRED.len() + 2,
    })
}

fn unknown(name: &str) -> LoadError {
    LoadError::new(
        LoadErrorKind::UnknownName,
        format!("there is no model called \"{}\"", name.escape_debug()),
    )
}

fn other_task(card: &ModelCard, task: Task) -> LoadError {
    LoadError::new(
        LoadErrorKind::NoModel,
        format!("the model {} can {}, not {task}", card.name, card.task),
    )
}

fn not_installed(card: &ModelCard) -> LoadError {
    LoadError::new(
        LoadErrorKind::NotInstalled,
        format!("the model {} is not on this computer yet; fetch it first", card.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    struct Fixture {
        folder: tempfile::TempDir,
        library: Library,
    }

    /// A library of what is built in.
    fn library() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(LibraryConfig {
            packs_dir: folder.path().join("packs"),
            imports_dir: folder.path().join("imports"),
        });
        Fixture { library: library.unwrap(), folder }
    }

    fn import(fixture: &Fixture, name: &str, architecture: crate::Architecture) -> ModelCard {
        let path = fixture.folder.path().join(format!("{name}.safetensors"));
        std::fs::write(&path, testing::random_container(architecture, 1)).unwrap();
        fixture.library.import(&path).unwrap()
    }

    #[test]
    fn auto_takes_the_best_installed_and_says_when_there_is_none() {
        let fixture = library();
        let library = &fixture.library;
        let double = Task::Upscale { scale: 2 };
        assert_eq!(library.resolve(double, "auto").unwrap(), "ct-srcnn-x2");
        for scale in [2, 3, 4] {
            let auto = library.resolve(Task::Upscale { scale }, "auto").unwrap();
            assert_eq!(
                auto,
                format!("ct-srcnn-x{scale}"),
                "the natural ones are asked for by name"
            );
        }
        let kind = |task, name| library.resolve(task, name).unwrap_err().kind();
        assert_eq!(kind(Task::Upscale { scale: 5 }, "auto"), LoadErrorKind::NoModel);
        assert_eq!(kind(Task::Upscale { scale: 4 }, "ct-srcnn-x2"), LoadErrorKind::NoModel);
        assert_eq!(kind(double, "span-x2"), LoadErrorKind::NotInstalled);
        assert_eq!(kind(double, "span"), LoadErrorKind::UnknownName);

        // A file of a pack's size counts as installed; only loading reads it.
        let pack = library.packs().iter().find(|pack| pack.name() == "span-x2").unwrap();
        let path = pack.path(&fixture.folder.path().join("packs"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(pack.weights_bytes).unwrap();
        assert_eq!(library.resolve(double, "auto").unwrap(), "span-x2");
        let error = library.load("span-x2").unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::Damaged);
        assert!(error.to_string().ends_with("span-x2.safetensors"), "{error}");
        let faulty: Vec<String> = library
            .verify()
            .into_iter()
            .filter(|(_, result)| result.is_err())
            .map(|(card, _)| card.name)
            .collect();
        assert_eq!(faulty, ["span-x2"]);
    }

    #[test]
    fn the_speech_network_is_listed_but_no_network_for_pictures() {
        let fixture = library();
        let name = fixture.library.resolve(Task::Speech, "auto").unwrap();
        let error = fixture.library.load(&name).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::Unsupported);
        assert!(fixture.library.verify().iter().all(|(_, result)| result.is_ok()));
        assert_eq!(name, "gsa-voice-file");
        assert!(fixture.library.load_live_speech("auto").unwrap().is_live());
        let error = fixture.library.load_live_speech(&name).unwrap_err();
        assert!(error.to_string().contains("gsa-voice-live can"), "{error}");
    }

    #[test]
    fn imports_are_named_apart_and_come_last() {
        let fixture = library();
        let upscaler = crate::Architecture::CtSrcnn { channels: 4, blocks: 1, scale: 2 };
        let first = import(&fixture, "ct-srcnn-x2", upscaler);
        let second = import(&fixture, "ct-srcnn-x2", upscaler);
        assert_eq!((first.name.as_str(), second.name.as_str()), ("ct-srcnn-x2-2", "ct-srcnn-x2-3"));
        let task = Task::Upscale { scale: 2 };
        assert_eq!(fixture.library.resolve(task, "auto").unwrap(), "ct-srcnn-x2");
        let network = fixture.library.load(&second.name).unwrap();
        assert_eq!(network.scale(), 2);
        let again = fixture.library.load(&second.name).unwrap();
        assert!(Arc::ptr_eq(&network, &again), "loaded once");
    }
}
