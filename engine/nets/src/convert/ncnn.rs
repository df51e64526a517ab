//! SPAN from ncnn's `.param` (layers, text) and `.bin` (numbers): parsed strictly, and taken only
//! when every layer, its wiring and its settings are the ones of our own description.
//!
//! Format: ncnn's documentation, "param and model file structure".

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;

use crate::error::LoadError;
use crate::graph::Graph;
use crate::span;
use crate::weights::Stored;

/// First line of a `.param` file.
const MAGIC: &str = "7767517";

/// Tag before half-precision weights in a `.bin` file.
const TAG_F16: u32 = 0x0130_6b47;

/// Tags before single-precision weights.
const TAGS_F32: [u32; 2] = [0, 0x0002_c056];

/// A `.param` file describes some dozens of layers in a dozen kilobytes.
const MAX_PARAM_BYTES: usize = 1 << 20;
const MAX_LAYERS: usize = 4096;

/// A layer that computes something: inputs are indices of earlier such layers.
#[derive(Clone, Debug, PartialEq)]
struct Layer {
    kind: String,
    inputs: Vec<usize>,
    settings: BTreeMap<i32, f64>,
}

/// Converts SPAN with `channels` and `scale`, whose description is `graph`.
pub(crate) fn span(
    param: &str,
    bin: &[u8],
    (channels, scale): (usize, usize),
    graph: &Graph,
) -> Result<Vec<Stored>, LoadError> {
    let found = parse(param)?;
    let wanted = span_layers(channels, scale);
    if let Some(index) =
        (0..found.len().max(wanted.len())).find(|i| found.get(*i) != wanted.get(*i))
    {
        return Err(LoadError::damaged(format!(
            "layer {index} of the ncnn file is not the one SPAN has there"
        )));
    }
    let mut numbers = Numbers(bin);
    if numbers.f32s(3)? != span::MEAN {
        return Err(LoadError::damaged("the ncnn file subtracts another mean than SPAN"));
    }
    let mut tensors = Vec::new();
    // The comparison above has put the file's convolutions in the description's order.
    for conv in graph.convs() {
        let shape = conv.kernel_shape().to_vec();
        let (dtype, bytes) = numbers.weights(shape.iter().product())?;
        tensors.push(Stored { name: format!("{}.weight", conv.name), dtype, shape, bytes });
        tensors.push(Stored {
            name: format!("{}.bias", conv.name),
            dtype: Dtype::F32,
            shape: vec![conv.output],
            bytes: numbers.take(conv.output * 4)?.to_vec(),
        });
    }
    if !numbers.0.is_empty() {
        return Err(LoadError::damaged("the ncnn weights go on after the last layer"));
    }
    Ok(tensors)
}

/// The layers without ncnn's `Split`, which only names a value several times.
fn parse(param: &str) -> Result<Vec<Layer>, LoadError> {
    let damaged = |line: usize, why: &str| {
        LoadError::damaged(format!("line {} of the ncnn description {why}", line + 1))
    };
    if param.len() > MAX_PARAM_BYTES {
        return Err(LoadError::damaged("the ncnn description is too long"));
    }
    let mut lines = param.lines().map(str::trim).enumerate();
    if lines.next().map(|(_, line)| line) != Some(MAGIC) {
        return Err(damaged(0, "is not ncnn's"));
    }
    let counts: Vec<usize> = lines
        .next()
        .map(|(_, line)| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default();
    let &[layer_count, _] = counts.as_slice() else {
        return Err(damaged(1, "does not count layers and values"));
    };
    if layer_count > MAX_LAYERS {
        return Err(damaged(1, "counts too many layers"));
    }

    let mut layers: Vec<Layer> = Vec::new();
    let mut maker: HashMap<&str, usize> = HashMap::new();
    let mut seen = 0;
    for (at, line) in lines {
        if line.is_empty() {
            continue;
        }
        seen += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[kind, _name, inputs, outputs, ref rest @ ..] = words.as_slice() else {
            return Err(damaged(at, "is too short"));
        };
        let count = |word: &str| word.parse().ok().filter(|n: &usize| *n <= rest.len());
        let (Some(inputs), Some(outputs)) = (count(inputs), count(outputs)) else {
            return Err(damaged(at, "has no counts of inputs and outputs"));
        };
        if inputs + outputs > rest.len() {
            return Err(damaged(at, "names fewer values than it counts"));
        }
        let (values, settings) = rest.split_at(inputs + outputs);
        let (read, written) = values.split_at(inputs);
        let sources: Vec<usize> = read
            .iter()
            .map(|value| maker.get(value).copied())
            .collect::<Option<_>>()
            .ok_or_else(|| damaged(at, "reads a value that no earlier layer writes"))?;
        let index = if kind == "Split" {
            let &[source] = sources.as_slice() else {
                return Err(damaged(at, "splits other than one value"));
            };
            source
        } else {
            let settings = settings
                .iter()
                .map(|setting| {
                    let (key, value) = setting.split_once('=')?;
                    Some((key.parse().ok()?, value.parse().ok()?))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| damaged(at, "has a setting that is not a number"))?;
            layers.push(Layer { kind: kind.to_owned(), inputs: sources, settings });
            layers.len() - 1
        };
        for value in written {
            if maker.insert(value, index).is_some() {
                return Err(damaged(at, "writes a value that exists already"));
            }
        }
    }
    if seen != layer_count {
        return Err(damaged(1, "does not count the layers that follow"));
    }
    Ok(layers)
}

/// SPAN as ncnn writes it down.
fn span_layers(channels: usize, scale: usize) -> Vec<Layer> {
    const ADD: [(i32, f64); 0] = [];
    const SUBTRACT: [(i32, f64); 1] = [(0, 1.0)];
    const MULTIPLY: [(i32, f64); 1] = [(0, 2.0)];

    let mut layers: Vec<Layer> = Vec::new();
    let mut push = |kind: &str, inputs: &[usize], settings: &[(i32, f64)]| {
        let settings = settings.iter().copied().collect();
        layers.push(Layer { kind: kind.to_owned(), inputs: inputs.to_vec(), settings });
        layers.len() - 1
    };
    // 0: outputs, 1: kernel, 4: padding, 5: bias, 6: weights
    let three = |input: usize, output: usize| {
        [(0, output as f64), (1, 3.0), (4, 1.0), (5, 1.0), (6, (input * output * 9) as f64)]
    };
    let picture = push("Input", &[], &[]);
    let mean = push("MemoryData", &[], &[(0, 1.0), (1, 1.0), (2, 3.0)]);
    let centred = push("BinaryOp", &[picture, mean], &SUBTRACT);
    let scaled = push("BinaryOp", &[centred], &[(0, 2.0), (1, 1.0), (2, f64::from(span::RANGE))]);
    let head = push("Convolution", &[scaled], &three(3, channels));

    let (mut x, mut first, mut inner) = (head, head, head);
    for block in 1..=span::BLOCKS {
        let c1 = push("Convolution", &[x], &three(channels, channels));
        inner = push("Swish", &[c1], &[]);
        let c2 = push("Convolution", &[inner], &three(channels, channels));
        let c2 = push("Swish", &[c2], &[]);
        let f = push("Convolution", &[c2], &three(channels, channels));
        let squashed = push("Sigmoid", &[f], &[]);
        let attention = push("BinaryOp", &[squashed], &[(0, 1.0), (1, 1.0), (2, 0.5)]);
        let sum = push("BinaryOp", &[f, x], &ADD);
        x = push("BinaryOp", &[sum, attention], &MULTIPLY);
        if block == 1 {
            first = x;
        }
    }
    let tail = push("Convolution", &[x], &three(channels, channels));
    let all = push("Concat", &[head, tail, first, inner], &[]);
    let mix = [(0, channels as f64), (1, 1.0), (5, 1.0), (6, (4 * channels * channels) as f64)];
    let mixed = push("Convolution", &[all], &mix);
    let sub_pixels = push("Convolution", &[mixed], &three(channels, 3 * scale * scale));
    push("PixelShuffle", &[sub_pixels], &[(0, scale as f64)]);
    layers
}

/// What is left of a `.bin` file.
struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| LoadError::damaged("the ncnn weights end too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn f32s(&mut self, count: usize) -> Result<Vec<f32>, LoadError> {
        let bytes = self.take(count * 4)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }

    /// `count` weights behind their tag, in the precision the tag says, padded to four bytes.
    fn weights(&mut self, count: usize) -> Result<(Dtype, Vec<u8>), LoadError> {
        let tag = self.take(4)?.first_chunk().map_or(u32::MAX, |tag| u32::from_le_bytes(*tag));
        let (dtype, size) = match tag {
            TAG_F16 => (Dtype::F16, count * 2),
            tag if TAGS_F32.contains(&tag) => (Dtype::F32, count * 4),
            _ => {
                return Err(LoadError::unsupported(
                    "the ncnn weights are stored in a way this program does not read",
                ));
            }
        };
        let bytes = self.take(size.next_multiple_of(4))?;
        Ok((dtype, bytes[..size].to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;

    const SIZE: (usize, usize) = (2, 2);

    fn graph() -> Graph {
        Architecture::Span { channels: SIZE.0, scale: SIZE.1 }.graph().unwrap()
    }

    /// The description that [`parse`] reads back as `layers`.
    fn param(layers: &[Layer]) -> String {
        let mut text = format!("{MAGIC}\n{} {}\n", layers.len(), layers.len());
        for (index, layer) in layers.iter().enumerate() {
            text += &format!("{} layer{index} {} 1", layer.kind, layer.inputs.len());
            for input in &layer.inputs {
                text += &format!(" value{input}");
            }
            text += &format!(" value{index}");
            for (key, value) in &layer.settings {
                text += &format!(" {key}={value:e}");
            }
            text.push('\n');
        }
        text
    }

    fn bin(tag: u32) -> Vec<u8> {
        let mut bytes: Vec<u8> = span::MEAN.iter().flat_map(|mean| mean.to_le_bytes()).collect();
        for conv in graph().convs() {
            let count = conv.kernel_shape().iter().product::<usize>();
            bytes.extend(tag.to_le_bytes());
            match tag {
                TAG_F16 => {
                    bytes.extend(vec![0; count * 2]);
                    bytes.resize(bytes.len().next_multiple_of(4), 0);
                }
                _ => bytes.extend(vec![0; count * 4]),
            }
            bytes.extend(vec![0; conv.output * 4]);
        }
        bytes
    }

    #[test]
    fn both_precisions_give_every_tensor() {
        let text = param(&span_layers(SIZE.0, SIZE.1));
        for (tag, dtype) in [(0, Dtype::F32), (TAGS_F32[1], Dtype::F32), (TAG_F16, Dtype::F16)] {
            let tensors = span(&text, &bin(tag), SIZE, &graph()).unwrap();
            assert_eq!(tensors.len(), 2 * graph().convs().count());
            assert_eq!(tensors[0].name, "conv_1.weight");
            assert_eq!((tensors[0].dtype, &tensors[0].shape[..]), (dtype, &[2, 3, 3, 3][..]));
        }
    }

    #[test]
    fn another_network_or_other_wiring_is_refused() {
        let sound = span_layers(SIZE.0, SIZE.1);
        let mut swapped = sound.clone();
        let concat = swapped.iter_mut().find(|layer| layer.kind == "Concat").unwrap();
        concat.inputs.swap(0, 1);
        let mut strided = sound.clone();
        strided[4].settings.insert(3, 2.0);
        let mut short = sound.clone();
        short.pop();
        for (name, layers) in [("swapped", swapped), ("strided", strided), ("short", short)] {
            assert!(span(&param(&layers), &bin(0), SIZE, &graph()).is_err(), "{name}");
        }
        let text = param(&sound);
        let whole = bin(0);
        assert!(span(&text, &whole, SIZE, &graph()).is_ok());
        assert!(span(&text, &whole[..whole.len() - 4], SIZE, &graph()).is_err());
        assert!(span(&text, &[&whole[..], &[0; 4]].concat(), SIZE, &graph()).is_err());
        assert!(span(&text, &bin(0x000d_4b38), SIZE, &graph()).is_err(), "int8");
    }

    #[test]
    fn splits_are_looked_through() {
        let text = format!(
            "{MAGIC}\n3 4\nInput a 0 1 x\nSplit s 1 2 x x0 x1\nBinaryOp add 2 1 x0 x1 y 0=0\n"
        );
        assert_eq!(parse(&text).unwrap()[1].inputs, [0, 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "7767517\n[0-9]{1,3} [0-9]{1,3}\n([A-Za-z]{1,3} [a-z] [0-9]{1,2} [0-9] [ a-c0-9=.-]{0,12}\n){0,5}") {
            let _ = parse(&text);
        }

        #[test]
        fn arbitrary_text_is_an_error(text: String) {
            proptest::prop_assert!(parse(&text).is_err());
        }
    }
}
