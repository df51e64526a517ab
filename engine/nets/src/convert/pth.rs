//! PyTorch's `.pth`, converted outside this program by a small script that Python runs with its
//! standard library alone. The program itself never reads a pickle.

use std::path::Path;

use limpid_kernels::Cancel;

use crate::error::LoadError;
use crate::python::Python;
use crate::weights::{self, Stored};

const SCRIPT: &str = include_str!("../../../../models/convert/pth_to_safetensors.py");

/// Converts the state dictionary `pth`, in the scratch folder `folder`.
pub(crate) fn convert(
    pth: &[u8],
    folder: &Path,
    python: &Python,
    cancel: &Cancel,
) -> Result<Vec<Stored>, LoadError> {
    let script = folder.join("pth_to_safetensors.py");
    let source = folder.join("state.pth");
    let destination = folder.join("state.safetensors");
    for (path, content) in [(&script, SCRIPT.as_bytes()), (&source, pth)] {
        std::fs::write(path, content)
            .map_err(|cause| LoadError::io("a temporary file could not be written", path, cause))?;
    }
    // -I: no user site, no environment, no current folder on the module path.
    let arguments =
        ["-I".as_ref(), script.as_os_str(), source.as_os_str(), destination.as_os_str()];
    python.run(&arguments, cancel)?.map_err(|why| {
        LoadError::damaged(format!("the PyTorch weights could not be converted: {why}"))
    })?;
    weights::read_tensors(&weights::read_file(&destination)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where this computer has a Python with pip, as fetching needs.
    #[test]
    fn a_pickle_that_runs_code_is_refused() {
        let cancel = Cancel::new();
        let Ok(python) = Python::find(&cancel) else { return };
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        let cases = [
            (format!("cos\nsystem\n(S'touch {}'\ntR.", victim.display()), "os.system"),
            ("cbuiltins\neval\n(S'1'\ntR.".to_owned(), "builtins.eval"),
            ("I1\n.".to_owned(), "not a state dictionary"),
            (String::new(), "input"),
        ];
        for (pickle, part) in cases {
            let result = convert(pickle.as_bytes(), folder.path(), &python, &cancel);
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(!victim.exists());
    }
}
