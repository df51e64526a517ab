//! What can be typed, what comes out, and with which exit code.

use std::process::Stdio;
use std::time::Duration;

use crate::files;
use crate::limpid::{Place, end_of, files_below};

#[test]
fn it_says_its_version_and_how_it_is_used() {
    let place = Place::new();
    let version = place.run(["--version"]).ended_with(0);
    assert_eq!(version.stdout.trim(), concat!("limpid ", env!("CARGO_PKG_VERSION")));
    let help = place.run(["denoise", "--help"]).ended_with(0);
    for option in ["--strength", "--luma", "--chroma", "--model", "--format", "--quality", "--json"]
    {
        assert!(help.stdout.contains(option), "{option} is not in\n{}", help.stdout);
    }
}

#[test]
fn one_photo_becomes_one_clearer_file() {
    let place = Place::new();
    files::save(&files::noisy(160, 120, 1), &place.at("a b.png"));
    let before = std::fs::read(place.at("a b.png")).unwrap();
    place.run(["denoise", "a b.png", "-o", "new/clear.png"]).ended_with(0);
    assert_eq!(std::fs::read(place.at("a b.png")).unwrap(), before, "the original was changed");
    let result = files::load(&place.at("new/clear.png"));
    let clean = files::clean(160, 120);
    let noise = files::distance(&files::noisy(160, 120, 1), &clean);
    let left = files::distance(&result, &clean);
    assert!(left < 0.6 * noise, "noise {noise:.2} became {left:.2}");
    assert!(place.part_files().is_empty());
}

#[test]
fn a_named_result_is_replaced_but_never_the_original() {
    let place = Place::new();
    files::save(&files::noisy(40, 30, 1), &place.at("a.png"));
    let before = std::fs::read(place.at("a.png")).unwrap();
    std::fs::write(place.at("b.png"), "old").unwrap();
    place.run(["denoise", "a.png", "-o", "b.png"]).ended_with(0);
    assert_eq!(files::load(&place.at("b.png")).width(), 40);
    let refused = place.run(["denoise", "a.png", "-o", "./a.png"]).ended_with(2);
    assert!(refused.stderr.contains("replace the original"), "{}", refused.stderr);
    place.run(["denoise", "a.png", "-o", ".", "--overwrite"]).ended_with(0);
    assert_eq!(std::fs::read(place.at("a.png")).unwrap(), before, "the original was changed");
}

#[test]
fn several_photos_go_to_a_folder_under_their_names() {
    let place = Place::new();
    files::save(&files::noisy(40, 30, 1), &place.at("a.png"));
    files::save(&files::noisy(40, 30, 2), &place.at("b.jpg"));
    place.run(["denoise", "a.png", "b.jpg", "-o", "deep/out"]).ended_with(0);
    let out = place.at("deep/out");
    assert_eq!(files_below(&out), [out.join("a.png"), out.join("b.jpg")]);
    assert_eq!(&std::fs::read(out.join("b.jpg")).unwrap()[..2], b"\xff\xd8");
}

#[test]
fn results_that_are_there_are_left_unless_told_otherwise() {
    let place = Place::new();
    for name in ["a.png", "b.png"] {
        files::save(&files::noisy(40, 30, 1), &place.at(name));
    }
    std::fs::create_dir(place.at("out")).unwrap();
    std::fs::write(place.at("out/a.png"), "mine").unwrap();
    let ran = place.run(["denoise", "a.png", "b.png", "-o", "out", "--json"]).ended_with(0);
    let done = ran.json().pop().unwrap();
    assert_eq!((&done["skipped"], &done["finished"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(std::fs::read(place.at("out/a.png")).unwrap(), b"mine");
    place.run(["denoise", "a.png", "b.png", "-o", "out", "--overwrite"]).ended_with(0);
    assert_eq!(files::load(&place.at("out/a.png")).width(), 40);
}

#[test]
fn folders_are_mirrored() {
    let place = Place::new();
    for name in ["in/a.png", "in/sub/b.png", "in/sub/deeper/c.png"] {
        place.folder(place.at(name).parent().unwrap());
        files::save(&files::noisy(24, 20, 1), &place.at(name));
    }
    std::fs::write(place.at("in/notes.txt"), "no picture").unwrap();
    place.run(["denoise", "in", "-o", "flat"]).ended_with(0);
    assert_eq!(files_below(&place.at("flat")), [place.at("flat/a.png")]);
    place.run(["denoise", "in", "-o", "out", "--recursive"]).ended_with(0);
    let wanted = ["out/a.png", "out/sub/b.png", "out/sub/deeper/c.png"].map(|name| place.at(name));
    assert_eq!(files_below(&place.at("out")), wanted);
}

#[test]
fn upscale_makes_the_size_asked_for() {
    let place = Place::new();
    files::save(&files::noisy(50, 40, 1), &place.at("a.png"));
    let cases: [(&[&str], (u32, u32)); 5] = [
        (&[], (100, 80)),
        (&["--scale", "2"], (100, 80)),
        (&["--scale", "3"], (150, 120)),
        (&["--scale", "4"], (200, 160)),
        (&["--long-edge", "130"], (130, 104)),
    ];
    for (options, (width, height)) in cases {
        place.run([&["upscale", "a.png", "-o", "b.png"], options].concat()).ended_with(0);
        let result = files::load(&place.at("b.png"));
        assert_eq!((result.width(), result.height()), (width, height), "{options:?}");
    }
}

#[test]
fn the_format_is_the_one_asked_for() {
    let place = Place::new();
    files::save(&files::noisy(32, 24, 1), &place.at("a.png"));
    let cases: [(&[&str], &str, &[u8]); 6] = [
        (&["-o", "x.jpg"], "x.jpg", b"\xff\xd8\xff"),
        (&["-o", "x.tif"], "x.tif", b"II"),
        (&["-o", "x.webp"], "x.webp", b"RIFF"),
        (&["-o", "out/", "--format", "jpeg"], "out/a.jpg", b"\xff\xd8\xff"),
        (&["-o", "out/", "--format", "tiff"], "out/a.tif", b"II"),
        (&["-o", "out/", "--format", "webp"], "out/a.webp", b"RIFF"),
    ];
    for (options, name, magic) in cases {
        place.run([&["denoise", "a.png"], options].concat()).ended_with(0);
        let bytes = std::fs::read(place.at(name)).unwrap_or_else(|e| panic!("{options:?}: {e}"));
        assert!(bytes.starts_with(magic), "{options:?}: {:?}", &bytes[..8]);
    }
    let high = |quality: &str| {
        place.run(["denoise", "a.png", "-o", "q.jpg", "--quality", quality]).ended_with(0);
        std::fs::metadata(place.at("q.jpg")).unwrap().len()
    };
    assert!(high("95") > high("30"));
}

#[test]
fn no_strength_changes_no_pixel() {
    let place = Place::new();
    files::save(&files::noisy(70, 50, 1), &place.at("a.png"));
    files::save(&files::deep(70, 50), &place.at("b.png"));
    place.run(["denoise", "a.png", "b.png", "-o", "out", "--strength", "0"]).ended_with(0);
    for name in ["a.png", "b.png"] {
        let (before, after) =
            (files::load(&place.at(name)), files::load(&place.at("out").join(name)));
        assert!(before == after, "{name} is not the same");
    }
}

#[test]
fn more_strength_removes_more_and_luma_and_chroma_go_apart() {
    let place = Place::new();
    let picture = files::noisy(96, 64, 1);
    files::save(&picture, &place.at("a.png"));
    let change = |options: &[&str]| {
        place.run([&["denoise", "a.png", "-o", "b.png"], options].concat()).ended_with(0);
        files::distance(&files::load(&place.at("b.png")), &picture)
    };
    let (weak, strong) = (change(&["--sigma", "4"]), change(&["--sigma", "40"]));
    assert!(weak < strong, "sigma 4 changed {weak:.2}, sigma 40 {strong:.2}");
    let both = change(&["--sigma", "20"]);
    let luma = change(&["--sigma", "20", "--chroma", "0"]);
    let chroma = change(&["--sigma", "20", "--luma", "0"]);
    let none = change(&["--sigma", "20", "--luma", "0", "--chroma", "0"]);
    assert!(luma < both && chroma < both, "both {both:.2}, luma {luma:.2}, chroma {chroma:.2}");
    assert!(none < 0.6, "neither luma nor chroma, but {none:.2} was changed");
}

#[test]
fn best_effort_is_a_little_nearer_to_the_clean_picture() {
    let place = Place::new();
    let clean = files::clean(160, 120);
    files::save(&files::noisy(160, 120, 1), &place.at("a.png"));
    let distance = |options: &[&str]| {
        place.run([&["denoise", "a.png", "-o", "b.png"], options].concat()).ended_with(0);
        files::distance(&files::load(&place.at("b.png")), &clean)
    };
    let (fast, best) = (distance(&[]), distance(&["--best"]));
    assert!(best < fast, "fast {fast:.3}, best {best:.3}");
    place.run(["upscale", "a.png", "-o", "c.png", "--best"]).ended_with(0);
    assert_eq!(files::load(&place.at("c.png")).width(), 320);
}

#[test]
fn a_recipe_runs_and_a_wrong_one_is_refused() {
    let place = Place::new();
    files::save(&files::noisy(30, 20, 1), &place.at("a.jpg"));
    let recipe = "version = 1\n[[steps]]\nkind = \"denoise\"\nstrength = 0.2\n\
        [[steps]]\nkind = \"upscale\"\nsize = { scale = 2 }\n[output]\nformat = \"png\"\nname = \"{name}-clear\"\n";
    std::fs::write(place.at("r.toml"), recipe).unwrap();
    place.run(["run", "--recipe", "r.toml", "a.jpg", "-o", "out"]).ended_with(0);
    let result = files::load(&place.at("out/a-clear.png"));
    assert_eq!((result.width(), result.height()), (60, 40));

    for (text, word) in
        [("version = 9", "version"), ("steps = 3", "r.toml"), ("version = 1\nx = 2", "x")]
    {
        std::fs::write(place.at("r.toml"), text).unwrap();
        let refused = place.run(["run", "--recipe", "r.toml", "a.jpg", "-o", "out"]).ended_with(2);
        assert!(refused.stderr.contains(word), "{text}: {}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn wrong_usage_ends_with_2_before_any_work() {
    let place = Place::new();
    files::save(&files::noisy(30, 20, 1), &place.at("a.png"));
    files::save(&files::noisy(30, 20, 1), &place.at("b.png"));
    let before = files_below(&place.at("")).len();
    let lines: [&[&str]; 7] = [
        &["denoise", "a.png", "-o", "x.xyz"],
        &["denoise", "a.png"],
        &["denoise", "a.png", "-o", "x.png", "--strength", "2"],
        &["upscale", "a.png", "-o", "x.png", "--scale", "5"],
        &["denoise", "a.png", "b.png", "-o", "b.png"],
        &["run", "--recipe", "none.toml", "a.png", "-o", "out"],
        &["--nonsense"],
    ];
    for line in lines {
        let ran = place.run(line).ended_with(2);
        assert!(!ran.stderr.is_empty(), "{line:?} was refused without a word");
    }
    assert_eq!(files_below(&place.at("")).len(), before);
}

#[test]
fn the_same_file_gives_the_same_result_on_one_thread_or_many() {
    let place = Place::new();
    files::save(&files::noisy(130, 90, 1), &place.at("a.png"));
    for threads in ["1", "3"] {
        let out = format!("{threads}.png");
        place.run(["denoise", "a.png", "-o", &out, "--threads", threads]).ended_with(0);
    }
    let read = |name| std::fs::read(place.at(name)).unwrap();
    assert!(read("1.png") == read("3.png"), "one thread and three differ");
}

#[test]
fn json_tells_every_event_of_a_batch() {
    let place = Place::new();
    files::save(&files::noisy(700, 500, 1), &place.at("a.png"));
    std::fs::write(place.at("b.png"), "").unwrap();
    let ran = place.run(["denoise", "a.png", "b.png", "-o", "out", "--json"]).ended_with(1);
    let lines = ran.json();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!(of("queued")[0]["files"], 2);
    assert_eq!(of("started").len(), 2);
    assert!(
        of("progress").iter().any(|line| line["stage"] == "enhancing" && line["files_total"] == 2)
    );
    let finished = of("finished");
    assert!(finished[0]["file"].as_str().unwrap().ends_with("a.png"));
    assert!(finished[0]["output"].as_str().unwrap().ends_with("a.png"));
    assert!(finished[0]["seconds"].as_f64().unwrap() > 0.0);
    let failed = of("failed");
    assert!(failed[0]["file"].as_str().unwrap().ends_with("b.png"));
    assert_eq!(failed[0]["kind"], "damaged");
    assert!(!failed[0]["message"].as_str().unwrap().is_empty());
    let done = lines.last().unwrap();
    assert_eq!(done["event"], "done");
    assert_eq!((&done["finished"], &done["failed"]), (&1.into(), &1.into()));
}

#[test]
fn quiet_says_nothing_but_failures() {
    let place = Place::new();
    files::save(&files::noisy(30, 20, 1), &place.at("a.png"));
    let fine = place.run(["denoise", "a.png", "-o", "b.png", "--quiet"]).ended_with(0);
    assert_eq!((fine.stdout.as_str(), fine.stderr.as_str()), ("", ""));
    let failed = place.run(["denoise", "none.png", "-o", "b.png", "--quiet"]).ended_with(1);
    assert_eq!(failed.stderr.lines().count(), 1, "{}", failed.stderr);
    assert!(failed.stderr.trim_end().ends_with("none.png"), "the path is last: {}", failed.stderr);
}

#[test]
fn info_tells_what_is_known() {
    let place = Place::new();
    files::save(&files::noisy(64, 48, 1), &place.at("a.jpg"));
    files::save(&files::deep(30, 20), &place.at("b.png"));
    let ran = place.run(["info", "a.jpg", "b.png"]).ended_with(0);
    for word in ["64 × 48", "JPEG", "30 × 20", "PNG", "16 bit"] {
        assert!(ran.stdout.contains(word), "{word} is not in\n{}", ran.stdout);
    }
    let json = place.run(["info", "--json", "a.jpg"]).ended_with(0).json();
    assert_eq!((&json[0]["width"], &json[0]["height"]), (&64.into(), &48.into()));
    assert!(json[0]["noise_sigma"].as_f64().unwrap() > 3.0, "{}", json[0]);
    let failed = place.run(["info", "none.jpg", "a.jpg"]).ended_with(1);
    assert!(failed.stderr.contains("none.jpg") && failed.stdout.contains("64 × 48"));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let place = Place::new();
    for number in 0..4 {
        files::save(&files::noisy(60, 40, number), &place.at(format!("{number}.png")));
    }
    let inputs = ["0.png", "1.png", "2.png", "3.png"];
    let mut child = place.start([&["denoise", "--json", "-o", "out"], &inputs[..]].concat());
    drop(child.stdout.take());
    end_of(child, Duration::from_secs(120)).ended_with(0);
    assert_eq!(files_below(&place.at("out")).len(), 4, "the work went on");

    let mut models = place.command(["models", "list"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(models.stdout.take());
    let code = models.wait().unwrap().code();
    assert!(code.is_some_and(|code| code != 101), "a panic");
}

#[test]
fn a_time_table_is_printed_on_request() {
    let place = Place::new();
    files::save(&files::noisy(60, 40, 1), &place.at("a.png"));
    let mut command = place.command(["denoise", "a.png", "-o", "b.png", "--sigma", "20"]);
    let output = command.env("LIMPID_PROFILE", "1").output().unwrap();
    let table = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && table.contains("ms"), "{table}");
}

#[test]
fn a_window_without_a_display_is_one_sentence() {
    // Elsewhere a window needs no display variable and would open.
    if cfg!(target_os = "linux") {
        let place = Place::new();
        let ran = end_of(place.start::<&str>([]), Duration::from_secs(60)).ended_with(1);
        assert!(ran.stderr.contains("window"), "{}", ran.stderr);
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    }
}
