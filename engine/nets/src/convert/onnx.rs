//! The tensors of an ONNX file, by name: initializers, and constants that a node gives.
//!
//! Format: `onnx.proto` of ONNX 1.x in protocol buffers' wire format. Only what leads to tensors is
//! followed; everything borrows from the file, so that a hostile one costs no memory.

use std::collections::BTreeMap;

use crate::error::LoadError;

/// More tensors than any network we convert has.
const MAX_TENSORS: usize = 10_000;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// A tensor of single-precision numbers in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnnxTensor<'a> {
    pub(crate) shape: Vec<usize>,
    /// Little-endian, as many as the shape says.
    pub(crate) bytes: &'a [u8],
}

impl OnnxTensor<'_> {
    pub(crate) fn values(&self) -> Vec<f32> {
        self.bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
    }
}

/// All single-precision tensors of a file that are stored as raw bytes.
pub(crate) fn tensors(file: &[u8]) -> Result<BTreeMap<&str, OnnxTensor<'_>>, LoadError> {
    let mut found = BTreeMap::new();
    for graph in fields(file, 7) {
        let graph = graph?;
        for initializer in fields(graph, 5) {
            let initializer = initializer?;
            if let (Some(name), Some(tensor)) = (first(initializer, 8)?, tensor(initializer)?) {
                insert(&mut found, name, tensor)?;
            }
        }
        for node in fields(graph, 1) {
            let node = node?;
            if first(node, 4)? != Some(b"Constant".as_slice()) {
                continue;
            }
            let Some(output) = first(node, 2)? else { continue };
            for attribute in fields(node, 5) {
                if let Some(value) = first(attribute?, 5)?
                    && let Some(tensor) = tensor(value)?
                {
                    insert(&mut found, output, tensor)?;
                }
            }
        }
    }
    Ok(found)
}

fn insert<'a>(
    found: &mut BTreeMap<&'a str, OnnxTensor<'a>>,
    name: &'a [u8],
    tensor: OnnxTensor<'a>,
) -> Result<(), LoadError> {
    let name = std::str::from_utf8(name).map_err(|_| damaged("a name that is not text"))?;
    if found.len() == MAX_TENSORS {
        return Err(damaged("too many tensors"));
    }
    if found.insert(name, tensor).is_some() {
        return Err(damaged("a name twice"));
    }
    Ok(())
}

/// `None` for other numbers, and for those stored another way.
fn tensor(message: &[u8]) -> Result<Option<OnnxTensor<'_>>, LoadError> {
    let (mut shape, mut kind, mut bytes) = (Vec::new(), 0, None);
    for field in Fields(message) {
        match field? {
            // dimensions come one by one, or packed into one field
            (1, Value::Number(size)) => shape.push(dimension(size)?),
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    shape.push(dimension(number(&mut packed)?)?);
                }
            }
            (2, Value::Number(number)) => kind = number,
            (9, Value::Bytes(raw)) => bytes = Some(raw),
            _ => {}
        }
    }
    let Some(bytes) = bytes.filter(|_| kind == FLOAT) else { return Ok(None) };
    let count = shape.iter().try_fold(4_usize, |bytes, size| bytes.checked_mul(*size));
    if shape.len() > 8 || count != Some(bytes.len()) {
        return Err(damaged("a tensor whose shape does not fit its numbers"));
    }
    Ok(Some(OnnxTensor { shape, bytes }))
}

fn dimension(size: u64) -> Result<usize, LoadError> {
    usize::try_from(size).map_err(|_| damaged("a dimension beyond memory"))
}

fn damaged(what: &str) -> LoadError {
    LoadError::damaged(format!("the ONNX file has {what}"))
}

/// A field's content, as far as its type is known without a schema.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes that nothing here wants.
    Fixed,
}

/// What is left of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            // after a fault nothing that follows has a meaning
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(u64, Value<'a>), LoadError> {
        let tag = number(&mut self.0)?;
        let value = match tag & 7 {
            0 => Value::Number(number(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = dimension(number(&mut self.0)?)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(damaged("a field of an unknown kind")),
        };
        Ok((tag >> 3, value))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| damaged("a field that is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The messages and texts in field `wanted`.
fn fields(message: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], LoadError>> {
    Fields(message).filter_map(move |field| match field {
        Ok((field, Value::Bytes(bytes))) if field == wanted => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn first(message: &[u8], wanted: u64) -> Result<Option<&[u8]>, LoadError> {
    fields(message, wanted).next().transpose()
}

/// A whole number: seven bits a byte, the lowest first, the highest bit set on all but the last.
fn number(bytes: &mut &[u8]) -> Result<u64, LoadError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(value);
        }
    }
    Err(damaged("a number without an end"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn field(number: u64, content: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
    }

    fn tensor_message(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
        let mut message = Vec::new();
        for size in shape {
            message.extend([varint(1 << 3), varint(*size as u64)].concat());
        }
        message.extend([varint(2 << 3), varint(FLOAT)].concat());
        message.extend(field(8, name.as_bytes()));
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        message.extend(field(9, &bytes));
        message
    }

    /// A file with tensors as initializers, or, where the name begins with a slash, as the outputs
    /// of constants.
    pub(crate) fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let mut graph = Vec::new();
        for (name, shape, values) in tensors {
            let message = tensor_message(name, shape, values);
            if name.starts_with('/') {
                let attribute = [field(1, b"value"), field(5, &message)].concat();
                let node = [field(2, name.as_bytes()), field(4, b"Constant"), field(5, &attribute)];
                graph.extend(field(1, &node.concat()));
            } else {
                graph.extend(field(5, &message));
            }
        }
        // a version, a fixed field and another operator are passed over
        let node = [field(2, b"y"), field(4, b"Relu")].concat();
        graph.extend(field(1, &node));
        [varint(1 << 3), varint(7), vec![5 << 3 | 5, 0, 0, 0, 0], field(7, &graph)].concat()
    }

    #[test]
    fn initializers_and_constants_are_found() {
        let bytes = file(&[("a.weight", &[2, 1], &[1.0, -2.0]), ("/c_0", &[1], &[3.5])]);
        let found = tensors(&bytes).unwrap();
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["/c_0", "a.weight"]);
        assert_eq!(
            (&found["a.weight"].shape[..], found["a.weight"].values()),
            (&[2, 1][..], vec![1.0, -2.0])
        );
        assert_eq!(found["/c_0"].values(), [3.5]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(tensors(&file(&[("a", &[3], &[1.0, 2.0])])).is_err(), "a shape too large");
        assert!(tensors(&file(&[("a", &[usize::MAX, 8], &[1.0])])).is_err(), "an absurd shape");
        assert!(tensors(&file(&[("a", &[1], &[1.0]), ("a", &[1], &[1.0])])).is_err(), "twice");
        let sound = file(&[("a", &[2], &[1.0, 2.0])]);
        assert!(tensors(&sound[..sound.len() - 3]).is_err(), "cut off");
        assert!(tensors(&[0xff; 20]).is_err(), "a number without an end");
        assert!(tensors(b"").unwrap().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn changed_files_never_panic(at in 0_usize..120, value: u8) {
            let mut bytes = file(&[("a.weight", &[2, 1], &[1.0, -2.0]), ("/c_0", &[1], &[3.5])]);
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = tensors(&bytes);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = tensors(&bytes);
        }
    }
}
