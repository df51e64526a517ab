//! Runs a [`Plan`] with the kernels of this crate's neighbour.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use limpid_kernels::{
    Epilogue, Feature, KernelError, Planes, Residual, RunContext, activate, add, concat, multiply,
    pixel_shuffle, pixel_unshuffle, upsample_nearest,
};

use crate::error::NetError;
use crate::graph::Activation;
use crate::plan::{Join, Plan, Slot, Step, Work};
use crate::profile::Profile;

/// Feature memory that runs hand on to each other, so that a tile costs no new pages.
/// Networks of one library share one store: a chain of them holds the memory of the largest.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<Feature>>>);

impl Buffers {
    fn take(&self, count: usize) -> Vec<Feature> {
        let mut features = self.lock().pop().unwrap_or_default();
        features.resize_with(features.len().max(count), Feature::new);
        features
    }

    fn give_back(&self, features: Vec<Feature>) {
        self.lock().push(features);
    }

    /// Frees what no run is using.
    pub(crate) fn trim(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Feature>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs on a picture whose sides are multiples of the network's.
pub(crate) fn run(
    plan: &Plan,
    picture: &Planes,
    sigma: f32,
    buffers: &Buffers,
    profile: Option<&Profile>,
    cx: &RunContext<'_>,
) -> Result<Planes, NetError> {
    let mut features = buffers.take(plan.buffers());
    let result = run_in(plan, picture, sigma, &mut features, profile, cx);
    buffers.give_back(features);
    result
}

fn run_in(
    plan: &Plan,
    picture: &Planes,
    sigma: f32,
    features: &mut [Feature],
    profile: Option<&Profile>,
    cx: &RunContext<'_>,
) -> Result<Planes, NetError> {
    for (index, step) in plan.steps.iter().enumerate() {
        cx.cancel.check()?;
        let start = Instant::now();
        // Taken out for the step: it is written while its neighbours are read.
        let mut to = std::mem::take(&mut features[step.to]);
        let done = perform(step, picture, sigma, features, &mut to, cx);
        let pixels = (to.height() * to.width()) as u64;
        features[step.to] = to;
        done?;
        if let Some(profile) = profile {
            profile.add(index, start.elapsed(), pixels * step.flops_per_pixel);
        }
    }
    let start = Instant::now();
    let result = plan.store.run(&features[plan.result], picture, sigma, plan.spare(), cx)?;
    if let Some(profile) = profile {
        profile.add(plan.steps.len(), start.elapsed(), 0);
    }
    Ok(result)
}

/// Runs one step; `to` is what the slot it writes held.
pub(crate) fn perform(
    step: &Step,
    picture: &Planes,
    sigma: f32,
    features: &[Feature],
    to: &mut Feature,
    cx: &RunContext<'_>,
) -> Result<(), NetError> {
    match &step.work {
        Work::Load(taps) => taps.load(picture, sigma, to, cx)?,
        Work::Conv { conv, input, activation, join } => {
            let epilogue = epilogue(*activation, *join, features);
            conv.run(&features[*input], to, &epilogue, cx)?;
        }
        Work::Separable { conv, input, between, activation, join } => {
            let between = between.map_or(limpid_kernels::Activation::None, kernel_activation);
            let epilogue = epilogue(*activation, *join, features);
            conv.run(&features[*input], to, between, &epilogue, cx)?;
        }
        Work::Copy(from) => {
            let from = &features[*from];
            to.reset(from.channels(), from.height(), from.width())?;
            to.data_mut().copy_from_slice(from.data());
        }
        Work::Activate(activation) => activate(to, kernel_activation(*activation), cx)?,
        Work::Add(other) => add(to, &features[*other], cx)?,
        Work::Mul(other) => multiply(to, &features[*other], cx)?,
        Work::Concat(parts) => {
            let parts: Vec<&Feature> = parts.iter().map(|part| &features[*part]).collect();
            concat(&parts, to, cx)?;
        }
        Work::Unshuffle(from, s) => pixel_unshuffle(&features[*from], *s, to, cx)?,
        Work::Shuffle(from, s) => pixel_shuffle(&features[*from], *s, to, cx)?,
        Work::Nearest(from, s) => upsample_nearest(&features[*from], *s, to, cx)?,
    }
    Ok(())
}

fn epilogue<'a>(
    activation: Option<Activation>,
    join: Option<(Join, Slot)>,
    features: &'a [Feature],
) -> Epilogue<'a> {
    let residual = match join {
        None => Residual::None,
        Some((Join::BeforeActivation, slot)) => Residual::BeforeActivation(&features[slot]),
        Some((Join::AfterActivation, slot)) => Residual::AfterActivation(&features[slot]),
        Some((Join::Attention, slot)) => Residual::Attention(&features[slot]),
    };
    let activation = activation.map_or(limpid_kernels::Activation::None, kernel_activation);
    Epilogue { activation, residual, clamp: None }
}

fn kernel_activation(activation: Activation) -> limpid_kernels::Activation<'static> {
    match activation {
        Activation::Relu => limpid_kernels::Activation::Relu,
        Activation::Silu => limpid_kernels::Activation::Silu,
        Activation::Sigmoid => limpid_kernels::Activation::Sigmoid,
    }
}

impl From<KernelError> for NetError {
    fn from(error: KernelError) -> Self {
        match error {
            KernelError::Shape(error) => error.into(),
            KernelError::Cancelled(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use limpid_kernels::{Cancel, Pool};

    use super::*;
    use crate::graph::{Builder, Graph};
    use crate::reference;
    use crate::testing;
    use crate::weights::Weights;

    /// Largest difference, as a part of the largest value where that exceeds 1: SPAN with random
    /// weights answers in hundreds.
    fn largest_difference(a: &Planes, b: &Planes) -> f32 {
        assert_eq!(
            (a.channels(), a.height(), a.width()),
            (b.channels(), b.height(), b.width()),
            "shapes"
        );
        let range = a.data().iter().fold(1.0, |range: f32, a| range.max(a.abs()));
        let pairs = a.data().iter().zip(b.data());
        pairs.map(|(a, b)| (a - b).abs() / range).fold(0.0, f32::max)
    }

    fn compare(graph: &Graph, weights: &Weights, height: usize, width: usize) -> f32 {
        let plan = Plan::new(graph, weights).unwrap();
        let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let picture = testing::picture(height, width, 3);
        let buffers = Buffers::default();
        let expected = reference::run(graph, weights, &picture, 0.1, &cx).unwrap();
        let found = run(&plan, &picture, 0.1, &buffers, None, &cx).unwrap();
        // Again on the buffers of the first run: nothing may depend on what they hold.
        let again = run(&plan, &picture, 0.1, &buffers, None, &cx).unwrap();
        assert_eq!(found, again);
        largest_difference(&expected, &found)
    }

    #[test]
    fn every_architecture_equals_the_reference() {
        let mut faults = Vec::new();
        for (seed, architecture) in testing::SMALL.into_iter().enumerate() {
            let weights = Weights::read(&testing::random_container(architecture, 5 + seed as u64));
            let weights = weights.unwrap();
            let graph = architecture.graph().unwrap();
            for (height, width) in [(2, 2), (6, 34), (40, 26)] {
                let difference = compare(&graph, &weights, height, width);
                if difference > 2e-5 {
                    faults.push(format!("{architecture:?} {height} x {width}: {difference:e}"));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// Layers that no shipped network puts in this order, so that every pass of the plan is used.
    #[test]
    fn any_order_of_layers_equals_the_reference() {
        type Describe = fn(&mut Builder, crate::graph::Value) -> crate::graph::Value;
        let cases: [(&str, Describe); 14] = [
            ("the input itself", |_, x| x),
            ("add a value to itself, twice used", |b, x| {
                let f = b.conv("c1", x, 3, 3);
                let twice = b.add(f, f);
                b.mul(twice, f)
            }),
            ("residual before the activation", |b, x| {
                let f = b.conv("c1", x, 3, 3);
                let g = b.conv("c2", f, 3, 3);
                let sum = b.add(f, g);
                b.relu(sum)
            }),
            ("a residual that comes later", |b, x| {
                let f = b.conv("c1", x, 3, 3);
                let g = b.conv("c2", x, 3, 1);
                let g = b.sigmoid(g);
                b.add(f, g)
            }),
            ("almost an attention", |b, x| {
                let f = b.conv("c1", x, 3, 3);
                let s = b.sigmoid(f);
                let s = b.affine(s, &[-0.25], 2.0);
                let sum = b.add(f, x);
                b.mul(s, sum)
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
            ("joined channels with a residual behind", |b, x| {
                let f = b.conv("c1", x, 12, 3);
                let both = b.concat(&[f, x, f]);
                let g = b.conv("c2", both, 12, 3);
                b.add(f, g)
            }),
            ("joined channels with a later residual behind", |b, x| {
                let f = b.conv("c1", x, 12, 3);
                let both = b.concat(&[f, x]);
                let later = b.conv("c2", x, 12, 3);
                let g = b.conv("c3", both, 12, 3);
                b.add(g, later)
            }),
            ("joined channels with an activation behind", |b, x| {
                let f = b.conv("c1", x, 5, 3);
                let both = b.concat(&[f, x, f]);
                let g = b.conv("c2", both, 4, 3);
                b.silu(g)
            }),
            ("separable blocks with a residual", |b, x| {
                let mut f = b.conv("c1", x, 24, 3);
                for block in 0..2 {
                    let g = b.depthwise(format!("d{block}"), f, 3);
                    let g = b.relu(g);
                    let g = b.conv(format!("p{block}"), g, 24, 1);
                    let g = b.silu(g);
                    f = b.add(g, f);
                }
                b.conv("c2", f, 3, 3)
            }),
            ("a depthwise convolution that two read", |b, x| {
                let f = b.conv("c1", x, 20, 3);
                let g = b.depthwise("d", f, 5);
                let a = b.conv("p1", g, 20, 1);
                b.add(a, g)
            }),
            ("depthwise convolutions that end or meet a sum", |b, x| {
                let f = b.depthwise("d1", x, 3);
                let g = b.conv("c1", f, 18, 3);
                let h = b.conv("c2", f, 18, 3);
                let k = b.depthwise("d2", g, 3);
                let k = b.add(k, h);
                let k = b.conv("p", k, 3, 1);
                b.depthwise("d3", k, 7)
            }),
            ("joined channels into a depthwise convolution", |b, x| {
                let f = b.conv("c1", x, 9, 3);
                let both = b.concat(&[f, x]);
                let g = b.depthwise("d", both, 3);
                b.conv("p", g, 5, 1)
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
        for (seed, (name, describe)) in cases.into_iter().enumerate() {
            let (mut b, x) = Builder::new(3);
            let output = describe(&mut b, x);
            let graph = b.finish(output).unwrap();
            let weights = testing::random_weights(&graph, seed as u64);
            let difference = compare(&graph, &weights, 10, 14);
            assert!(difference < 1e-5, "{name}: {difference:e}");
        }
    }

    #[test]
    fn a_noise_map_is_a_level_for_each_pixel() {
        let graph = testing::SMALL[0].graph().unwrap();
        assert!(graph.wants_sigma());
        let weights = testing::random_weights(&graph, 5);
        let plan = Plan::new(&graph, &weights).unwrap();
        let (pool, cancel) = (limpid_kernels::Pool::new(2).unwrap(), limpid_kernels::Cancel::new());
        let cx = RunContext { pool: &pool, cancel: &cancel };
        let data =
            |planes: usize| (0..planes * 8 * 12).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let run = |picture: &Planes, sigma| {
            let fast = run(&plan, picture, sigma, &Buffers::default(), None, &cx).unwrap();
            let slow = crate::reference::run(&graph, &weights, picture, sigma, &cx).unwrap();
            let worst = fast.data().iter().zip(slow.data()).map(|(a, b)| (a - b).abs());
            assert!(worst.fold(0.0, f32::max) < 1e-5);
            fast
        };
        let mut mapped = Planes::from_vec(4, 8, 12, data(4)).unwrap();
        let uneven = run(&mapped, 0.2);
        let plain = Planes::from_vec(3, 8, 12, data(3)).unwrap();
        assert!(uneven.data() != run(&plain, 0.2).data());
        mapped.plane_mut(3).fill(0.5);
        assert_eq!(run(&mapped, 0.2).data(), run(&plain, 0.1).data(), "a flat map is a level");
    }

    #[test]
    fn shipped_networks_need_no_extra_passes() {
        // (architecture, buffers, passes that are not convolutions)
        for (architecture, buffers, others) in [
            (testing::SMALL[0], 2, 1), // load
            (testing::SMALL[1], 6, 1), // load
            (testing::SMALL[3], 4, 1), // load
            (testing::SMALL[4], 3, 1), // load
        ] {
            let weights = Weights::read(&testing::random_container(architecture, 1)).unwrap();
            let plan = Plan::new(&architecture.graph().unwrap(), &weights).unwrap();
            let passes =
                plan.steps.iter().filter(|step| !matches!(step.work, Work::Conv { .. })).count();
            assert_eq!((plan.buffers(), passes), (buffers, others), "{architecture:?}");
        }
    }
}
