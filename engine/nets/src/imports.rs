//! Weight files the user brought: checked, copied whole into the imports folder with a card beside.

use std::path::{Path, PathBuf};

use crate::card::{CardText, ModelCard, Origin};
use crate::error::LoadError;
use crate::packs::{sha256, write_beside};
use crate::weights::{self, Weights};

/// A card is a page of text.
const MAX_CARD_BYTES: u64 = 64 << 10;

/// Longest model name that is made from a file name.
const MAX_NAME_CHARS: usize = 48;

/// Where an imported model's weights lie.
pub(crate) fn weights_path(imports_dir: &Path, name: &str) -> PathBuf {
    imports_dir.join(format!("{name}.safetensors"))
}

fn card_path(imports_dir: &Path, name: &str) -> PathBuf {
    imports_dir.join(format!("{name}.card.toml"))
}

/// The cards in the imports folder, by name. What cannot be read is left out and logged.
pub(crate) fn cards(imports_dir: &Path) -> Vec<ModelCard> {
    let Ok(entries) = std::fs::read_dir(imports_dir) else { return Vec::new() };
    let mut cards: Vec<ModelCard> = entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name();
            let name = file.to_str()?.strip_suffix(".card.toml")?;
            let path = entry.path();
            read_card(&path, name)
                .inspect_err(|why| tracing::warn!("{}: {why}", path.display()))
                .ok()
        })
        .collect();
    cards.sort_by(|a, b| a.name.cmp(&b.name));
    for card in &mut cards {
        card.installed = weights_path(imports_dir, &card.name).is_file();
    }
    cards
}

fn read_card(path: &Path, name: &str) -> Result<ModelCard, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > MAX_CARD_BYTES {
        return Err("not a model's card".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let card: ModelCard = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    if card.name != name || card.origin != Origin::Imported {
        return Err("the card is for another model".to_owned());
    }
    Ok(card)
}

/// Checks `path` and copies it into the imports folder. `taken` says which names are not free.
pub(crate) fn import(
    path: &Path,
    imports_dir: &Path,
    taken: impl Fn(&str) -> bool,
) -> Result<ModelCard, LoadError> {
    let bytes = weights::read_file(path)?;
    if let Some(why) = foreign(&bytes) {
        return Err(LoadError::unsupported(why).at(path));
    }
    let read = || -> Result<_, LoadError> {
        let metadata = weights::metadata(&bytes)?;
        let written = match metadata.get("limpid.card") {
            Some(text) => Some(toml::from_str::<CardText>(text).map_err(|error| {
                LoadError::damaged(format!(
                    "the card in the weight file cannot be read: {}",
                    error.message()
                ))
            })?),
            None => None,
        };
        Ok((Weights::read(&bytes)?, written))
    };
    let (weights, written) = read().map_err(|error| error.at(path))?;
    let architecture = weights.architecture()?;
    let parameters = architecture.parameters()?;

    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = written.unwrap_or_else(|| CardText {
        name: stem.to_string(),
        title: stem.to_string(),
        task: architecture.task(),
        summary: "A model you imported; nothing has been measured on it.".to_owned(),
        source: "a file on this computer".to_owned(),
        license: "unknown".to_owned(),
        parameters: 0,
        quality: Vec::new(),
        limits: Vec::new(),
    });
    let name = free_name(&text.name, &taken);
    let mut card = CardText { name, task: architecture.task(), parameters, ..text }
        .of_import(bytes.len() as u64, sha256(&bytes));
    card.title = card.title.chars().filter(|c| !c.is_control()).take(80).collect();

    let written = toml::to_string(&card)
        .map_err(|error| LoadError::damaged(format!("the card cannot be written: {error}")))?;
    write_beside(&weights_path(imports_dir, &card.name), &bytes)?;
    // The card last: without it the weights are not listed.
    write_beside(&card_path(imports_dir, &card.name), written.as_bytes())?;
    Ok(card)
}

/// The weights' bytes, checked against the hash taken at import.
pub(crate) fn check(imports_dir: &Path, card: &ModelCard) -> Result<Vec<u8>, LoadError> {
    let path = weights_path(imports_dir, &card.name);
    let bytes = weights::read_file(&path)?;
    if sha256(&bytes) == card.sha256 {
        Ok(bytes)
    } else {
        Err(LoadError::damaged(format!(
            "the weights of {} were changed since the import",
            card.name
        ))
        .at(&path))
    }
}

/// Why a file of a known other kind is refused.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const PICKLE: &str = "this is a PyTorch pickle, which could run code and is never loaded; \
                          save the model as safetensors";
    match bytes {
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Some(PICKLE),
        [b'G', b'G', b'U', b'F', ..] => Some("no model of this program is read from GGUF yet"),
        _ => None,
    }
}

/// A name in the characters that names have, with a number behind it when it is taken.
fn free_name(wish: &str, taken: &impl Fn(&str) -> bool) -> String {
    let lower = wish.to_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let mut name: String = plain.take(MAX_NAME_CHARS).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches('-');
    let name = if name.is_empty() || name == "auto" { "imported" } else { name };
    let mut free = name.to_owned();
    let mut number = 2u32;
    while taken(&free) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Task;
    use crate::error::LoadErrorKind;
    use crate::testing;

    #[test]
    fn names_are_made_plain_and_free() {
        let taken = |name: &str| name == "ffdnet-color" || name == "ffdnet-color-2";
        for (wish, name) in [
            ("My Net (v2)", "my-net-v2"),
            ("../../etc", "etc"),
            ("写真", "imported"),
            ("auto", "imported"),
            ("ffdnet-color", "ffdnet-color-3"),
        ] {
            assert_eq!(free_name(wish, &taken), name, "{wish}");
        }
    }

    #[test]
    fn an_import_is_listed_checked_and_noticed_when_changed() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("Some Net.safetensors");
        std::fs::write(&source, testing::random_container(testing::DN_RESNET, 1)).unwrap();
        let imports = folder.path().join("imports");
        let card = import(&source, &imports, |_| false).unwrap();
        assert_eq!((card.name.as_str(), card.task), ("some-net", Task::Denoise));
        assert_eq!(cards(&imports), std::slice::from_ref(&card));
        assert!(check(&imports, &card).is_ok());
        std::fs::write(weights_path(&imports, "some-net"), b"other").unwrap();
        assert_eq!(check(&imports, &card).unwrap_err().kind(), LoadErrorKind::Damaged);
    }

    #[test]
    fn files_of_other_kinds_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let imports = folder.path().join("imports");
        let cases: [(&[u8], &str); 5] = [
            (b"\x80\x02\x8a\x0a", "pickle"),
            (b"PK\x03\x04....", "pickle"),
            (b"GGUF....", "GGUF"),
            (b"", "too short"),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "header"),
        ];
        for (bytes, part) in cases {
            let path = folder.path().join("model.safetensors");
            std::fs::write(&path, bytes).unwrap();
            let error = import(&path, &imports, |_| false).unwrap_err().to_string();
            assert!(error.contains(part) && error.ends_with("model.safetensors"), "{error}");
        }
        assert!(import(folder.path(), &imports, |_| false).is_err(), "a folder");
        assert!(cards(&imports).is_empty());
    }
}
