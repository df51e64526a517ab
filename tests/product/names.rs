//! File names that other programs trip over.

use std::ffi::OsString;

use crate::files;
use crate::limpid::{Place, files_below};

fn odd_names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        "two words.png",
        " leading.png",
        "Grüße, 写真.png",
        "🌊🌊.png",
        "-o.png",
        "a.b.c.png",
        "quote\"'`$(x).png",
        "{name}{n}.png",
        "UPPER.PNG",
    ]
    .map(OsString::from)
    .to_vec();
    if cfg!(unix) {
        names.push("new\nline.png".into());
    }
    // macOS and Windows keep names as text and refuse other bytes.
    #[cfg(target_os = "linux")]
    names.push(std::os::unix::ffi::OsStringExt::from_vec(b"caf\xe9 \xff.png".to_vec()));
    names
}

#[test]
fn names_are_kept_byte_for_byte() {
    let place = Place::new();
    let folder = place.folder("in");
    let bytes = files::encoded(&files::noisy(24, 20, 1), image::ImageFormat::Png);
    for name in odd_names() {
        std::fs::write(folder.join(name), &bytes).unwrap();
    }
    // As a folder, and each as an argument of its own.
    place.run(["denoise", "in", "-o", "out"]).ended_with(0);
    let mut line: Vec<OsString> = ["denoise", "-o", "out 2", "--"].map(OsString::from).to_vec();
    line.extend(odd_names().into_iter().map(|name| folder.join(name).into_os_string()));
    place.run(line).ended_with(0);
    for out in ["out", "out 2"] {
        let found: Vec<_> = files_below(&place.at(out))
            .into_iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        let mut wanted = odd_names();
        wanted.sort();
        assert_eq!(found, wanted, "in {out}");
    }
}

#[test]
fn a_failure_of_an_odd_name_is_still_one_line() {
    let place = Place::new();
    for name in odd_names() {
        std::fs::write(place.folder("in").join(name), "no picture").unwrap();
    }
    let ran = place.run(["denoise", "in", "-o", "out", "--json"]).ended_with(1);
    let failed = ran.json().iter().filter(|line| line["event"] == "failed").count();
    assert_eq!(failed, odd_names().len());
    assert_eq!(ran.failures().len(), odd_names().len(), "{}", ran.stderr);
}

#[test]
fn a_file_given_twice_is_done_once() {
    let place = Place::new();
    files::save(&files::noisy(24, 20, 1), &place.at("a.png"));
    let ran =
        place.run(["denoise", "a.png", "./a.png", "a.png", "-o", "out", "--json"]).ended_with(0);
    assert_eq!(ran.json().last().unwrap()["finished"], 1);
    assert_eq!(files_below(&place.at("out")), [place.at("out/a.png")]);
}

#[test]
fn two_files_of_one_name_both_get_a_result() {
    let place = Place::new();
    for folder in ["x", "y"] {
        place.folder(folder);
        files::save(&files::noisy(24, 20, 1), &place.at(folder).join("a.png"));
    }
    place.run(["denoise", "x/a.png", "y/a.png", "-o", "out"]).ended_with(0);
    assert_eq!(files_below(&place.at("out")).len(), 2);
}
