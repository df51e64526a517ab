//! Where a result is written: never over an original, never twice to one place, and names that are
//! not Unicode kept byte for byte.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use limpid_photo::FileFormat;

use crate::job::Destination;
use crate::recipe::{Existing, Output};

/// Tells a result from its original where both lie in one folder.
const MARK: &str = "-limpid";

/// A file format, as far as a name depends on it.
pub(crate) trait Named: Copy {
    /// The usual extension, without the dot.
    fn extension(self) -> &'static str;
    /// Whether this extension, in any case, belongs to the format.
    fn has_extension(self, extension: &str) -> bool;
}

impl Named for FileFormat {
    fn extension(self) -> &'static str {
        self.extension()
    }

    fn has_extension(self, extension: &str) -> bool {
        self.has_extension(extension)
    }
}

/// A file of a job, as far as its result's name depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The file that is read.
    pub(crate) input: &'a Path,
    /// Its folder below the folder that was given.
    pub(crate) below: &'a Path,
    /// Its place in the job, from 0.
    pub(crate) index: u32,
    /// Files of the job.
    pub(crate) count: u32,
    /// The recipe's output.
    pub(crate) output: &'a Output,
    /// Where the results go.
    pub(crate) destination: &'a Destination,
}

/// What to do about a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Write it here.
    Write(PathBuf),
    /// Leave it: this file is there already.
    Skip(PathBuf),
}

/// The result would replace an original; the job named that file itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result would replace the original; choose another name: {}", .0.display())]
pub(crate) struct WouldReplaceOriginal(pub(crate) PathBuf);

/// Chooses the place of a result in `format`. The input's own extension is kept where it belongs to
/// that format.
pub(crate) fn plan(
    target: Target<'_>,
    format: impl Named,
    claims: &mut Claims,
) -> Result<Plan, WouldReplaceOriginal> {
    let (folder, stem, extension) = match target.destination {
        Destination::File(file) => {
            if claims.is_input(file) {
                return Err(WouldReplaceOriginal(file.clone()));
            }
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            let stem = file.file_stem().unwrap_or_default().to_owned();
            (folder, stem, file.extension().map(OsStr::to_owned))
        }
        Destination::Recipe => {
            let folder = match &target.output.folder {
                Some(folder) if target.output.mirror_subfolders => folder.join(target.below),
                Some(folder) => folder.clone(),
                None => target.input.parent().unwrap_or(Path::new("")).to_owned(),
            };
            let extension = extension(target.input, format);
            let mut stem = fill_pattern(target);
            let is_plain_beside = target.output.folder.is_none() && target.output.name == "{name}";
            if is_plain_beside || claims.is_input(&join(&folder, &stem, None, extension.as_deref()))
            {
                stem.push(MARK);
            }
            (folder, stem, extension)
        }
    };
    let mut number = None;
    loop {
        let candidate = join(&folder, &stem, number, extension.as_deref());
        let is_free = !claims.is_taken(&candidate, target.index);
        // Not `exists`: a dangling link is something that is there too.
        let is_there = is_free && candidate.symlink_metadata().is_ok();
        let plan = match (is_free, is_there, target.output.existing) {
            (false, ..) | (true, true, Existing::Number) => None,
            (true, true, Existing::Skip) => Some(Plan::Skip(candidate.clone())),
            (true, false, _) | (true, true, Existing::Overwrite) => {
                Some(Plan::Write(candidate.clone()))
            }
        };
        if let Some(plan) = plan {
            claims.claim(&candidate, target.index);
            return Ok(plan);
        }
        number = Some(number.map_or(2_u32, |n| n.saturating_add(1)));
    }
}

/// The stem that an original of the result `stem` has: "a" for "a-limpid" and "a-limpid-2".
pub(crate) fn original_stem(stem: &[u8]) -> Option<&[u8]> {
    if let Some(original) = stem.strip_suffix(MARK.as_bytes()) {
        return Some(original);
    }
    let digits = stem.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let without = stem[..stem.len() - digits].strip_suffix(b"-")?;
    if digits == 0 { None } else { without.strip_suffix(MARK.as_bytes()) }
}

fn extension(input: &Path, format: impl Named) -> Option<OsString> {
    let own = input.extension();
    let fits = own.and_then(OsStr::to_str).is_some_and(|own| format.has_extension(own));
    if fits { own.map(OsStr::to_owned) } else { Some(format.extension().into()) }
}

/// Fills `{name}` and `{n}`; the number has as many digits as the job's last.
fn fill_pattern(target: Target<'_>) -> OsString {
    let name = target.input.file_stem().unwrap_or_default();
    let digits = target.count.max(1).to_string().len();
    let mut filled = OsString::new();
    let mut rest = target.output.name.as_str();
    while let Some(open) = rest.find('{') {
        filled.push(&rest[..open]);
        rest = &rest[open..];
        if let Some(after) = rest.strip_prefix("{name}") {
            filled.push(name);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{n}") {
            filled.push(format!("{:0digits$}", u64::from(target.index) + 1));
            rest = after;
        } else {
            filled.push("{");
            rest = &rest[1..];
        }
    }
    filled.push(rest);
    filled
}

/// Not `with_extension`: a dot in the stem is part of the name.
fn join(folder: &Path, stem: &OsStr, number: Option<u32>, extension: Option<&OsStr>) -> PathBuf {
    let mut name = stem.to_owned();
    if let Some(number) = number {
        name.push(format!("-{number}"));
    }
    if let Some(extension) = extension {
        name.push(".");
        name.push(extension);
    }
    folder.join(name)
}

/// The places of one job that are spoken for: its originals, and the results given out so far.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    owners: HashMap<PathBuf, Owner>,
    real_folders: HashMap<PathBuf, PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Input,
    Result(u32),
}

impl Claims {
    /// Marks `path` as an original, and with it the file that it links to.
    pub(crate) fn add_input(&mut self, path: &Path) {
        let key = self.key(path);
        self.owners.insert(key, Owner::Input);
        if let Ok(real) = path.canonicalize() {
            let key = self.key(&real);
            self.owners.insert(key, Owner::Input);
        }
    }

    /// Marks `path` as the result of file `index`. Originals stay originals.
    pub(crate) fn claim(&mut self, path: &Path, index: u32) {
        let key = self.key(path);
        self.owners.entry(key).or_insert(Owner::Result(index));
    }

    fn is_input(&mut self, path: &Path) -> bool {
        let key = self.key(path);
        self.owners.get(&key) == Some(&Owner::Input)
    }

    fn is_taken(&mut self, path: &Path, index: u32) -> bool {
        let key = self.key(path);
        self.owners.get(&key).is_some_and(|owner| *owner != Owner::Result(index))
    }

    /// One key for one place: links in the folder resolved, case folded where the usual file system
    /// does so. The last name is not resolved: a rename replaces a link, not what it points to.
    fn key(&mut self, path: &Path) -> PathBuf {
        let folder = path.parent().unwrap_or(Path::new(""));
        let real = match self.real_folders.get(folder) {
            Some(real) => real.clone(),
            None => match folder.canonicalize() {
                Ok(real) => {
                    self.real_folders.insert(folder.to_owned(), real.clone());
                    real
                }
                Err(_) => folder.to_owned(), // not made yet: may become real later
            },
        };
        let key = real.join(path.file_name().unwrap_or_default());
        if cfg!(any(target_os = "macos", windows)) {
            PathBuf::from(key.to_string_lossy().to_lowercase())
        } else {
            key
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Case {
        dir: tempfile::TempDir,
        claims: Claims,
        output: Output,
        destination: Destination,
        below: PathBuf,
    }

    const JPEG: FileFormat = FileFormat::Jpeg;
    const PNG: FileFormat = FileFormat::Png;

    impl Case {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
                claims: Claims::default(),
                output: Output::default(),
                destination: Destination::Recipe,
                below: PathBuf::new(),
            }
        }

        fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
            self.dir.path().join(name.as_ref())
        }

        fn input(&mut self, name: impl AsRef<OsStr>) -> PathBuf {
            let path = self.at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"x").unwrap();
            self.claims.add_input(&path);
            path
        }

        fn plan(&mut self, input: &Path, index: u32, format: FileFormat) -> Plan {
            self.try_plan(input, index, format).unwrap()
        }

        fn try_plan(
            &mut self,
            input: &Path,
            index: u32,
            format: FileFormat,
        ) -> Result<Plan, WouldReplaceOriginal> {
            let target = Target {
                input,
                below: &self.below,
                index,
                count: 12,
                output: &self.output,
                destination: &self.destination,
            };
            plan(target, format, &mut self.claims)
        }
    }

    #[test]
    fn beside_the_input_a_mark_is_added() {
        let mut case = Case::new();
        let input = case.input("my photo.v2.JPG");
        let wanted = case.at("my photo.v2-limpid.JPG");
        assert_eq!(case.plan(&input, 0, JPEG), Plan::Write(wanted));
    }

    #[test]
    fn the_extension_follows_the_format() {
        let mut case = Case::new();
        let input = case.input("a.jpeg");
        case.output.folder = Some(case.at("out"));
        assert_eq!(case.plan(&input, 0, PNG), Plan::Write(case.at("out/a.png")));
        assert_eq!(case.plan(&input, 1, JPEG), Plan::Write(case.at("out/a.jpeg")));
    }

    #[test]
    fn two_inputs_of_one_name_get_two_results() {
        let mut case = Case::new();
        case.output.folder = Some(case.at("out"));
        let (first, second) = (case.input("a.jpg"), case.input("a.png"));
        assert_eq!(case.plan(&first, 0, PNG), Plan::Write(case.at("out/a.png")));
        assert_eq!(case.plan(&second, 1, PNG), Plan::Write(case.at("out/a-2.png")));
        // Asked again, each gets the same.
        assert_eq!(case.plan(&first, 0, PNG), Plan::Write(case.at("out/a.png")));
        assert_eq!(case.plan(&second, 1, PNG), Plan::Write(case.at("out/a-2.png")));
    }

    #[test]
    fn a_result_that_is_there_is_skipped_replaced_or_numbered() {
        for (existing, wanted) in [
            (Existing::Skip, Plan::Skip("a.jpg".into())),
            (Existing::Overwrite, Plan::Write("a.jpg".into())),
            (Existing::Number, Plan::Write("a-2.jpg".into())),
        ] {
            let mut case = Case::new();
            let input = case.input("in/a.jpg");
            fs::write(case.at("a.jpg"), b"old").unwrap();
            case.output.folder = Some(case.dir.path().to_owned());
            case.output.existing = existing;
            let wanted = match wanted {
                Plan::Write(name) => Plan::Write(case.at(name)),
                Plan::Skip(name) => Plan::Skip(case.at(name)),
            };
            assert_eq!(case.plan(&input, 0, JPEG), wanted, "{existing:?}");
        }
    }

    #[test]
    fn no_original_of_the_job_is_ever_replaced() {
        let mut case = Case::new();
        case.output.existing = Existing::Overwrite;
        case.output.folder = Some(case.dir.path().to_owned());
        let (png, jpg) = (case.input("a.png"), case.input("a.jpg"));
        // Both would become a.jpg, which is an original.
        assert_eq!(case.plan(&png, 0, JPEG), Plan::Write(case.at("a-limpid.jpg")));
        assert_eq!(case.plan(&jpg, 1, JPEG), Plan::Write(case.at("a-limpid-2.jpg")));
        case.destination = Destination::File(png.clone());
        assert_eq!(case.try_plan(&png, 0, PNG), Err(WouldReplaceOriginal(png.clone())));
    }

    #[cfg(unix)]
    #[test]
    fn an_original_is_known_through_a_linked_folder() {
        let mut case = Case::new();
        case.output.existing = Existing::Overwrite;
        let input = case.input("real/a.jpg");
        std::os::unix::fs::symlink(case.at("real"), case.at("link")).unwrap();
        case.output.folder = Some(case.at("link"));
        assert_eq!(case.plan(&input, 0, JPEG), Plan::Write(case.at("link/a-limpid.jpg")));
    }

    #[test]
    fn subfolders_are_mirrored_when_asked() {
        let mut case = Case::new();
        let input = case.input("in/b/c.jpg");
        case.output.folder = Some(case.at("out"));
        case.below = "b".into();
        assert_eq!(case.plan(&input, 0, JPEG), Plan::Write(case.at("out/b/c.jpg")));
        case.output.mirror_subfolders = false;
        assert_eq!(case.plan(&input, 0, JPEG), Plan::Write(case.at("out/c.jpg")));
    }

    #[test]
    fn patterns_take_name_and_number() {
        let mut case = Case::new();
        case.output.folder = Some(case.at("out"));
        let input = case.input("a{n}.jpg");
        for (pattern, wanted) in [
            ("{n}_{name}", "08_a{n}.jpg"),
            ("{name}{name}", "a{n}a{n}.jpg"),
            ("{x}{", "{x}{.jpg"),
            ("plain", "plain.jpg"),
        ] {
            case.output.name = pattern.into();
            let plan = case.plan(&input, 7, JPEG);
            assert_eq!(plan, Plan::Write(case.at("out").join(wanted)), "{pattern}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_unicode_is_kept_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let mut case = Case::new();
        let input = case.input(OsStr::from_bytes(b"caf\xe9.jpg"));
        let wanted = case.at(OsStr::from_bytes(b"caf\xe9-limpid.jpg"));
        assert_eq!(case.plan(&input, 0, JPEG), Plan::Write(wanted));
    }

    #[test]
    fn results_are_known_by_their_stem() {
        for (stem, original) in [
            ("a-limpid", Some("a")),
            ("a-limpid-12", Some("a")),
            ("a-limpid-", None),
            ("a-2", None),
            ("limpid", None),
        ] {
            assert_eq!(original_stem(stem.as_bytes()), original.map(str::as_bytes), "{stem}");
        }
    }
}
