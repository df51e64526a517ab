//! Broken and hostile input: one sentence each, the rest of the batch goes on, nothing is lost.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{DynamicImage, ImageFormat};

use crate::files;
use crate::limpid::{Place, Ran, files_below};

/// Runs a folder of bad files with a good one before, between and after them in order of names, and
/// checks that each bad one is named once and the good ones are done.
#[track_caller]
fn each_is_named_and_the_rest_goes_on(place: &Place, bad: &[PathBuf]) {
    let good = ["0 good.png", "m good.png", "zz good.png"];
    for name in good {
        files::save(&files::noisy(40, 30, 1), &place.at("in").join(name));
    }
    let mut inputs: Vec<PathBuf> = good.iter().map(|name| place.at("in").join(name)).collect();
    inputs.extend_from_slice(bad);
    inputs.sort();
    let mut line: Vec<&std::ffi::OsStr> = vec!["denoise".as_ref(), "-o".as_ref(), "out".as_ref()];
    line.extend(inputs.iter().map(|path| path.as_os_str()));
    let ran = place.run(line).ended_with(1);
    let mut wrong = Vec::new();
    for path in bad {
        let named = |line: &&&str| line.ends_with(&path.display().to_string());
        let count = ran.failures().iter().filter(named).count();
        if count != 1 {
            wrong.push(format!("named {count} times: {}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\nstderr: {}", ran.stderr);
    assert_eq!(ran.failures().len(), bad.len(), "{}", ran.stderr);
    let wanted = good.map(|name| place.at("out").join(name));
    assert_eq!(files_below(&place.at("out")), wanted, "only the good ones have results");
    for path in wanted {
        assert_eq!(files::load(&path).width(), 40);
    }
    assert!(place.part_files().is_empty(), "{:?}", place.part_files());
}

#[test]
fn empty_and_wrong_files() {
    let place = Place::new();
    let folder = place.folder("in");
    let png = files::encoded(&files::noisy(40, 30, 1), ImageFormat::Png);
    let contents: [(&str, &[u8]); 7] = [
        ("empty.jpg", b""),
        ("one byte.png", b"\x89"),
        ("text.jpg", b"This is no picture.\n"),
        ("zeros.tif", &[0; 4096]),
        ("only the magic.png", &png[..8]),
        ("only the magic.jpg", b"\xff\xd8\xff"),
        ("gif.png", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
    ];
    let mut bad: Vec<PathBuf> = Vec::new();
    for (name, bytes) in contents {
        std::fs::write(folder.join(name), bytes).unwrap();
        bad.push(folder.join(name));
    }
    bad.push(place.folder("in/folder.jpg"));
    bad.push(folder.join("not there.jpg"));
    each_is_named_and_the_rest_goes_on(&place, &bad);
}

#[test]
fn a_wrong_extension_is_no_fault() {
    let place = Place::new();
    let bytes = files::encoded(&files::noisy(40, 30, 1), ImageFormat::Png);
    std::fs::write(place.at("really a png.jpg"), bytes).unwrap();
    place.run(["denoise", "really a png.jpg", "-o", "out/"]).ended_with(0);
    let [result] = &files_below(&place.at("out"))[..] else { panic!("not one result") };
    assert_eq!(files::load(result).width(), 40);
}

#[test]
fn files_cut_off_at_every_tenth() {
    let place = Place::new();
    let folder = place.folder("in");
    let mut bad = Vec::new();
    for (extension, format) in [
        ("jpg", ImageFormat::Jpeg),
        ("png", ImageFormat::Png),
        ("tif", ImageFormat::Tiff),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
    ] {
        let bytes = files::encoded(&files::noisy(90, 70, 1), format);
        for tenth in 1..10 {
            let path = folder.join(format!("{tenth}.{extension}"));
            std::fs::write(&path, &bytes[..bytes.len() * tenth / 10]).unwrap();
            bad.push(path);
        }
    }
    each_is_named_and_the_rest_goes_on(&place, &bad);
}

/// CRC of a PNG chunk (PNG specification, annex D).
fn png_crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }
        })
    })
}

#[test]
fn headers_that_declare_far_too_much() {
    let place = Place::new();
    let folder = place.folder("in");
    let small = files::noisy(16, 16, 1);
    let mut bad = Vec::new();
    let mut put = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.join(name), bytes).unwrap();
        bad.push(folder.join(name));
    };
    let side = 65_535_u32;

    let mut png = files::encoded(&small, ImageFormat::Png);
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let crc = png_crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);
    put("huge.png", png);

    let mut jpeg = files::encoded(&small, ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    put("huge.jpg", jpeg);

    let mut bmp = files::encoded(&small, ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&side.to_le_bytes());
    bmp[22..26].copy_from_slice(&side.to_le_bytes());
    put("huge.bmp", bmp);

    let mut tiff = files::encoded(&small, ImageFormat::Tiff);
    let at = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    let entries = u16::from_le_bytes(tiff[at..at + 2].try_into().unwrap()) as usize;
    for entry in (0..entries).map(|index| at + 2 + 12 * index) {
        // Tags 256 and 257: width and height, as type 4 (32 bit).
        if tiff[entry..entry + 2] == [0, 1] || tiff[entry..entry + 2] == [1, 1] {
            tiff[entry + 2] = 4;
            tiff[entry + 8..entry + 12].copy_from_slice(&side.to_le_bytes());
        }
    }
    put("huge.tif", tiff);

    each_is_named_and_the_rest_goes_on(&place, &bad);
}

#[test]
fn random_bytes_and_flipped_bits() {
    let place = Place::new();
    let folder = place.folder("in");
    let mut random = files::Random::new(7);
    for number in 0..10 {
        let mut bytes = vec![0_u8; 3000];
        bytes.fill_with(|| (random.next() * 128.0) as i8 as u8);
        std::fs::write(folder.join(format!("random {number}.jpg")), &bytes).unwrap();
    }
    for (extension, format) in [
        ("jpg", ImageFormat::Jpeg),
        ("png", ImageFormat::Png),
        ("tif", ImageFormat::Tiff),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
    ] {
        let whole = files::encoded(&files::noisy(48, 40, 1), format);
        for number in 0..12 {
            let mut bytes = whole.clone();
            for _ in 0..=number {
                // The first hundreds of bytes are the structure, where damage hurts most.
                let at = (random.next().abs() * 400.0) as usize % bytes.len();
                bytes[at] ^= 1 << (random.next().abs() * 7.9) as u32;
            }
            std::fs::write(folder.join(format!("flipped {number}.{extension}")), &bytes).unwrap();
        }
    }
    // Some decode to something all the same; none may hang, panic, or stop the others.
    let ran = place.run(["denoise", "in", "-o", "out", "--json", "--sigma", "5"]).ended_with(1);
    let done = ran.json().pop().unwrap();
    let count = |key: &str| done[key].as_u64().unwrap();
    assert!(count("failed") >= 10, "{done}");
    assert_eq!(count("failed") + count("finished"), 70, "{done}");
    assert_eq!(ran.failures().len() as u64, count("failed"), "{}", ran.stderr);
}

#[test]
fn pictures_of_extreme_shape() {
    let place = Place::new();
    let folder = place.folder("in");
    let sizes = [(1, 1), (1, 5000), (5000, 1), (2, 2), (3, 700)];
    for (width, height) in sizes {
        let picture = files::noisy(width, height, 1);
        files::save(&picture, &folder.join(format!("{width}x{height}.png")));
    }
    place.run(["denoise", "in", "-o", "denoised", "--sigma", "20"]).ended_with(0);
    place.run(["upscale", "in", "-o", "larger"]).ended_with(0);
    for (width, height) in sizes {
        let name = format!("{width}x{height}.png");
        let same = files::load(&place.at("denoised").join(&name));
        let larger = files::load(&place.at("larger").join(&name));
        assert_eq!((same.width(), same.height()), (width, height));
        assert_eq!((larger.width(), larger.height()), (2 * width, 2 * height));
    }
}

#[test]
fn kinds_that_limpid_does_not_do_are_answered_in_words() {
    let place = Place::new();
    let folder = place.folder("in");
    let gif = files::encoded(&DynamicImage::new_rgb8(8, 8), ImageFormat::Png);
    // A PNG with an animation control chunk before its data.
    let mut animated = gif[..33].to_vec();
    let mut chunk = b"acTL\0\0\0\x02\0\0\0\0".to_vec();
    let crc = png_crc(&chunk).to_be_bytes();
    animated.extend_from_slice(&8_u32.to_be_bytes());
    animated.append(&mut chunk);
    animated.extend_from_slice(&crc);
    animated.extend_from_slice(&gif[33..]);
    let cases: [(&str, Vec<u8>, &str); 3] = [
        ("a.gif", b"GIF89a\x08\x00\x08\x00\x80\x00\x00\0\0\0\xff\xff\xff,\0\0\0\0\x08\0\x08\0\0\x02\x01\0\0;".to_vec(), "GIF"),
        ("b.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1".to_vec(), "HEIC"),
        ("c.png", animated, "anim"),
    ];
    for (name, bytes, word) in cases {
        std::fs::write(folder.join(name), bytes).unwrap();
        let ran = place.run([
            "denoise".as_ref(),
            folder.join(name).as_os_str(),
            "-o".as_ref(),
            "x.png".as_ref(),
        ]);
        let ran = ran.ended_with(1);
        assert!(ran.stderr.to_lowercase().contains(&word.to_lowercase()), "{name}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let path = place.folder("in").join("secret.png");
    files::save(&files::noisy(40, 30, 1), &path);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        return; // root may read everything: there is no such file for it
    }
    each_is_named_and_the_rest_goes_on(&place, &[path]);
}

/// Three good pictures that cannot be written: each is named, none is there, nothing hangs.
#[track_caller]
fn nothing_can_be_written(place: &Place, out: &Path, mut limit: impl FnMut(&mut Command)) -> Ran {
    let folder = place.folder("in");
    for name in ["a.png", "b.png", "c.png"] {
        // Noise that stays packs badly: each result is larger than 100 kB.
        files::save(&files::noisy(300, 200, 1), &folder.join(name));
    }
    let line = ["denoise", "in", "--strength", "0", "-o"].map(OsStr::new);
    let mut command = place.command([&line[..], &[out.as_os_str()]].concat());
    limit(&mut command);
    let ran = Ran::from(command.output().unwrap()).ended_with(1);
    assert_eq!(ran.failures().len(), 3, "{}", ran.stderr);
    assert!(place.part_files().is_empty(), "{:?}", place.part_files());
    ran
}

#[test]
fn a_folder_that_cannot_be_made() {
    let place = Place::new();
    std::fs::write(place.at("file"), "in the way").unwrap();
    nothing_can_be_written(&place, &place.at("file/out"), |_| {});
    if cfg!(target_os = "linux") {
        // Not even root makes a folder here.
        nothing_can_be_written(&place, Path::new("/proc/limpid"), |_| {});
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let out = place.folder("out");
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(out.join("probe"), "").is_ok() {
        return; // root may write everywhere: there is no such folder for it
    }
    nothing_can_be_written(&place, &out, |_| {});
}

/// A result that outgrows what may be written stops in the middle, as on a full disk.
#[cfg(unix)]
#[test]
fn a_write_that_fails_in_the_middle() {
    let place = Place::new();
    let out = place.folder("out");
    nothing_can_be_written(&place, &out, |command| {
        // Files may grow to 32 blocks of 512 bytes; the signal about it becomes an error.
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\""]);
        limited.arg(command.get_program()).args(command.get_args());
        limited.current_dir(place.at(""));
        place.settle(&mut limited);
        *command = limited;
    });
    assert!(files_below(&out).is_empty());
}

/// A disk of its own that is nearly full; only root can make one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let place = Place::new();
    let disk = place.folder("disk");
    let mount = |args: &[&str]| {
        Command::new("mount").args(args).arg(&disk).output().is_ok_and(|o| o.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=64k", "limpid-test"]) {
        return; // not root, or a container without the right to mount
    }
    let ran = nothing_can_be_written(&place, &disk, |_| {});
    let left = files_below(&disk);
    // Room is made, and the same command goes on with what is not done.
    assert!(mount(&["-o", "remount,size=16m"]));
    let line = ["denoise", "in", "--strength", "0", "-o"].map(OsStr::new);
    let again = place.run([&line[..], &[disk.as_os_str()]].concat());
    let results = files_below(&disk).len();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    assert!(left.is_empty(), "{left:?}");
    assert!(ran.failures().iter().all(|line| line.contains("full")), "{}", ran.stderr);
    again.ended_with(0);
    assert_eq!(results, 3);
}

#[test]
fn a_result_folder_that_vanishes_during_the_work() {
    let place = Place::new();
    let folder = place.folder("in");
    for number in 0..8 {
        files::save(&files::noisy(120, 90, number), &folder.join(format!("{number}.png")));
    }
    let mut child = place.start(["denoise", "in", "-o", "out", "--json"]);
    let out = place.at("out");
    let limit = std::time::Duration::from_secs(120);
    crate::limpid::wait_until(limit, || {
        !files_below(&out).is_empty() || child.try_wait().unwrap().is_some()
    });
    // It may be written to just now; then removing is tried again.
    assert!(crate::limpid::wait_until(limit, || {
        let _busy = std::fs::remove_dir_all(&out);
        !out.exists()
    }));
    let ran = crate::limpid::end_of(child, limit);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    // Made again or failed: every file is told of, and what is there is whole.
    let done = ran.json().pop().unwrap();
    assert_eq!(done["finished"].as_u64().unwrap() + done["failed"].as_u64().unwrap(), 8, "{done}");
    for path in files_below(&out) {
        assert_eq!(files::load(&path).width(), 120);
    }
}
