//! A network in whole numbers: its convolutions run on bytes, whose steps were measured on example
//! pictures (post-training quantization; Nagel et al. 2021, "A White Paper on Neural Network
//! Quantization", section 3). What has no form in bytes runs in `f32` as before.

use std::sync::{Mutex, PoisonError};

use limpid_kernels::{
    Feature, Planes, Quantization, QuantizedActivation, QuantizedConv2d, QuantizedEpilogue,
    QuantizedFeature, QuantizedResidual, RunContext,
};

use crate::cpu;
use crate::error::{LoadError, NetError};
use crate::graph::{Activation, Graph};
use crate::plan::{Join, Kernel, Plan, Slot, Work};
use crate::weights::Weights;

/// A [`Plan`] some of whose convolutions run on bytes.
#[derive(Debug)]
pub(crate) struct QuantizedPlan {
    plan: Plan,
    /// One for each step of the plan.
    stages: Vec<Stage>,
    /// Memory that runs hand on to each other.
    spare: Mutex<Vec<Memory>>,
}

/// What the slots hold: each numbers, bytes, or both.
#[derive(Debug, Default)]
struct Memory {
    features: Vec<Feature>,
    bytes: Vec<QuantizedFeature>,
}

/// How a step is done.
#[derive(Debug, Default)]
struct Stage {
    /// The step's convolution on bytes; without one the step runs as the plan says.
    conv: Option<Box<QuantizedConv2d>>,
    /// Whether someone reads the value as numbers. A convolution on bytes writes bytes otherwise.
    is_float: bool,
    /// The bytes of a value that someone reads as such.
    bytes: Option<Quantization>,
}

impl QuantizedPlan {
    /// Compiles `graph` with `weights`, with steps that hold all values that `pictures` give rise
    /// to in the network in `f32`.
    pub(crate) fn new(
        graph: &Graph,
        weights: &Weights,
        pictures: &[Planes],
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> Result<Self, LoadError> {
        let (plan, kernels) = Plan::with_kernels(graph, weights)?;
        if pictures.is_empty() {
            return Err(LoadError::unsupported("there is no picture to measure the network on"));
        }
        let mut ranges = vec![(0.0f32, 0.0f32); plan.steps.len()];
        let mut features = Vec::new();
        features.resize_with(plan.buffers(), Feature::new);
        for picture in pictures {
            let multiple = graph.multiple() as usize;
            let sides = [picture.height(), picture.width()];
            if sides.iter().any(|side| *side == 0 || !side.is_multiple_of(multiple))
                || picture.channels() != graph.nodes().first().map_or(0, |input| input.channels)
            {
                return Err(LoadError::unsupported(format!(
                    "a picture of {} x {} x {} does not fit the network",
                    picture.channels(),
                    picture.height(),
                    picture.width()
                )));
            }
            measure(&plan, picture, sigma, &mut features, &mut ranges, cx).map_err(unmeasured)?;
        }
        let ranges: Result<Vec<_>, _> =
            ranges.into_iter().map(|(low, high)| Quantization::of_range(low, high)).collect();
        let ranges = ranges.map_err(|error| unmeasured(error.into()))?;
        let stages = stages(&plan, &kernels, &ranges)?;
        Ok(Self { plan, stages, spare: Mutex::default() })
    }

    /// See [`Plan::recycle`].
    pub(crate) fn recycle(&self, result: Planes) {
        self.plan.recycle(result);
    }

    /// Bytes of memory of one run on a picture of `width` x `height`, the result not counted.
    pub(crate) fn buffer_bytes(&self, width: usize, height: usize) -> u64 {
        let numbers: u64 = self.plan.buffer_bytes(width, height).sum();
        numbers + numbers / size_of::<f32>() as u64
    }

    /// Runs on a picture whose sides are multiples of the network's.
    pub(crate) fn run(
        &self,
        picture: &Planes,
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        let mut memory = self.lock().pop().unwrap_or_default();
        memory.features.resize_with(self.plan.buffers(), Feature::new);
        memory.bytes.resize_with(self.plan.buffers(), QuantizedFeature::new);
        let result = self.run_in(&mut memory, picture, sigma, cx);
        self.lock().push(memory);
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_in(
        &self,
        memory: &mut Memory,
        picture: &Planes,
        sigma: f32,
        cx: &RunContext<'_>,
    ) -> Result<Planes, NetError> {
        let Memory { features, bytes } = memory;
        for (step, stage) in self.plan.steps.iter().zip(&self.stages) {
            cx.cancel.check()?;
            // Taken out for the step: it is written while its neighbours are read.
            let mut to = std::mem::take(&mut features[step.to]);
            let mut to_bytes = std::mem::take(&mut bytes[step.to]);
            let done = match &stage.conv {
                Some(conv) => convolve(conv, stage, &step.work, bytes, &mut to, &mut to_bytes, cx),
                None => cpu::perform(step, picture, sigma, features, &mut to, cx),
            };
            let done = done.and_then(|()| match stage.bytes {
                Some(steps) if stage.is_float => Ok(to_bytes.quantize(&to, steps, cx)?),
                _ => Ok(()),
            });
            (features[step.to], bytes[step.to]) = (to, to_bytes);
            done?;
        }
        let spare = self.plan.spare();
        self.plan.store.run(&features[self.plan.result], picture, sigma, spare, cx)
    }
}

/// Runs a convolution on bytes, into numbers or bytes as the stage says.
fn convolve(
    conv: &QuantizedConv2d,
    stage: &Stage,
    work: &Work,
    bytes: &[QuantizedFeature],
    to: &mut Feature,
    to_bytes: &mut QuantizedFeature,
    cx: &RunContext<'_>,
) -> Result<(), NetError> {
    let Work::Conv { input, activation, join, .. } = work else { return Ok(()) };
    let residual = match join {
        Some((Join::BeforeActivation, slot)) => QuantizedResidual::BeforeActivation(&bytes[*slot]),
        Some((_, slot)) => QuantizedResidual::AfterActivation(&bytes[*slot]),
        None => QuantizedResidual::None,
    };
    let activation = match activation {
        Some(_) => QuantizedActivation::Relu,
        None => QuantizedActivation::None,
    };
    let epilogue = QuantizedEpilogue { activation, residual };
    if stage.is_float {
        conv.run_to_float(&bytes[*input], to, &epilogue, cx)?;
    } else {
        conv.run(&bytes[*input], to_bytes, &epilogue, cx)?;
    }
    Ok(())
}

/// Runs the plan and widens the range of each step's values.
fn measure(
    plan: &Plan,
    picture: &Planes,
    sigma: f32,
    features: &mut [Feature],
    ranges: &mut [(f32, f32)],
    cx: &RunContext<'_>,
) -> Result<(), NetError> {
    for (step, range) in plan.steps.iter().zip(ranges) {
        cx.cancel.check()?;
        let mut to = std::mem::take(&mut features[step.to]);
        let done = cpu::perform(step, picture, sigma, features, &mut to, cx);
        for pixel in to.data().chunks_exact(to.pixel_stride().max(1)) {
            for value in &pixel[..to.channels()] {
                *range = (range.0.min(*value), range.1.max(*value));
            }
        }
        features[step.to] = to;
        done?;
    }
    Ok(())
}

/// Decides for each step how it runs, and in which forms its value is needed.
fn stages(
    plan: &Plan,
    kernels: &[Kernel],
    ranges: &[Quantization],
) -> Result<Vec<Stage>, LoadError> {
    let mut stages: Vec<Stage> = plan.steps.iter().map(|_| Stage::default()).collect();
    // the step whose value each slot holds
    let mut producers = vec![0; plan.buffers()];
    for (index, step) in plan.steps.iter().enumerate() {
        let kernel = kernels.iter().find(|kernel| kernel.step == index);
        if let (Some(kernel), Some(slots)) = (kernel, bytes_read(&step.work)) {
            let steps = ranges[producers[slots.0]];
            let Kernel { spec, weight, bias, .. } = kernel;
            let conv = QuantizedConv2d::from_floats(spec, weight, Some(bias), steps, ranges[index])
                .map_err(|error| unmeasured(error.into()))?;
            stages[index].conv = Some(Box::new(conv));
            for slot in [Some(slots.0), slots.1].into_iter().flatten() {
                let producer = producers[slot];
                stages[producer].bytes = Some(ranges[producer]);
            }
        } else {
            for slot in numbers_read(&step.work, step.to) {
                stages[producers[slot]].is_float = true;
            }
        }
        producers[step.to] = index;
    }
    stages[producers[plan.result]].is_float = true;
    for stage in &mut stages {
        // only convolutions write bytes
        stage.is_float |= stage.conv.is_none();
    }
    Ok(stages)
}

/// The slots that a convolution reads as bytes, the second its residual; `None` for what has no
/// form in bytes.
fn bytes_read(work: &Work) -> Option<(Slot, Option<Slot>)> {
    match work {
        Work::Conv { input, activation: None | Some(Activation::Relu), join, .. } => match join {
            None => Some((*input, None)),
            Some((Join::BeforeActivation | Join::AfterActivation, slot)) => {
                Some((*input, Some(*slot)))
            }
            Some((Join::Attention, _)) => None,
        },
        _ => None,
    }
}

/// The slots that a step in `f32` reads, the one it changes in place among them.
fn numbers_read(work: &Work, to: Slot) -> Vec<Slot> {
    match work {
        Work::Load(_) => Vec::new(),
        Work::Conv { input, join, .. } | Work::Separable { input, join, .. } => {
            [Some(*input), join.map(|(_, slot)| slot)].into_iter().flatten().collect()
        }
        Work::Activate(_) => vec![to],
        Work::Add(other) | Work::Mul(other) => vec![to, *other],
        Work::Concat(parts) => parts.clone(),
        Work::Copy(from)
        | Work::Unshuffle(from, _)
        | Work::Shuffle(from, _)
        | Work::Nearest(from, _) => vec![*from],
    }
}

fn unmeasured(error: NetError) -> LoadError {
    match error {
        NetError::Cancelled => limpid_kernels::Cancelled.into(),
        error => LoadError::unsupported(format!("the network has no form in bytes: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use limpid_kernels::{Cancel, Pool};

    use super::*;
    use crate::graph::{Builder, Value};
    use crate::{built_in, testing};

    /// Ratio of `wanted`'s power, its mean aside, to that of the difference, in dB.
    fn snr_db(wanted: &Planes, found: &Planes) -> f64 {
        assert_eq!((wanted.height(), wanted.width()), (found.height(), found.width()));
        let values = || wanted.data().iter().map(|v| f64::from(*v));
        let mean = values().sum::<f64>() / wanted.data().len() as f64;
        let signal: f64 = values().map(|v| (v - mean).powi(2)).sum();
        let pairs = values().zip(found.data());
        let noise: f64 = pairs.map(|(w, f)| (w - f64::from(*f)).powi(2)).sum();
        10.0 * (signal / noise.max(1e-30)).log10()
    }

    /// Compares with the network in `f32` on a picture it was not measured on, and the runs on one
    /// to three threads bit by bit. Hands back the ratio in dB and the convolutions on bytes.
    fn compare(graph: &Graph, weights: &Weights, pictures: [Planes; 2]) -> (f64, usize) {
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let [known, new] = pictures;
        let quantized = QuantizedPlan::new(graph, weights, &[known], 0.1, &cx).unwrap();
        let plan = Plan::new(graph, weights).unwrap();
        let wanted = cpu::run(&plan, &new, 0.1, &cpu::Buffers::default(), None, &cx).unwrap();
        let found = quantized.run(&new, 0.1, &cx).unwrap();
        for threads in [1, 3, 2] {
            let pool = Pool::new(threads).unwrap();
            let again = quantized.run(&new, 0.1, &RunContext { pool: &pool, ..cx }).unwrap();
            assert_eq!(found, again, "{threads} threads");
        }
        let on_bytes = quantized.stages.iter().filter(|stage| stage.conv.is_some()).count();
        (snr_db(&wanted, &found), on_bytes)
    }

    fn random_pictures(height: usize, width: usize) -> [Planes; 2] {
        [3, 4].map(|seed| testing::picture(height, width, seed))
    }

    #[test]
    fn every_architecture_stays_near_its_numbers() {
        // layers that keep their form in f32: SPAN's gates and activations
        let on_bytes = [4, 2, 2, 6, 6];
        let mut faults = Vec::new();
        for ((architecture, on_bytes), seed) in testing::SMALL.into_iter().zip(on_bytes).zip(5..) {
            let weights = Weights::read(&testing::random_container(architecture, seed)).unwrap();
            let graph = architecture.graph().unwrap();
            let (snr, found) = compare(&graph, &weights, random_pictures(40, 26));
            if snr < 30.0 || found < on_bytes {
                faults.push(format!("{architecture:?}: {snr:.1} dB, {found} on bytes"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn trained_networks_stay_near_their_numbers() {
        // waves and edges, with a little noise
        let picture = |phase: f32| {
            let noise = testing::picture(96, 96, 9);
            let mut picture = Planes::zeros(3, 96, 96);
            for channel in 0..3 {
                let plane = picture.plane_mut(channel).iter_mut().zip(noise.plane(channel));
                for (i, (value, noise)) in plane.enumerate() {
                    let (x, y) = ((i % 96) as f32, (i / 96) as f32);
                    let wave = (0.002 * x * y + phase + channel as f32).sin() * 0.2;
                    let edge = if (x - 48.0).hypot(y - 40.0) < 25.0 + phase { 0.2 } else { -0.1 };
                    *value = 0.5 + wave + edge + 0.06 * (noise - 0.5);
                }
            }
            picture
        };
        for model in built_in::ALL {
            let weights = Weights::read(model.weights).unwrap();
            let graph = weights.architecture().unwrap().graph().unwrap();
            let (snr, on_bytes) = compare(&graph, &weights, [picture(0.0), picture(1.0)]);
            let name = model.card().unwrap().name;
            assert_eq!(on_bytes, graph.convs().count(), "{name}");
            assert!(snr > 25.0, "{name}: {snr:.1} dB");
        }
    }

    #[test]
    fn any_order_of_layers_stays_near_its_numbers() {
        type Describe = fn(&mut Builder, Value) -> Value;
        let cases: [(&str, Describe); 7] = [
            ("no layer at all", |_, x| x),
            ("residual before the activation", |b, x| {
                let f = b.conv("c1", x, 20, 3);
                let g = b.conv("c2", f, 20, 3);
                let sum = b.add(f, g);
                let sum = b.relu(sum);
                b.conv("c3", sum, 3, 3)
            }),
            ("a value read as numbers and as bytes", |b, x| {
                let f = b.conv("c1", x, 12, 3);
                let g = b.silu(f);
                let h = b.conv("c2", f, 12, 3);
                b.mul(g, h)
            }),
            ("a residual that comes later", |b, x| {
                let f = b.conv("c1", x, 3, 3);
                let g = b.conv("c2", x, 3, 1);
                let g = b.sigmoid(g);
                b.add(f, g)
            }),
            ("shuffles and enlargement of features", |b, x| {
                let f = b.conv("c1", x, 12, 3);
                let large = b.pixel_shuffle(f, 2);
                let folded = b.pixel_unshuffle(large, 2);
                let both = b.concat(&[folded, f]);
                let mixed = b.conv("c2", both, 3, 1);
                let mixed = b.nearest_upsample(mixed, 2);
                let mixed = b.silu(mixed);
                b.add(large, mixed)
            }),
            ("joined channels with an activation behind", |b, x| {
                let f = b.conv("c1", x, 5, 3);
                let both = b.concat(&[f, x, f]);
                let g = b.conv("c2", both, 4, 3);
                b.relu(g)
            }),
            ("a result that is read on the way", |b, x| {
                let f = b.conv("c1", x, 12, 3);
                let f = b.relu(f);
                b.conv("c2", f, 3, 3);
                let sigma = b.sigma_map(x);
                let g = b.conv("c3", sigma, 12, 1);
                let sum = b.add(f, g);
                b.pixel_shuffle(sum, 2)
            }),
        ];
        for ((name, describe), seed) in cases.into_iter().zip(0..) {
            let (mut b, x) = Builder::new(3);
            let output = describe(&mut b, x);
            let graph = b.finish(output).unwrap();
            let weights = testing::random_weights(&graph, seed);
            let (snr, _) = compare(&graph, &weights, random_pictures(10, 14));
            assert!(snr > 25.0, "{name}: {snr:.1} dB");
        }
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        let graph = testing::DN_RESNET.graph().unwrap();
        let weights = Weights::read(&testing::random_container(testing::DN_RESNET, 1)).unwrap();
        let (pool, cancel) = (Pool::new(1).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let attempt =
            |pictures: &[Planes]| QuantizedPlan::new(&graph, &weights, pictures, 0.0, &cx);
        assert!(attempt(&[]).is_err(), "nothing to measure on");
        assert!(attempt(&[Planes::zeros(3, 7, 8)]).is_err(), "a side that does not fold");
        assert!(attempt(&[Planes::zeros(1, 8, 8)]).is_err(), "other channels");
        let mut broken = Planes::zeros(3, 8, 8);
        broken.data_mut()[5] = f32::INFINITY;
        assert!(attempt(&[broken]).is_err(), "no number");
        cancel.cancel();
        let error = attempt(&[Planes::zeros(3, 8, 8)]).unwrap_err();
        assert_eq!(error.kind(), crate::LoadErrorKind::Cancelled);
    }
}
