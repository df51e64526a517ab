//! Starting the program: each test gets a home of its own, so that nothing on this computer
//! (models, saved queues, settings) changes a result, and nothing is left behind.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program under test: the one just built, or an installed one that `LIMPID_TEST_PROGRAM` names.
fn program() -> PathBuf {
    std::env::var_os("LIMPID_TEST_PROGRAM")
        .map_or_else(|| assert_cmd::cargo::cargo_bin!("limpid").to_owned(), PathBuf::from)
}

/// A folder for a test: a home for the program, and room for pictures.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::Builder::new().prefix("limpid test ").tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(name)
    }

    /// A folder in it, made when missing.
    pub(crate) fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let folder = self.at(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The program, not started yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.root.path()).stdin(Stdio::null());
        self.settle(&mut command);
        command
    }

    /// Gives a command this place as its home.
    pub(crate) fn settle(&self, command: &mut Command) {
        let home = self.folder("home");
        command.env("LIMPID_HOME", &home).env("LC_ALL", "C.UTF-8");
        for name in ["LIMPID_PROFILE", "LIMPID_LOG", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Starts the program with its output in pipes.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Part files below it: a result that is half there.
    pub(crate) fn part_files(&self) -> Vec<PathBuf> {
        files_below(self.root.path())
            .into_iter()
            .filter(|path| path.as_os_str().as_encoded_bytes().ends_with(b".limpid-part"))
            .collect()
    }
}

/// All files below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// How a run went.
pub(crate) struct Ran {
    /// Exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Fails the test unless the program ended with this code and without a panic.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "a panic: {}", self.stderr);
        assert_eq!(self.code, Some(code), "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The lines on standard error that name failures: all but the closing count.
    pub(crate) fn failures(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| !is_summary(line)).collect()
    }

    /// The JSON lines on standard output.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}

fn is_summary(line: &str) -> bool {
    let mut words = line.split(' ');
    words.next().is_some_and(|word| word.parse::<u32>().is_ok())
        && matches!(words.next(), Some("file" | "files"))
}

/// Waits until `done`, at most `limit`; says whether it came.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    done()
}

/// Sends a signal by name: "INT", "KILL".
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.unwrap().success(), "the signal could not be sent");
}

/// Waits for the end of a started program; kills it after `limit`, so that no test hangs.
pub(crate) fn end_of(mut child: Child, limit: Duration) -> Ran {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let in_time = wait_until(limit, || child.try_wait().unwrap().is_some());
    if !in_time {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let ran =
        Ran { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    assert!(in_time, "it had not ended after {limit:?}\nstderr: {}", ran.stderr);
    ran
}
