//! The user's own Python, run as a child process: for its package client, and for one converter.

use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::Duration;

use limpid_kernels::Cancel;

use crate::error::{LoadError, LoadErrorKind};

/// How often a waiting run looks at the cancel flag.
const POLL: Duration = Duration::from_millis(30);

/// Of what a child says, the end is what matters.
const MAX_MESSAGE_BYTES: u64 = 64 << 10;

/// A Python 3 that answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Python {
    program: &'static str,
}

impl Python {
    /// The first of the usual names that starts and has pip.
    pub(crate) fn find(cancel: &Cancel) -> Result<Self, LoadError> {
        let pip = ["-m", "pip", "--version"].map(OsStr::new);
        for program in ["python3", "python"] {
            let python = Self { program };
            match python.run(&pip, cancel) {
                Ok(Ok(())) => return Ok(python),
                Err(error) if error.kind() == LoadErrorKind::Cancelled => return Err(error),
                _ => {}
            }
        }
        Err(LoadError::new(
            LoadErrorKind::Fetch,
            "fetching a pack uses Python's package client, and no Python 3 with pip was found",
        ))
    }

    /// One that is never run.
    #[cfg(test)]
    pub(crate) fn stub() -> Self {
        Self { program: "no-such-program" }
    }

    /// Runs to the end or to a cancel. The inner error is the last line the child wrote.
    pub(crate) fn run(
        &self,
        arguments: &[&OsStr],
        cancel: &Cancel,
    ) -> Result<Result<(), String>, LoadError> {
        let fault = |cause: std::io::Error| {
            LoadError::new(LoadErrorKind::Fetch, format!("Python could not be run ({cause})"))
        };
        // A file and not a pipe: a child that writes much never waits for a reader.
        let mut log = tempfile::tempfile().map_err(fault)?;
        let mut child = Command::new(self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.try_clone().map_err(fault)?)
            .spawn()
            .map_err(fault)?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(fault)? {
                break status;
            }
            if let Err(cancelled) = cancel.check() {
                let _ = child.kill(); // it may have ended this very moment
                let _ = child.wait();
                return Err(cancelled.into());
            }
            std::thread::sleep(POLL);
        };
        if status.success() {
            return Ok(Ok(()));
        }
        let mut text = Vec::new();
        let length = log.seek(std::io::SeekFrom::End(0)).map_err(fault)?;
        let start = length.saturating_sub(MAX_MESSAGE_BYTES);
        log.seek(std::io::SeekFrom::Start(start)).map_err(fault)?;
        log.take(MAX_MESSAGE_BYTES).read_to_end(&mut text).map_err(fault)?;
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        Ok(Err(last.unwrap_or("it gave no reason").to_owned()))
    }
}
