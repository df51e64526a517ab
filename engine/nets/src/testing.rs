//! Small random networks for this crate's tests.

use safetensors::Dtype;

use crate::architecture::Architecture;
use crate::graph::Graph;
use crate::weights::{self, Stored, Tensor, Weights};

pub(crate) const DN_RESNET: Architecture = Architecture::DnResNet { channels: 8, blocks: 2 };

/// One small network of each architecture.
pub(crate) const SMALL: [Architecture; 5] = [
    Architecture::FfdNet { channels: 24, layers: 4 },
    Architecture::Span { channels: 16, scale: 2 },
    Architecture::Span { channels: 20, scale: 4 },
    DN_RESNET,
    Architecture::CtSrcnn { channels: 12, blocks: 2, scale: 3 },
];

/// A xorshift generator: uniform in -1..1, the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// A container of random weights that keep the values near the input's range.
pub(crate) fn random_container(architecture: Architecture, seed: u64) -> Vec<u8> {
    let tensors = random_tensors(&architecture.graph().unwrap(), seed)
        .map(|(name, Tensor { shape, data })| {
            let bytes = data.iter().flat_map(|value| value.to_le_bytes()).collect();
            Stored { name, dtype: Dtype::F32, shape, bytes }
        })
        .collect();
    weights::write(&architecture.to_metadata(), tensors).unwrap()
}

/// Random weights for a description of no named architecture.
pub(crate) fn random_weights(graph: &Graph, seed: u64) -> Weights {
    Weights::for_graph(graph, random_tensors(graph, seed).collect()).unwrap()
}

fn random_tensors(graph: &Graph, seed: u64) -> impl Iterator<Item = (String, Tensor)> {
    let mut random = Random::new(seed);
    weights::of_graph(graph).into_iter().map(move |(name, shape)| {
        let fan_in: usize = shape[1..].iter().product();
        let gain = (3.0 / fan_in as f32).sqrt() * if shape.len() == 1 { 0.1 } else { 1.0 };
        let count: usize = shape.iter().product();
        let data = (0..count).map(|_| random.next() * gain).collect();
        (name, Tensor { shape, data })
    })
}

/// A random picture `[3, height, width]`, 0..1.
pub(crate) fn picture(height: usize, width: usize, seed: u64) -> limpid_kernels::Planes {
    let mut random = Random::new(seed);
    let data = (0..3 * height * width).map(|_| random.next() * 0.5 + 0.5).collect();
    limpid_kernels::Planes::from_vec(3, height, width, data).unwrap()
}
