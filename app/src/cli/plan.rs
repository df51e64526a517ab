//! From what was typed to a job: which recipe, and whether OUT is a file or a folder.

use std::path::{Path, PathBuf};

use limpid_engine::{
    Denoise, Destination, Effort, Existing, Gps, Job, OutputFormat, Recipe, Size, Speech,
    StepSettings, Strength, Upscale,
};

use super::args::{DenoiseArgs, FolderArgs, OutputArgs, RunArgs, SpeechArgs, UpscaleArgs};

/// What was typed makes no sense; one sentence, exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// The job of `limpid denoise`.
///
/// # Errors
/// [`Usage`] where OUT does not fit the inputs.
pub(super) fn denoise(args: &DenoiseArgs) -> Result<Job, Usage> {
    let strength = match args.sigma {
        Some(sigma) => Strength::Fixed(sigma / Strength::FULL_SIGMA),
        None => args.strength,
    };
    let step = StepSettings::Denoise(Denoise {
        strength,
        luma: args.luma,
        chroma: args.chroma,
        effort: effort(args.best),
        model: args.model.clone(),
    });
    job(step, &args.inputs, &args.output)
}

fn effort(best: bool) -> Effort {
    if best { Effort::Best } else { Effort::Fast }
}

/// The job of `limpid upscale`.
///
/// # Errors
/// [`Usage`] where OUT does not fit the inputs.
pub(super) fn upscale(args: &UpscaleArgs) -> Result<Job, Usage> {
    let size = args.long_edge.map_or(Size::Scale(args.scale), Size::LongEdge);
    let step = StepSettings::Upscale(Upscale {
        size,
        effort: effort(args.best),
        model: args.model.clone(),
    });
    job(step, &args.inputs, &args.output)
}

/// The job of `limpid speech`.
///
/// # Errors
/// [`Usage`] where OUT does not fit the inputs.
pub(super) fn speech(args: &SpeechArgs) -> Result<Job, Usage> {
    let recipe = Recipe::for_speech(Speech {
        limit_db: args.limit_db,
        dereverb: args.dereverb,
        loudness: args.loudness,
        effort: effort(args.best),
        model: args.model.clone(),
    });
    to(recipe, &args.inputs, &args.output, &args.folders, |_, output| {
        let ending = output.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            None | Some("wav" | "flac") => Ok(()),
            Some(other) => Err(Usage(format!(
                "a result ends in .wav or .flac, not in .{other}: {}",
                output.display()
            ))),
        }
    })
}

/// The job of `limpid run`.
///
/// # Errors
/// [`Usage`] where the recipe cannot be read or is wrong, or OUT is no folder.
pub(super) fn run(args: &RunArgs) -> Result<Job, Usage> {
    let text = std::fs::read_to_string(&args.recipe).map_err(|error| {
        Usage(format!("the recipe cannot be read ({error}): {}", args.recipe.display()))
    })?;
    let mut recipe = Recipe::from_toml(&text).map_err(|error| {
        Usage(format!("the recipe is wrong, {error}: {}", args.recipe.display()))
    })?;
    if let Some(folder) = &args.output {
        must_be_folder(folder)?;
        recipe.output.folder = Some(folder.clone());
    }
    if args.folders.overwrite {
        recipe.output.existing = Existing::Overwrite;
    }
    Ok(Job {
        inputs: args.inputs.clone(),
        recursive: args.folders.recursive,
        recipe,
        destination: Destination::Recipe,
    })
}

fn job(step: StepSettings, inputs: &[PathBuf], args: &OutputArgs) -> Result<Job, Usage> {
    let mut recipe = Recipe::new([step]);
    recipe.output.format = args.format.into();
    recipe.output.quality = args.quality;
    recipe.output.gps = if args.strip_gps { Gps::Strip } else { Gps::Keep };
    to(recipe, inputs, &args.output, &args.folders, |input, output| {
        check_ending(input, output, args.format.into())
    })
}

/// The job that puts results to OUT; `check` looks at the name of a single one.
fn to(
    mut recipe: Recipe,
    inputs: &[PathBuf],
    output: &Path,
    folders: &FolderArgs,
    check: impl Fn(&Path, &Path) -> Result<(), Usage>,
) -> Result<Job, Usage> {
    let destination = match inputs {
        [input] if !input.is_dir() && !names_a_folder(output) => {
            if is_same_place(input, output) {
                return Err(Usage(format!(
                    "the result would replace the original; choose another name: {}",
                    output.display()
                )));
            }
            check(input, output)?;
            // The user named this very file.
            recipe.output.existing = Existing::Overwrite;
            Destination::File(output.to_owned())
        }
        _ => {
            must_be_folder(output)?;
            recipe.output.folder = Some(output.to_owned());
            if folders.overwrite {
                recipe.output.existing = Existing::Overwrite;
            }
            Destination::Recipe
        }
    };
    Ok(Job { inputs: inputs.to_vec(), recursive: folders.recursive, recipe, destination })
}

/// A file's ending must be true: its format is the one asked for, or follows from the ending.
fn check_ending(input: &Path, output: &Path, format: OutputFormat) -> Result<(), Usage> {
    let Some(ending) = output.extension() else { return Ok(()) };
    let ending = ending.to_string_lossy().to_lowercase();
    let named = match ending.as_str() {
        "png" => OutputFormat::Png,
        "jpg" | "jpeg" | "jpe" | "jfif" => OutputFormat::Jpeg,
        "tif" | "tiff" => OutputFormat::Tiff,
        "webp" => OutputFormat::Webp,
        // Formats that are only kept, not chosen.
        _ if format == OutputFormat::Same
            && input.extension().is_some_and(|own| own.eq_ignore_ascii_case(&ending)) =>
        {
            return Ok(());
        }
        _ => {
            return Err(Usage(format!(
                "a result ends in .jpg, .png, .tif or .webp, not in .{ending}: {}",
                output.display()
            )));
        }
    };
    if format != OutputFormat::Same && format != named {
        return Err(Usage(format!(
            "the ending .{ending} and --format say different things: {}",
            output.display()
        )));
    }
    Ok(())
}

/// Whether OUT is a folder, or is written like one: "results/".
fn names_a_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|byte| std::path::is_separator(char::from(*byte))) || path.is_dir()
}

fn must_be_folder(path: &Path) -> Result<(), Usage> {
    if path.exists() && !path.is_dir() {
        return Err(Usage(format!(
            "the results of several files go to a folder, and this is a file: {}",
            path.display()
        )));
    }
    Ok(())
}

/// Whether both name one entry of one folder. A link elsewhere to the same file is another entry:
/// the result is renamed over it and leaves the original alone.
fn is_same_place(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| -> Option<PathBuf> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    place(a).is_some_and(|a| Some(a) == place(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn plan(line: &[&str]) -> Result<Job, Usage> {
        match Cli::try_parse_from([&["limpid"], line].concat()).unwrap().command {
            Some(Command::Denoise(args)) => denoise(&args),
            Some(Command::Upscale(args)) => upscale(&args),
            Some(Command::Run(args)) => run(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_file_goes_to_a_file_and_several_to_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("a.jpg"), "x").unwrap();
        std::fs::create_dir(at("folder")).unwrap();

        let one = plan(&["denoise", &at("a.jpg"), "-o", &at("b.jpg")]).unwrap();
        assert_eq!(one.destination, Destination::File(at("b.jpg").into()));
        assert_eq!(one.recipe.output.existing, Existing::Overwrite);

        for out in [at("folder"), at("new/")] {
            let job = plan(&["denoise", &at("a.jpg"), "-o", &out]).unwrap();
            assert_eq!(job.destination, Destination::Recipe, "{out}");
            assert_eq!(job.recipe.output.folder, Some(out.into()));
            assert_eq!(job.recipe.output.existing, Existing::Skip);
        }
        for inputs in [vec![at("a.jpg"), at("b.jpg")], vec![at("folder")]] {
            let mut line = vec!["upscale"];
            line.extend(inputs.iter().map(String::as_str));
            let out = at("new");
            line.extend(["-o", &out, "--overwrite"]);
            let job = plan(&line).unwrap();
            assert_eq!(job.recipe.output.folder, Some(at("new").into()));
            assert_eq!(job.recipe.output.existing, Existing::Overwrite);
        }
    }

    #[test]
    fn an_output_that_cannot_be_meant_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("a.jpg"), "x").unwrap();
        std::fs::write(at("b.jpg"), "x").unwrap();
        let same = plan(&["denoise", &at("a.jpg"), "-o", &at("./a.jpg")]).unwrap_err();
        assert!(same.to_string().contains("replace the original"), "{same}");
        let file = plan(&["denoise", &at("a.jpg"), &at("x.jpg"), "-o", &at("b.jpg")]).unwrap_err();
        assert!(file.to_string().contains("this is a file"), "{file}");
    }

    #[test]
    fn an_ending_that_would_lie_is_refused() {
        for (input, out, format, is_fine) in [
            ("a.jpg", "b.png", "same", true),
            ("a.jpg", "b.TIFF", "tiff", true),
            ("a.jpg", "b", "webp", true),
            ("a.bmp", "b.BMP", "same", true),
            ("a.jpg", "b.png", "jpeg", false),
            ("a.jpg", "b.bmp", "same", false),
            ("a.bmp", "b.bmp", "png", false),
            ("a.jpg", "b.avif", "same", false),
        ] {
            let job = plan(&["denoise", input, "-o", out, "--format", format]);
            assert_eq!(job.is_ok(), is_fine, "{input} to {out} as {format}: {job:?}");
        }
    }

    #[test]
    fn settings_reach_the_recipe() {
        let job = plan(&[
            "denoise",
            "a.jpg",
            "-o",
            "b.jpg",
            "--sigma",
            "15",
            "--chroma",
            "0.5",
            "--quality",
            "80",
            "--format",
            "jpeg",
            "--best",
            "--strip-gps",
            "--model",
            "x",
        ])
        .unwrap();
        let wanted = Denoise {
            strength: Strength::Fixed(0.2),
            luma: 1.0,
            chroma: 0.5,
            effort: Effort::Best,
            model: "x".into(),
        };
        assert_eq!(job.recipe.steps[0].settings, StepSettings::Denoise(wanted));
        assert_eq!(job.recipe.output.quality, 80);
        assert_eq!(job.recipe.output.gps, Gps::Strip);
        assert_eq!(job.recipe.output.format, OutputFormat::Jpeg);
    }

    #[test]
    fn a_recipe_file_is_read_and_its_folder_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = dir.path().join("r.toml");
        let line = ["run", "--recipe", recipe.to_str().unwrap(), "a.jpg", "-o", "out"];
        assert!(plan(&line).unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&recipe, "version = 1\n[[steps]]\nkind = \"sharpen\"").unwrap();
        assert!(plan(&line).unwrap_err().to_string().contains("sharpen"));
        std::fs::write(&recipe, "version = 1\n[output]\nfolder = \"other\"\nquality = 80").unwrap();
        let job = plan(&line).unwrap();
        assert_eq!(job.recipe.output.folder, Some("out".into()));
        assert_eq!(job.recipe.output.quality, 80);
        assert_eq!(job.recipe.output.existing, Existing::Skip);
    }
}
