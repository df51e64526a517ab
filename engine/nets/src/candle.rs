//! The same descriptions run by candle: the way to CUDA and Metal. On the CPU only the tests use
//! it, for candle's convolution there is several times slower than our own.

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use limpid_kernels::{Planes, RunContext};

use crate::error::{LoadError, NetError};
use crate::graph::{Activation, Conv, Graph, Op};
use crate::picture::noise_map;
use crate::weights::Weights;

/// A network's tensors on a device. Values are `[1, C, H, W]` there.
#[derive(Debug)]
pub(crate) struct CandleNetwork {
    device: Device,
    /// Kernel `[O, I, k, k]` and bias `[1, O, 1, 1]` of each convolution.
    convs: HashMap<String, (Tensor, Tensor)>,
}

impl CandleNetwork {
    /// Copies the weights to `device`.
    pub(crate) fn new(
        graph: &Graph,
        weights: &Weights,
        device: &Device,
    ) -> std::result::Result<Self, LoadError> {
        let mut convs = HashMap::new();
        for conv in graph.convs() {
            let tensors = weights.kernel(&conv.name).zip(weights.bias(&conv.name));
            let (kernel, bias) = tensors.ok_or_else(|| {
                LoadError::damaged(format!("there is no tensor for {}", conv.name))
            })?;
            let upload = || -> Result<(Tensor, Tensor)> {
                let kernel = Tensor::from_slice(&kernel.data, kernel.shape.as_slice(), device)?;
                let bias = Tensor::from_slice(&bias.data, (1, conv.output, 1, 1), device)?;
                Ok((kernel, bias))
            };
            let pair = upload().map_err(|error| {
                LoadError::unsupported(format!("the device did not take the weights ({error})"))
            })?;
            convs.insert(conv.name.clone(), pair);
        }
        Ok(Self { device: device.clone(), convs })
    }

    /// Runs on a picture whose sides are multiples of the network's. Cancels between layers.
    pub(crate) fn run(
        &self,
        graph: &Graph,
        picture: &Planes,
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> std::result::Result<Planes, NetError> {
        let mut uses = graph.uses();
        let mut values: Vec<Option<Tensor>> = vec![None; graph.nodes().len()];
        for (index, node) in graph.nodes().iter().enumerate() {
            cx.cancel.check()?;
            let value = {
                let inputs: Vec<&Tensor> =
                    node.inputs.iter().filter_map(|value| values[value.0].as_ref()).collect();
                cx.pool.install(|| self.compute(&node.op, &inputs, picture, sigma))?
            };
            values[index] = Some(value);
            for read in &node.inputs {
                uses[read.0] -= 1;
                if uses[read.0] == 0 {
                    values[read.0] = None;
                }
            }
        }
        let result = values[graph.output().0]
            .take()
            .ok_or_else(|| NetError::Internal("the result was dropped".to_owned()))?;
        let (_, channels, height, width) = result.dims4()?;
        Ok(Planes::from_vec(channels, height, width, result.flatten_all()?.to_vec1()?)?)
    }

    fn compute(&self, op: &Op, inputs: &[&Tensor], picture: &Planes, sigma: f32) -> Result<Tensor> {
        match (op, inputs) {
            (Op::Input, _) => {
                let shape = (1, 3, picture.height(), picture.width());
                let colours = &picture.data()[..3 * picture.height() * picture.width()];
                Tensor::from_slice(colours, shape, &self.device)
            }
            (Op::SigmaMap, [like]) => {
                let (_, _, height, width) = like.dims4()?;
                let map = noise_map(picture, sigma, height, width);
                Tensor::from_vec(map, (1, 1, height, width), &self.device)
            }
            (Op::Conv(conv), [x]) => self.convolve(conv, x),
            (Op::Activate(Activation::Relu), [x]) => x.relu(),
            (Op::Activate(Activation::Silu), [x]) => x.silu(),
            // candle has no sigmoid of its own: 1 / (1 + exp(-x))
            (Op::Activate(Activation::Sigmoid), [x]) => x.neg()?.exp()?.affine(1.0, 1.0)?.recip(),
            (Op::Add, [a, b]) => a.add(b),
            (Op::Mul, [a, b]) => a.mul(b),
            (Op::Concat, parts) => Tensor::cat(parts, 1),
            (Op::PixelUnshuffle(s), [x]) => {
                let (n, channels, height, width) = x.dims4()?;
                x.reshape(&[n, channels, height / s, *s, width / s, *s])?
                    .permute(&[0, 1, 3, 5, 2, 4][..])?
                    .reshape((n, channels * s * s, height / s, width / s))
            }
            (Op::PixelShuffle(s), [x]) => {
                let (n, channels, height, width) = x.dims4()?;
                x.reshape(&[n, channels / (s * s), *s, *s, height, width])?
                    .permute(&[0, 1, 4, 2, 5, 3][..])?
                    .reshape((n, channels / (s * s), height * s, width * s))
            }
            (Op::NearestUpsample(s), [x]) => {
                let (_, _, height, width) = x.dims4()?;
                x.upsample_nearest2d(height * s, width * s)
            }
            (Op::Affine { offset, scale }, [x]) => {
                let offset = Tensor::from_slice(offset, (1, offset.len(), 1, 1), &self.device)?;
                x.broadcast_add(&offset)?.affine(f64::from(*scale), 0.0)
            }
            _ => Err(candle_core::Error::Msg(format!("{op:?} lacks an input"))),
        }
    }

    fn convolve(&self, conv: &Conv, x: &Tensor) -> Result<Tensor> {
        let (kernel, bias) = self
            .convs
            .get(&conv.name)
            .ok_or_else(|| candle_core::Error::Msg(format!("no tensor for {}", conv.name)))?;
        x.conv2d(kernel, conv.kernel / 2, 1, 1, conv.groups)?.broadcast_add(bias)
    }
}

impl From<candle_core::Error> for NetError {
    fn from(error: candle_core::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Bytes of all values alive at once during a run, at most.
pub(crate) fn working_bytes(graph: &Graph, width: usize, height: usize) -> u64 {
    let bytes = |index: usize| {
        let node = &graph.nodes()[index];
        let pixels = node.pixel.count(width) as u64 * node.pixel.count(height) as u64;
        4 * pixels * node.channels as u64
    };
    let mut uses = graph.uses();
    let (mut alive, mut peak) = (0, 0);
    for (index, node) in graph.nodes().iter().enumerate() {
        alive += bytes(index);
        peak = peak.max(alive);
        for read in &node.inputs {
            uses[read.0] -= 1;
            if uses[read.0] == 0 {
                alive -= bytes(read.0);
            }
        }
    }
    peak
}
