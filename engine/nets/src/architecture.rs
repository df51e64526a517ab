//! The architectures this program knows, and the hyper-parameters a weight file may set.

use std::collections::BTreeMap;

use crate::card::Task;
use crate::error::LoadError;
use crate::graph::Graph;
use crate::speech::deep_filter_net_tensors;
use crate::weights::of_graph;
use crate::{ct_srcnn, dn_resnet, ffdnet, span};

/// What a weight file's `__metadata__` says under `limpid.*`: which network, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `ffdnet`: the denoiser of `ffdnet.rs`, which is told the noise level.
    FfdNet {
        /// Feature maps.
        channels: usize,
        /// Convolutions.
        layers: usize,
    },
    /// `span`: the upscaler of `span.rs`.
    Span {
        /// Feature maps.
        channels: usize,
        /// Enlargement.
        scale: usize,
    },
    /// `dn-resnet`: the blind denoiser of `dn_resnet.rs`.
    DnResNet {
        /// Feature maps.
        channels: usize,
        /// Residual blocks.
        blocks: usize,
    },
    /// `ct-srcnn`: the upscaler of `ct_srcnn.rs`.
    CtSrcnn {
        /// Feature maps.
        channels: usize,
        /// Residual blocks.
        blocks: usize,
        /// Enlargement.
        scale: usize,
    },
    /// `deepfilternet3`: the speech denoiser of `speech/deep_filter_net`, in its one size.
    DeepFilterNet3,
}

/// Hyper-parameters come from files: beyond these a network is refused before anything of its
/// size is allocated.
const MAX_CHANNELS: usize = 512;
const MAX_DEPTH: usize = 64;
const MAX_SCALE: usize = 4;

impl Architecture {
    /// Reads `limpid.arch` and the hyper-parameters that it needs.
    ///
    /// # Errors
    /// An unknown name, a missing or unreadable number, or one out of bounds.
    pub fn from_metadata(metadata: &BTreeMap<String, String>) -> Result<Self, LoadError> {
        let number = |key: &str, range: std::ops::RangeInclusive<usize>| {
            let text = metadata.get(&format!("limpid.{key}")).ok_or_else(|| {
                LoadError::damaged(format!("the weight file does not say limpid.{key}"))
            })?;
            text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
                LoadError::unsupported(format!(
                    "limpid.{key} in the weight file is not a number from {} to {}",
                    range.start(),
                    range.end()
                ))
            })
        };
        let name = metadata.get("limpid.arch").ok_or_else(|| {
            LoadError::unsupported("the weight file does not say which network it is for")
        })?;
        match name.as_str() {
            "ffdnet" => Ok(Self::FfdNet {
                channels: number("channels", 1..=MAX_CHANNELS)?,
                layers: number("layers", 2..=MAX_DEPTH)?,
            }),
            "span" => Ok(Self::Span {
                channels: number("channels", 1..=MAX_CHANNELS)?,
                scale: number("scale", 2..=MAX_SCALE)?,
            }),
            "dn-resnet" => Ok(Self::DnResNet {
                channels: number("channels", 1..=MAX_CHANNELS)?,
                blocks: number("blocks", 1..=MAX_DEPTH)?,
            }),
            "ct-srcnn" => Ok(Self::CtSrcnn {
                channels: number("channels", 1..=MAX_CHANNELS)?,
                blocks: number("blocks", 1..=MAX_DEPTH)?,
                scale: number("scale", 2..=MAX_SCALE)?,
            }),
            "deepfilternet3" => Ok(Self::DeepFilterNet3),
            other => Err(LoadError::unsupported(format!(
                "the weight file is for a network this program does not know, \"{}\"",
                other.chars().take(40).collect::<String>().escape_default()
            ))),
        }
    }

    /// What [`Architecture::from_metadata`] reads.
    #[must_use]
    pub fn to_metadata(self) -> BTreeMap<String, String> {
        let (name, numbers): (&str, Vec<(&str, usize)>) = match self {
            Self::FfdNet { channels, layers } => {
                ("ffdnet", vec![("channels", channels), ("layers", layers)])
            }
            Self::Span { channels, scale } => {
                ("span", vec![("channels", channels), ("scale", scale)])
            }
            Self::DnResNet { channels, blocks } => {
                ("dn-resnet", vec![("channels", channels), ("blocks", blocks)])
            }
            Self::CtSrcnn { channels, blocks, scale } => {
                ("ct-srcnn", vec![("channels", channels), ("blocks", blocks), ("scale", scale)])
            }
            Self::DeepFilterNet3 => ("deepfilternet3", Vec::new()),
        };
        let mut metadata = BTreeMap::from([("limpid.arch".to_owned(), name.to_owned())]);
        for (key, value) in numbers {
            metadata.insert(format!("limpid.{key}"), value.to_string());
        }
        metadata
    }

    /// The layers, of a network that runs on pictures.
    ///
    /// # Errors
    /// A network for speech; a mistake in the description, which hyper-parameters within the limits
    /// never make.
    pub fn graph(self) -> Result<Graph, LoadError> {
        match self {
            Self::FfdNet { channels, layers } => ffdnet::describe(channels, layers),
            Self::Span { channels, scale } => span::describe(channels, scale),
            Self::DnResNet { channels, blocks } => dn_resnet::describe(channels, blocks),
            Self::CtSrcnn { channels, blocks, scale } => {
                ct_srcnn::describe(channels, blocks, scale)
            }
            Self::DeepFilterNet3 => {
                return Err(LoadError::unsupported("the network cleans speech, not pictures"));
            }
        }
        .map_err(|fault| LoadError::unsupported(format!("the network has {fault}")))
    }

    /// Names and shapes of all tensors.
    ///
    /// # Errors
    /// A mistake in a description.
    pub(crate) fn tensors(self) -> Result<Vec<(String, Vec<usize>)>, LoadError> {
        match self {
            Self::DeepFilterNet3 => Ok(deep_filter_net_tensors::tensors()),
            _ => Ok(of_graph(&self.graph()?)),
        }
    }

    /// Number of trained parameters.
    ///
    /// # Errors
    /// A mistake in a description.
    pub fn parameters(self) -> Result<u64, LoadError> {
        let count = |shape: &[usize]| shape.iter().product::<usize>() as u64;
        Ok(self.tensors()?.iter().map(|(_, shape)| count(shape)).sum())
    }

    /// What it is for.
    #[must_use]
    pub fn task(self) -> Task {
        match self {
            Self::FfdNet { .. } | Self::DnResNet { .. } => Task::Denoise,
            Self::Span { scale, .. } | Self::CtSrcnn { scale, .. } => {
                Task::Upscale { scale: scale as u32 }
            }
            Self::DeepFilterNet3 => Task::Speech,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Architecture; 4] = [
        Architecture::FfdNet { channels: 96, layers: 12 },
        Architecture::Span { channels: 48, scale: 4 },
        Architecture::DnResNet { channels: 64, blocks: 6 },
        Architecture::CtSrcnn { channels: 48, blocks: 5, scale: 3 },
    ];

    #[test]
    fn metadata_round_trips() {
        for architecture in ALL.into_iter().chain([Architecture::DeepFilterNet3]) {
            let read = Architecture::from_metadata(&architecture.to_metadata()).unwrap();
            assert_eq!(read, architecture);
        }
    }

    #[test]
    fn geometry_follows_from_the_layers() {
        // (receptive radius, halo, align, scale): counted by hand from the papers' layer lists.
        let wanted = [(24, 24, 8, 1), (21, 24, 4, 4), (28, 32, 8, 1), (12, 12, 4, 3)];
        for (architecture, wanted) in ALL.into_iter().zip(wanted) {
            let graph = architecture.graph().unwrap();
            let found = (graph.radius(), graph.halo(), graph.align(), graph.scale());
            assert_eq!(found, wanted, "{architecture:?}");
            let scale = match architecture.task() {
                Task::Denoise => 1,
                Task::Upscale { scale } => scale,
                Task::Speech => unreachable!(),
            };
            assert_eq!(scale, graph.scale());
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for (key, value) in
            [("channels", "100000"), ("blocks", "0"), ("blocks", "-1"), ("arch", "x")]
        {
            let mut metadata = ALL[2].to_metadata();
            metadata.insert(format!("limpid.{key}"), value.to_owned());
            assert!(Architecture::from_metadata(&metadata).is_err(), "{key} = {value}");
            metadata.remove(&format!("limpid.{key}"));
            assert!(Architecture::from_metadata(&metadata).is_err(), "no {key}");
        }
    }
}
