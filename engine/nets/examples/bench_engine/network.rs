//! Networks: a shipped one as the program runs it, or layers from a file.

use std::collections::HashMap;
use std::path::Path;

use limpid_kernels::{Planes, RunContext};
use limpid_nets::graph::{Builder, Graph, Value};
use limpid_nets::{CardText, Described, Network, Tensor, Weights};
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::{Result, Runner, of_bytes, read_f32};

/// A network with its input and its last result.
pub(crate) struct NetworkRunner {
    network: Kind,
    input: Planes,
    sigma: f32,
    result: Planes,
}

enum Kind {
    /// A network of the program.
    Shipped(Box<Network>),
    /// Layers from a file.
    Described(Box<Described>),
}

/// Reads weights, layers (`-` for a network of the program) and an input `[C, H, W]`.
///
/// With `on_bytes` the steps between bytes are measured on the input itself: fair for speed, a
/// little too kind for the agreement with other engines.
pub(crate) fn load(
    weights: &str,
    layers: &str,
    input: &Path,
    [channels, height, width]: [usize; 3],
    sigma: f32,
    on_bytes: Option<&RunContext<'_>>,
) -> Result<NetworkRunner> {
    let input = Planes::from_vec(channels, height, width, read_f32(input)?)?;
    let bytes = std::fs::read(weights)?;
    let measured = on_bytes.map(|cx| (&input, sigma, cx));
    let network = if layers == "-" {
        shipped(&bytes, measured)?
    } else {
        described(bytes, layers, measured)?
    };
    Ok(NetworkRunner { network, input, sigma, result: Planes::zeros(0, 0, 0) })
}

/// What a network on bytes is measured with.
type Measured<'a> = (&'a Planes, f32, &'a RunContext<'a>);

fn shipped(bytes: &[u8], measured: Option<Measured<'_>>) -> Result<Kind> {
    let weights = Weights::read(bytes)?;
    let text = CardText {
        name: "bench".to_owned(),
        title: "bench".to_owned(),
        task: weights.architecture()?.task(),
        summary: String::new(),
        source: String::new(),
        license: String::new(),
        parameters: 0,
        quality: Vec::new(),
        limits: Vec::new(),
    };
    let card = text.of_import(0, String::new());
    let network = match measured {
        None => Network::new(card, &weights)?,
        Some((picture, sigma, cx)) => {
            let pictures = std::slice::from_ref(picture);
            Network::quantized(card, &weights, pictures, sigma, cx)?
        }
    };
    Ok(Kind::Shipped(Box::new(network)))
}

fn described(bytes: Vec<u8>, layers: &str, measured: Option<Measured<'_>>) -> Result<Kind> {
    let description: Description = serde_json::from_slice(&std::fs::read(layers)?)?;
    let (graph, tensors) = (description.graph()?, tensors(&bytes)?);
    drop(bytes); // the peak counts
    let network = match measured {
        None => Described::new(&graph, tensors)?,
        Some((picture, sigma, cx)) => {
            Described::quantized(&graph, tensors, std::slice::from_ref(picture), sigma, cx)?
        }
    };
    Ok(Kind::Described(Box::new(network)))
}

impl Runner for NetworkRunner {
    fn run(&mut self, cx: &RunContext<'_>) -> Result<()> {
        self.result = match &self.network {
            Kind::Shipped(network) => network.run(&self.input, Some(self.sigma), cx)?,
            Kind::Described(network) => {
                // peers write into kept memory too
                network.recycle(std::mem::replace(&mut self.result, Planes::zeros(0, 0, 0)));
                network.run(&self.input, self.sigma, cx)?
            }
        };
        Ok(())
    }

    fn result(&self) -> Vec<f32> {
        self.result.data().to_vec()
    }
}

/// A network as `tests/bench/emit.py` writes it down.
#[derive(Deserialize)]
struct Description {
    channels: usize,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    op: String,
    name: String,
    inputs: Vec<String>,
    #[serde(default)]
    output: usize,
    #[serde(default)]
    kernel: usize,
}

impl Description {
    fn graph(&self) -> Result<Graph> {
        let (mut b, picture) = Builder::new(self.channels);
        let mut values = HashMap::from([("in".to_owned(), picture)]);
        let mut last = picture;
        for layer in &self.layers {
            let read = |at: usize| -> Result<Value> {
                let name = layer.inputs.get(at).ok_or("a layer lacks an input")?;
                Ok(*values.get(name).ok_or("a layer reads an unknown value")?)
            };
            last = match layer.op.as_str() {
                "conv" => b.conv(&layer.name, read(0)?, layer.output, layer.kernel),
                "depthwise" => b.depthwise(&layer.name, read(0)?, layer.kernel),
                "relu" => b.relu(read(0)?),
                "silu" => b.silu(read(0)?),
                "sigmoid" => b.sigmoid(read(0)?),
                "add" => b.add(read(0)?, read(1)?),
                "mul" => b.mul(read(0)?, read(1)?),
                other => return Err(format!("limpid's graph has no {other} yet").into()),
            };
            values.insert(layer.name.clone(), last);
        }
        Ok(b.finish(last)?)
    }
}

fn tensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes)?;
    Ok(file
        .iter()
        .map(|(name, view)| {
            let data = of_bytes(view.data());
            (name.to_owned(), Tensor { shape: view.shape().to_vec(), data })
        })
        .collect())
}
