//! The models on a computer without packs: the built-in ones work, the others are offered in words.

use crate::files;
use crate::limpid::Place;

#[test]
fn built_in_models_are_there_and_sound() {
    let place = Place::new();
    let cards = place.run(["models", "list", "--json"]).ended_with(0).json();
    let here: Vec<_> = cards.iter().filter(|card| card["installed"] == true).collect();
    assert!(here.iter().any(|card| card["task"] == "denoise"), "{cards:#?}");
    assert!(here.iter().any(|card| card["task"]["upscale"]["scale"] == 2), "{cards:#?}");
    for card in &cards {
        for field in ["name", "title", "summary", "source", "license"] {
            assert!(card[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {card}");
        }
    }
    for card in here {
        assert_eq!(card["sha256"].as_str().unwrap().len(), 64, "{card}");
    }
    place.run(["models", "check"]).ended_with(0);
}

#[test]
fn a_model_that_is_not_here_is_said_so() {
    let place = Place::new();
    files::save(&files::noisy(30, 20, 1), &place.at("a.png"));
    let cards = place.run(["models", "list", "--json"]).ended_with(0).json();
    let missing = cards.iter().find(|card| card["installed"] == false).unwrap();
    let names = [missing["name"].as_str().unwrap(), "no-such-model"];
    for name in names {
        let ran = place.run(["denoise", "a.png", "-o", "b.png", "--model", name]).ended_with(1);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        assert!(!place.at("b.png").exists());
    }
    place.run(["models", "fetch", "no-such-model"]).ended_with(2);
}

#[test]
fn a_fetch_that_cannot_work_is_one_sentence() {
    let place = Place::new();
    let nowhere = place.folder("no programs");
    let mut command = place.command(["models", "fetch", "--standard", "--quiet"]);
    let output = command.env("PATH", nowhere).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(!errors.contains("panicked") && !errors.is_empty(), "{errors}");
    assert_eq!(files_count(&place), 0, "nothing half fetched is left");
}

fn files_count(place: &Place) -> usize {
    let is_weights =
        |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    crate::limpid::files_below(&place.at("home")).iter().filter(|path| is_weights(path)).count()
}

#[test]
fn imports_are_checked_first() {
    let place = Place::new();
    let cases: [(&str, &[u8]); 4] = [
        ("empty.safetensors", b""),
        ("text.safetensors", b"not a model"),
        ("long header.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"),
        ("pickle.pth", b"\x80\x02}q\x00."),
    ];
    for (name, bytes) in cases {
        std::fs::write(place.at(name), bytes).unwrap();
        let ran = place.run(["models", "import", name]).ended_with(1);
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{name}: {}", ran.stderr);
        assert!(ran.stderr.trim_end().ends_with(name), "the path is last: {}", ran.stderr);
    }
    assert_eq!(files_count(&place), 0);
}
