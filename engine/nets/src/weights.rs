//! The weight container: safetensors with `limpid.*` metadata, checked strictly.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;

use crate::architecture::Architecture;
use crate::error::LoadError;
use crate::graph::Graph;

/// Larger files are refused unread. The largest network within [`Architecture`]'s limits is
/// larger, but none that would be useful on a CPU.
pub(crate) const MAX_FILE_BYTES: u64 = 128 << 20;

/// The header names some dozens of tensors; the parser's own limit of 100 MB would let a hostile
/// file cost gigabytes of parsed JSON.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// What the name of a tensor of bytes is followed by in the name of its steps.
const STEP: &str = ".step";

/// One tensor, widened to `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub data: Vec<f32>,
}

/// A network's tensors by name, exactly those its description asks for.
#[derive(Clone, Debug)]
pub struct Weights {
    /// None for a description of one's own.
    architecture: Option<Architecture>,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads a container and checks it against the architecture it names.
    ///
    /// # Errors
    /// Not a container, an unknown architecture, a tensor missing, left over, of another shape or
    /// type, or a value that is not finite.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let (tensors, metadata) = parse(bytes)?;
        let architecture = Architecture::from_metadata(&metadata)?;
        Self::check(architecture, &tensors)
    }

    /// Takes the tensors that the network asks for.
    fn check(architecture: Architecture, file: &SafeTensors<'_>) -> Result<Self, LoadError> {
        let mut tensors = HashMap::new();
        let mut steps = HashSet::new();
        for (name, shape) in architecture.tensors()? {
            let view = file
                .tensor(&name)
                .map_err(|_| LoadError::damaged(format!("the weight file has no tensor {name}")))?;
            if view.shape() != shape {
                return Err(LoadError::damaged(format!(
                    "tensor {name} in the weight file has shape {:?} where the network has {shape:?}",
                    view.shape()
                )));
            }
            let (data, step) = values(file, &name, &view)?;
            steps.extend(step);
            tensors.insert(name, Tensor { shape, data });
        }
        if file.len() != tensors.len() + steps.len() {
            let is_known = |name: &str| tensors.contains_key(name) || steps.contains(name);
            let left_over = file.names().into_iter().find(|name| !is_known(name));
            return Err(LoadError::damaged(format!(
                "the weight file has a tensor that the network does not, {}",
                shown(left_over.unwrap_or("unnamed"))
            )));
        }
        Ok(Self { architecture: Some(architecture), tensors })
    }

    /// Weights made by `values(name, shape)`, for measurements and tests without a file.
    ///
    /// # Errors
    /// `values` gives another number of values than the shape has.
    pub fn from_fn(
        architecture: Architecture,
        mut values: impl FnMut(&str, &[usize]) -> Vec<f32>,
    ) -> Result<Self, LoadError> {
        let mut tensors = HashMap::new();
        for (name, shape) in architecture.tensors()? {
            let data = values(&name, &shape);
            if data.len() != shape.iter().product::<usize>() {
                return Err(LoadError::damaged(format!("{} values for {name}", data.len())));
            }
            tensors.insert(name, Tensor { shape, data });
        }
        Ok(Self { architecture: Some(architecture), tensors })
    }

    /// Tensors for a description that is no [`Architecture`].
    ///
    /// # Errors
    /// A tensor that `graph` asks for is missing, or has another shape.
    pub(crate) fn for_graph(
        graph: &Graph,
        tensors: HashMap<String, Tensor>,
    ) -> Result<Self, LoadError> {
        for (name, shape) in of_graph(graph) {
            let fits = tensors.get(&name).is_some_and(|tensor| {
                tensor.shape == shape && tensor.data.len() == shape.iter().product::<usize>()
            });
            if !fits {
                return Err(LoadError::damaged(format!("no tensor {name} of shape {shape:?}")));
            }
        }
        Ok(Self { architecture: None, tensors })
    }

    /// Which network these are for.
    ///
    /// # Errors
    /// They are for a description of one's own.
    pub fn architecture(&self) -> Result<Architecture, LoadError> {
        self.architecture
            .ok_or_else(|| LoadError::unsupported("these weights are for no known network"))
    }

    /// A tensor by its name in the file.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Kernel `[out, in, k, k]` of the convolution called `name`.
    pub(crate) fn kernel(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(&format!("{name}.weight"))
    }

    /// Bias `[out]` of the convolution called `name`.
    pub(crate) fn bias(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(&format!("{name}.bias"))
    }
}

/// Reads only the metadata: `limpid.*` and whatever else the writer noted.
pub(crate) fn metadata(bytes: &[u8]) -> Result<BTreeMap<String, String>, LoadError> {
    parse(bytes).map(|(_, metadata)| metadata)
}

fn parse(bytes: &[u8]) -> Result<(SafeTensors<'_>, BTreeMap<String, String>), LoadError> {
    let damaged = |why: &str| LoadError::damaged(format!("not a sound weight file: {why}"));
    let header = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    match header {
        None => return Err(damaged("it is too short")),
        Some(length) if length > MAX_HEADER_BYTES => {
            return Err(damaged("its header is too long"));
        }
        Some(_) => {}
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error.to_string()))?;
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok((tensors, metadata))
}

/// Names and shapes of the tensors a description needs.
pub(crate) fn of_graph(graph: &Graph) -> Vec<(String, Vec<usize>)> {
    graph
        .convs()
        .flat_map(|conv| {
            let name = &conv.name;
            [
                (format!("{name}.weight"), conv.kernel_shape().to_vec()),
                (format!("{name}.bias"), vec![conv.output]),
            ]
        })
        .collect()
}

/// All tensors of a container by name, widened, unchecked against any network.
pub(crate) fn read_values(bytes: &[u8]) -> Result<HashMap<String, Tensor>, LoadError> {
    let (file, _) = parse(bytes)?;
    let mut tensors = HashMap::new();
    let mut steps = HashSet::new();
    for (name, view) in file.iter() {
        let (data, step) = values(&file, name, &view)?;
        steps.extend(step);
        tensors.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), data });
    }
    tensors.retain(|name, _| !steps.contains(name));
    Ok(tensors)
}

/// A tensor's values, and the name of the tensor of its steps where it is stored as bytes.
fn values(
    file: &SafeTensors<'_>,
    name: &str,
    view: &TensorView<'_>,
) -> Result<(Vec<f32>, Option<String>), LoadError> {
    let (data, step) = if view.dtype() == Dtype::I8 {
        let step = format!("{name}{STEP}");
        (from_bytes(file, &step, view)?, Some(step))
    } else {
        let data = widen(view.dtype(), view.data()).ok_or_else(|| {
            LoadError::unsupported(format!(
                "tensor {} in the weight file is stored as {} where I8, F16 or F32 is read",
                shown(name),
                view.dtype()
            ))
        })?;
        (data, None)
    };
    if data.iter().any(|value| !value.is_finite()) {
        return Err(LoadError::damaged(format!(
            "tensor {} in the weight file holds values that are not numbers",
            shown(name)
        )));
    }
    Ok((data, step))
}

/// A name from a file that may be hostile, fit for a sentence.
fn shown(name: &str) -> String {
    name.chars().take(60).collect::<String>().escape_default().to_string()
}

/// A tensor of bytes: each value times the step of its row, the first axis. The steps are a tensor of
/// their own, `[rows]`.
fn from_bytes(
    file: &SafeTensors<'_>,
    step: &str,
    bytes: &TensorView<'_>,
) -> Result<Vec<f32>, LoadError> {
    let missing =
        || LoadError::damaged(format!("the weight file has no fitting tensor {}", shown(step)));
    let view = file.tensor(step).map_err(|_| missing())?;
    let steps = widen(view.dtype(), view.data()).ok_or_else(missing)?;
    let rows = bytes.shape().first().copied().unwrap_or(0);
    if steps.len() != rows || rows == 0 {
        return Err(missing());
    }
    let row = bytes.data().len() / rows;
    let values = bytes.data().iter().map(|byte| f32::from(byte.cast_signed()));
    Ok(values.enumerate().map(|(at, value)| value * steps[at / row.max(1)]).collect())
}

/// Little-endian values as `f32`; `None` for other types.
pub(crate) fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => {
            Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
        }
        Dtype::F16 => Some(
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|chunk| half::f16::from_le_bytes(*chunk).to_f32())
                .collect(),
        ),
        _ => None,
    }
}

/// Reads a whole file that may be hostile: a plain file, of bounded size.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let io = |cause| LoadError::io("the weight file could not be read", path, cause);
    let mut file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if !about.is_file() {
        return Err(LoadError::unsupported("this is not a file").at(path));
    }
    if about.len() > MAX_FILE_BYTES {
        return Err(LoadError::unsupported(format!(
            "the weight file is larger than {} MB",
            MAX_FILE_BYTES >> 20
        ))
        .at(path));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    // A file that grows while it is read stays within the limit.
    file.by_ref().take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// A tensor to be written: name, type, shape, little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// All tensors of a plain safetensors file, unchecked against any network.
pub(crate) fn read_tensors(bytes: &[u8]) -> Result<Vec<Stored>, LoadError> {
    let (file, _) = parse(bytes)?;
    Ok(file
        .iter()
        .map(|(name, view)| Stored {
            name: name.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        })
        .collect())
}

/// One line of the header. Typed, so that its fields keep this order whatever features of the
/// JSON library another crate switches on.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor(TensorInfo),
}

/// A container's bytes. The same tensors and metadata always give the same bytes, so that a
/// converted pack has one hash: metadata and tensors sorted by name, wide types first.
pub(crate) fn write(
    metadata: &BTreeMap<String, String>,
    mut tensors: Vec<Stored>,
) -> Result<Vec<u8>, LoadError> {
    tensors.sort_by(|a, b| (b.dtype, &a.name).cmp(&(a.dtype, &b.name)));
    let mut entries = BTreeMap::from([("__metadata__", Entry::Metadata(metadata))]);
    let mut offset = 0;
    for tensor in &tensors {
        let end = offset + tensor.bytes.len();
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        let info = TensorInfo { dtype, shape, data_offsets: (offset, end) };
        entries.insert(&tensor.name, Entry::Tensor(info));
        offset = end;
    }
    let mut header = serde_json::to_string(&entries)
        .map_err(|error| LoadError::damaged(format!("the weights cannot be written: {error}")))?;
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + offset);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    for tensor in &tensors {
        bytes.extend_from_slice(&tensor.bytes);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, DN_RESNET};

    #[test]
    fn a_container_is_read_back_as_written() {
        let bytes = testing::random_container(DN_RESNET, 7);
        let weights = Weights::read(&bytes).unwrap();
        assert_eq!(weights.architecture().unwrap(), DN_RESNET);
        assert_eq!(weights.kernel("head").unwrap().shape, [8, 12, 3, 3]);
        assert_eq!(weights.bias("tail").unwrap().data.len(), 12);
        assert_eq!(bytes, testing::random_container(DN_RESNET, 7), "writing is deterministic");
    }

    #[test]
    fn half_precision_is_widened() {
        let values = [0.5, -2.0, 65504.0].map(half::f16::from_f32);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(widen(Dtype::F16, &bytes).unwrap(), [0.5, -2.0, 65504.0]);
        assert!(widen(Dtype::I32, &[0; 4]).is_none());
    }

    /// Rewrites a sound container's tensors.
    fn altered(change: impl FnOnce(&mut Vec<Stored>)) -> Result<Weights, LoadError> {
        let sound = testing::random_container(DN_RESNET, 7);
        let mut tensors = read_tensors(&sound).unwrap();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        change(&mut tensors);
        Weights::read(&write(&DN_RESNET.to_metadata(), tensors).unwrap())
    }

    /// Puts the head's kernel down as bytes, 3 times a step of 0.5 for each row.
    fn as_bytes(tensors: &mut Vec<Stored>) {
        let head = tensors.iter_mut().find(|tensor| tensor.name == "head.weight").unwrap();
        (head.dtype, head.bytes) = (Dtype::I8, vec![3; head.bytes.len() / 4]);
        head.bytes[0] = (-127_i8).cast_unsigned();
        let rows = head.shape[0];
        let bytes = (0..rows).flat_map(|row| (0.5 + row as f32).to_le_bytes()).collect();
        let name = "head.weight.step".to_owned();
        tensors.push(Stored { name, dtype: Dtype::F32, shape: vec![rows], bytes });
    }

    #[test]
    fn bytes_are_widened_by_the_step_of_their_row() {
        let weights = altered(as_bytes).unwrap();
        let head = weights.kernel("head").unwrap();
        let row: usize = head.shape[1..].iter().product();
        assert_eq!(head.data[..2], [-63.5, 1.5]);
        assert_eq!(head.data[7 * row..8 * row], vec![22.5; row]);
        let error = altered(|tensors| {
            as_bytes(tensors);
            tensors.pop();
        });
        assert!(error.unwrap_err().to_string().contains("head.weight.step"));
        let error = altered(|tensors| {
            as_bytes(tensors);
            if let Some(step) = tensors.last_mut() {
                step.bytes.truncate(4 * 7);
                step.shape = vec![7];
            }
        });
        assert!(error.unwrap_err().to_string().contains("head.weight.step"));
    }

    #[test]
    fn whatever_does_not_fit_the_architecture_is_refused_in_words() {
        type Change = fn(&mut Vec<Stored>);
        let cases: [(&str, Change); 5] = [
            ("no tensor", |tensors| {
                tensors.pop();
            }),
            ("the network does not", |tensors| {
                let mut extra = tensors[0].clone();
                extra.name = "extra".to_owned();
                tensors.push(extra);
            }),
            ("shape", |tensors| tensors[0].shape = vec![tensors[0].bytes.len() / 4, 1]),
            ("stored as I32", |tensors| tensors[0].dtype = Dtype::I32),
            ("not numbers", |tensors| {
                tensors[0].bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
            }),
        ];
        assert!(altered(|_| ()).is_ok());
        for (part, change) in cases {
            let error = altered(change).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn truncation_anywhere_is_an_error() {
        let bytes = testing::random_container(DN_RESNET, 7);
        for tenth in 0..10 {
            assert!(Weights::read(&bytes[..bytes.len() * tenth / 10]).is_err(), "{tenth}/10");
        }
        let mut long = u64::MAX.to_le_bytes().to_vec();
        long.extend_from_slice(&bytes[8..]);
        assert!(Weights::read(&long).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_hostile_header_never_panics(at in 0usize..600, value: u8) {
            let mut bytes = testing::random_container(DN_RESNET, 7);
            bytes[at] = value;
            let _ = Weights::read(&bytes);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(Weights::read(&bytes).is_err());
        }
    }
}
