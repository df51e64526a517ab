//! A network of one's own description, without a card: what measurements run.

use std::collections::HashMap;

use limpid_kernels::{Planes, RunContext};

use crate::cpu::{self, Buffers};
use crate::error::{LoadError, NetError};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::quantized::QuantizedPlan;
use crate::weights::{Tensor, Weights};

/// Any [`Graph`], compiled for the processor exactly as a shipped network is.
#[derive(Debug)]
pub struct Described {
    executor: Executor,
    channels: usize,
    multiple: usize,
}

#[derive(Debug)]
enum Executor {
    Float { plan: Box<Plan>, buffers: Buffers, profile: Option<Profile> },
    Quantized(Box<QuantizedPlan>),
}

impl Described {
    /// Compiles `graph` with the tensors it names: `NAME.weight`, `NAME.bias`.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn new(graph: &Graph, tensors: HashMap<String, Tensor>) -> Result<Self, LoadError> {
        let plan = Plan::new(graph, &Weights::for_graph(graph, tensors)?)?;
        let profile = Profile::if_asked("described", &plan);
        Ok(Self::of(
            graph,
            Executor::Float { plan: Box::new(plan), buffers: Buffers::default(), profile },
        ))
    }

    /// As [`Described::new`], with convolutions on bytes; see [`crate::Network::quantized`].
    ///
    /// # Errors
    /// As [`Described::new`] and [`crate::Network::quantized`].
    pub fn quantized(
        graph: &Graph,
        tensors: HashMap<String, Tensor>,
        pictures: &[Planes],
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> Result<Self, LoadError> {
        let weights = Weights::for_graph(graph, tensors)?;
        let plan = QuantizedPlan::new(graph, &weights, pictures, sigma, cx)?;
        Ok(Self::of(graph, Executor::Quantized(Box::new(plan))))
    }

    fn of(graph: &Graph, executor: Executor) -> Self {
        let channels = graph.nodes().first().map_or(0, |input| input.channels);
        Self { executor, channels, multiple: graph.multiple() as usize }
    }

    /// Takes a result back: the next run writes into its memory instead of asking for new.
    pub fn recycle(&self, result: Planes) {
        match &self.executor {
            Executor::Float { plan, .. } => plan.recycle(result),
            Executor::Quantized(plan) => plan.recycle(result),
        }
    }

    /// Runs on `input` `[C, H, W]` with the channels of the description's input; `sigma` is read
    /// by descriptions that have a noise map.
    ///
    /// # Errors
    /// [`NetError::Cancelled`]; [`NetError::Input`] for other channels, or sides that are not
    /// multiples of the description's.
    pub fn run(&self, input: &Planes, sigma: f32, cx: &RunContext<'_>) -> Result<Planes, NetError> {
        let sides = [input.height(), input.width()];
        let fits = sides.iter().all(|side| *side > 0 && side.is_multiple_of(self.multiple));
        if !fits || input.channels() != self.channels {
            return Err(NetError::Input(format!(
                "{} x {} x {} does not fit the description",
                input.channels(),
                input.height(),
                input.width(),
            )));
        }
        match &self.executor {
            Executor::Float { plan, buffers, profile } => {
                cpu::run(plan, input, sigma, buffers, profile.as_ref(), cx)
            }
            Executor::Quantized(plan) => plan.run(input, sigma, cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use limpid_kernels::{Cancel, Pool};

    use super::*;
    use crate::graph::Builder;

    #[test]
    fn a_description_of_any_width_runs_and_checks_its_tensors() {
        let (mut b, x) = Builder::new(2);
        let y = b.conv("c", x, 1, 1);
        let graph = b.finish(y).unwrap();
        let tensor =
            |shape: &[usize], data: &[f32]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
        let mut tensors = HashMap::from([
            ("c.weight".to_owned(), tensor(&[1, 2, 1, 1], &[2.0, 3.0])),
            ("c.bias".to_owned(), tensor(&[1], &[0.5])),
        ]);
        let network = Described::new(&graph, tensors.clone()).unwrap();
        let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let input = Planes::from_vec(2, 1, 1, vec![10.0, 100.0]).unwrap();
        assert_eq!(network.run(&input, 0.0, &cx).unwrap().data(), [320.5]);
        assert!(network.run(&Planes::zeros(3, 1, 1), 0.0, &cx).is_err(), "other channels");
        tensors.remove("c.bias");
        assert!(Described::new(&graph, tensors).is_err(), "a tensor missing");
    }
}
