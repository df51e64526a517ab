//! A network compiled for the CPU: weights packed, layers fused, buffers assigned.

use std::sync::{Mutex, PoisonError};

use limpid_kernels::{Conv2d, ConvSpec, Feature, Planes, SeparableConv2d, ShapeError};

use crate::error::LoadError;
use crate::graph::{Activation, Conv, Graph, Op, Ratio, Value};
use crate::picture::{Store, Taps};
use crate::weights::Weights;

/// Index of a buffer that values share, one after the other.
pub(crate) type Slot = usize;

/// How another value joins a convolution's result; see [`limpid_kernels::Residual`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    BeforeActivation,
    AfterActivation,
    Attention,
}

/// One pass over memory.
#[derive(Debug)]
pub(crate) enum Work {
    /// Fills the slot from the picture.
    Load(Taps),
    /// A convolution and what is fused into it.
    Conv {
        conv: Box<Conv2d>,
        input: Slot,
        activation: Option<Activation>,
        join: Option<(Join, Slot)>,
    },
    /// A depthwise convolution with what follows it, and the 1 x 1 convolution behind both.
    Separable {
        conv: Box<SeparableConv2d>,
        input: Slot,
        between: Option<Activation>,
        activation: Option<Activation>,
        join: Option<(Join, Slot)>,
    },
    Copy(Slot),
    /// In place.
    Activate(Activation),
    /// In place.
    Add(Slot),
    /// In place.
    Mul(Slot),
    Concat(Vec<Slot>),
    Unshuffle(Slot, usize),
    Shuffle(Slot, usize),
    Nearest(Slot, usize),
}

/// A pass, the slot it writes, and what the time table says of it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) work: Work,
    pub(crate) to: Slot,
    pub(crate) name: String,
    /// Multiplications and additions for one pixel of the result, counted directly.
    pub(crate) flops_per_pixel: u64,
}

/// The whole network.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: Slot,
    pub(crate) store: Store,
    /// Memory for a result, from a caller who is done with an earlier one.
    spare: Mutex<Option<Planes>>,
    /// The shapes each slot takes: channels and pixel size.
    slots: Vec<Vec<(usize, Ratio)>>,
}

/// The numbers of a convolution before they are packed.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Index of its step.
    pub(crate) step: usize,
    pub(crate) spec: ConvSpec,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Plan {
    /// Compiles `graph` with `weights`.
    pub(crate) fn new(graph: &Graph, weights: &Weights) -> Result<Self, LoadError> {
        Ok(Self::with_kernels(graph, weights)?.0)
    }

    /// As [`Plan::new`], with the kernels of all convolutions that are one step alone.
    pub(crate) fn with_kernels(
        graph: &Graph,
        weights: &Weights,
    ) -> Result<(Self, Vec<Kernel>), LoadError> {
        let taps = Taps::of(graph);
        let (result, store) = Store::of(graph, &taps, &graph.uses());
        // Values made from the picture alone are not computed by steps of their own, and what the
        // store does lies behind the result: neither reads anything.
        let mut uses = vec![0; graph.nodes().len()];
        for index in (0..=result.0).filter(|index| taps[*index].is_none()) {
            for value in &graph.nodes()[index].inputs {
                uses[value.0] += 1;
            }
        }
        uses[result.0] += 1;
        let mut compiler = Compiler {
            graph,
            weights,
            place: vec![None; graph.nodes().len()],
            absorbed: vec![false; graph.nodes().len()],
            summed: vec![false; graph.nodes().len()],
            taps,
            uses,
            result,
            free: Vec::new(),
            slots: Vec::new(),
            steps: Vec::new(),
            kernels: Vec::new(),
        };
        for index in 0..=result.0 {
            compiler.node(index)?;
        }
        let result = compiler.slot(result)?;
        let plan = Self {
            steps: compiler.steps,
            result,
            store,
            slots: compiler.slots,
            spare: Mutex::default(),
        };
        Ok((plan, compiler.kernels))
    }

    /// Takes a result back, for its memory.
    pub(crate) fn recycle(&self, result: Planes) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    /// Memory for a result.
    pub(crate) fn spare(&self) -> Planes {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        spare.unwrap_or_else(|| Planes::zeros(0, 0, 0))
    }

    /// Number of buffers a run needs.
    pub(crate) fn buffers(&self) -> usize {
        self.slots.len()
    }

    /// Bytes each buffer grows to for a picture of `width` x `height`.
    pub(crate) fn buffer_bytes(&self, width: usize, height: usize) -> impl Iterator<Item = u64> {
        self.slots.iter().map(move |shapes| {
            let bytes = shapes.iter().map(|(channels, pixel)| {
                Feature::bytes(*channels, pixel.count(height), pixel.count(width))
            });
            bytes.max().unwrap_or(0)
        })
    }
}

/// What is fused behind a convolution: the last node it stands for, and how.
struct Fused {
    last: usize,
    absorbed: Vec<usize>,
    activation: Option<Activation>,
    join: Option<(Join, Value)>,
}

struct Compiler<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    taps: Vec<Option<Taps>>,
    /// Reads of each value that are still to come.
    uses: Vec<usize>,
    /// The last value to be computed.
    result: Value,
    /// The slot that holds each value.
    place: Vec<Option<Slot>>,
    /// Nodes that an earlier convolution has computed already.
    absorbed: Vec<bool>,
    /// Joined channels that their one reader takes part by part.
    summed: Vec<bool>,
    free: Vec<Slot>,
    slots: Vec<Vec<(usize, Ratio)>>,
    steps: Vec<Step>,
    kernels: Vec<Kernel>,
}

impl Compiler<'_> {
    fn node(&mut self, index: usize) -> Result<(), LoadError> {
        // Values made from the picture alone are loaded where something else reads them.
        if self.absorbed[index] || self.taps[index].is_some() {
            return Ok(());
        }
        let node = &self.graph.nodes()[index];
        let inputs = node.inputs.clone();
        match &node.op {
            Op::Conv(conv) => self.conv(index, &conv.name)?,
            Op::Activate(activation) => {
                self.in_place(index, &inputs, |_| Work::Activate(*activation), "activate")?;
            }
            Op::Add => self.in_place(index, &inputs, Work::Add, "add")?,
            Op::Mul => self.in_place(index, &inputs, Work::Mul, "multiply")?,
            Op::Concat if self.can_be_summed(index) => self.summed[index] = true,
            Op::Concat => self.fresh(index, "concat", Work::Concat)?,
            Op::PixelUnshuffle(s) => {
                self.fresh(index, "unshuffle", |from| Work::Unshuffle(from[0], *s))?;
            }
            Op::PixelShuffle(s) => {
                self.fresh(index, "shuffle", |from| Work::Shuffle(from[0], *s))?;
            }
            Op::NearestUpsample(s) => {
                self.fresh(index, "upsample", |from| Work::Nearest(from[0], *s))?;
            }
            Op::Affine { offset, scale } => {
                let spec = ConvSpec::depthwise(node.channels, 1);
                let bias: Vec<f32> = (0..node.channels)
                    .map(|channel| offset[channel % offset.len()] * scale)
                    .collect();
                let conv =
                    Conv2d::new(&spec, &vec![*scale; node.channels], Some(&bias)).map_err(unfit)?;
                self.fresh(index, "scale", |from| Work::Conv {
                    conv: Box::new(conv),
                    input: from[0],
                    activation: None,
                    join: None,
                })?;
            }
            Op::Input | Op::SigmaMap => {
                return Err(LoadError::unsupported("the network has an input of an odd size"));
            }
        }
        Ok(())
    }

    /// A convolution, with everything behind it that its epilogue can do.
    fn conv(&mut self, index: usize, name: &str) -> Result<(), LoadError> {
        let node = &self.graph.nodes()[index];
        let Op::Conv(shape) = &node.op else { return Ok(()) };
        let tensors = self.weights.kernel(name).zip(self.weights.bias(name));
        let (kernel, bias) =
            tensors.ok_or_else(|| LoadError::damaged(format!("there is no tensor for {name}")))?;
        let mut fused = self.fuse(index);
        let read = node.inputs[0];
        if shape.groups > 1 {
            return self.depthwise(index, shape, read, fused);
        }
        let parts = if self.summed[read.0] {
            if fused.join.is_some() {
                // A residual that was not there yet when the sum was decided on.
                fused = Fused { last: index, absorbed: Vec::new(), activation: None, join: None };
            }
            self.graph.node(read).inputs.clone()
        } else {
            vec![read]
        };

        // One convolution for each part of a joined input, each adding to the sum of those before.
        let taps = shape.kernel * shape.kernel;
        let (mut first_channel, mut sum) = (0, None);
        for (at, part) in parts.iter().enumerate() {
            let channels = self.graph.node(*part).channels;
            let spec = ConvSpec::same(channels, shape.output, shape.kernel);
            let of_part = kernel.data.chunks_exact(shape.input * taps).flat_map(|output| {
                &output[first_channel * taps..(first_channel + channels) * taps]
            });
            let of_part: Vec<f32> = of_part.copied().collect();
            let bias = (at == 0).then_some(bias.data.as_slice());
            let conv = Box::new(Conv2d::new(&spec, &of_part, bias).map_err(unfit)?);
            first_channel += channels;

            let input = self.slot(*part)?;
            let is_last = at + 1 == parts.len();
            let join = match (sum, fused.join) {
                (Some(sum), _) => Some((Join::BeforeActivation, sum)),
                (None, Some((join, value))) => Some((join, self.slot(value)?)),
                (None, None) => None,
            };
            let to = self.claim(index);
            let activation = fused.activation.filter(|_| is_last);
            if let ([_], Some(bias)) = (parts.as_slice(), bias) {
                let (weight, bias) = (of_part, bias.to_vec());
                self.kernels.push(Kernel { step: self.steps.len(), spec, weight, bias });
            }
            self.steps.push(Step {
                work: Work::Conv { conv, input, activation, join },
                to,
                name: name.to_owned(),
                flops_per_pixel: spec.flops_per_pixel(),
            });
            self.free.extend(sum);
            sum = Some(to);
            self.done(*part);
        }
        if let Some((_, value)) = fused.join {
            self.done(value);
        }
        for absorbed in fused.absorbed {
            self.absorbed[absorbed] = true;
        }
        self.place[fused.last] = sum;
        Ok(())
    }

    /// A depthwise convolution, together with a 1 x 1 convolution that alone reads it.
    fn depthwise(
        &mut self,
        index: usize,
        shape: &Conv,
        read: Value,
        fused: Fused,
    ) -> Result<(), LoadError> {
        let first = self.whole_conv(shape)?;
        let input = self.slot(read)?;
        let behind = self.only_reader(fused.last).filter(|_| fused.join.is_none());
        let pointwise = behind.and_then(|(reader, node)| match &node.op {
            Op::Conv(next) if next.kernel == 1 && next.groups == 1 => Some((reader, next.clone())),
            _ => None,
        });
        let (last, join, work, flops);
        if let Some((reader, next)) = pointwise {
            let outer = self.fuse(reader);
            let conv = SeparableConv2d::new(first, self.whole_conv(&next)?).map_err(unfit)?;
            flops = conv.flops_per_pixel();
            join = outer.join;
            let slot = self.join_slot(join)?;
            work = Work::Separable {
                conv: Box::new(conv),
                input,
                between: fused.activation,
                activation: outer.activation,
                join: slot,
            };
            for node in fused.absorbed.into_iter().chain([reader]).chain(outer.absorbed) {
                self.absorbed[node] = true;
            }
            last = outer.last;
        } else {
            flops = first.spec().flops_per_pixel();
            join = fused.join;
            let slot = self.join_slot(join)?;
            work = Work::Conv {
                conv: Box::new(first),
                input,
                activation: fused.activation,
                join: slot,
            };
            for node in fused.absorbed {
                self.absorbed[node] = true;
            }
            last = fused.last;
        }
        let to = self.claim(last);
        let name = shape.name.clone();
        self.steps.push(Step { work, to, name, flops_per_pixel: flops });
        self.done(read);
        if let Some((_, value)) = join {
            self.done(value);
        }
        self.place[last] = Some(to);
        debug_assert!(last >= index);
        Ok(())
    }

    /// A convolution with all its weights packed.
    fn whole_conv(&self, shape: &Conv) -> Result<Conv2d, LoadError> {
        let tensors = self.weights.kernel(&shape.name).zip(self.weights.bias(&shape.name));
        let (kernel, bias) = tensors
            .ok_or_else(|| LoadError::damaged(format!("there is no tensor for {}", shape.name)))?;
        let spec = ConvSpec {
            groups: shape.groups,
            ..ConvSpec::same(shape.input, shape.output, shape.kernel)
        };
        Conv2d::new(&spec, &kernel.data, Some(&bias.data)).map_err(unfit)
    }

    fn join_slot(
        &mut self,
        join: Option<(Join, Value)>,
    ) -> Result<Option<(Join, Slot)>, LoadError> {
        join.map(|(join, value)| Ok((join, self.slot(value)?))).transpose()
    }

    /// Whether `index` joins channels for one convolution alone. Such a value need not exist: the
    /// convolution is the sum of convolutions of its parts, which saves a copy of them all.
    fn can_be_summed(&self, index: usize) -> bool {
        let node = &self.graph.nodes()[index];
        node.op == Op::Concat
            && self.taps[index].is_none()
            && self.only_reader(index).is_some_and(|(reader, node)| {
                matches!(&node.op, Op::Conv(conv) if conv.groups == 1)
                    && self.fuse(reader).join.is_none()
            })
    }

    /// Looks behind convolution `index` for nodes that only it feeds.
    fn fuse(&self, index: usize) -> Fused {
        let mut fused = Fused { last: index, absorbed: Vec::new(), activation: None, join: None };
        if let Some((nodes, last, other)) = self.attention(index) {
            return Fused { last, absorbed: nodes, join: Some((Join::Attention, other)), ..fused };
        }
        while let Some((next, node)) = self.only_reader(fused.last) {
            match node.op {
                Op::Activate(activation) if fused.activation.is_none() => {
                    if let Some((join @ Join::AfterActivation, _)) = &mut fused.join {
                        *join = Join::BeforeActivation;
                    }
                    fused.activation = Some(activation);
                }
                Op::Add if fused.join.is_none() => {
                    let other = if node.inputs[0].0 == fused.last {
                        node.inputs[1]
                    } else {
                        node.inputs[0]
                    };
                    if !self.ready(other, index) {
                        break;
                    }
                    fused.join = Some((Join::AfterActivation, other));
                }
                _ => break,
            }
            fused.last = next;
            fused.absorbed.push(next);
            // After an activation that follows a sum there is no room for more.
            if matches!(fused.join, Some((Join::BeforeActivation, _))) {
                break;
            }
        }
        fused
    }

    /// `(f + x) * (sigmoid(f) - 1/2)` behind convolution f: its nodes, the last of them, and x.
    fn attention(&self, f: usize) -> Option<(Vec<usize>, usize, Value)> {
        let readers = self.readers(f);
        let &[one, two] = readers.as_slice() else { return None };
        if self.uses[f] != 2 {
            return None;
        }
        let op = |index: usize| &self.graph.nodes()[index].op;
        let is_sigmoid = |index: usize| *op(index) == Op::Activate(Activation::Sigmoid);
        let (sigmoid, sum) = if is_sigmoid(one) { (one, two) } else { (two, one) };
        if !is_sigmoid(sigmoid) || *op(sum) != Op::Add {
            return None;
        }
        let (centred, node) = self.only_reader(sigmoid)?;
        if node.op != (Op::Affine { offset: vec![-0.5], scale: 1.0 }) {
            return None;
        }
        let (product, node) = self.only_reader(centred)?;
        let reads_sum = self.only_reader(sum)?.0 == product;
        if node.op != Op::Mul || !reads_sum {
            return None;
        }
        let other = *self.graph.nodes()[sum].inputs.iter().find(|value| value.0 != f)?;
        self.ready(other, f).then(|| (vec![sigmoid, sum, centred, product], product, other))
    }

    /// Whether `value` exists when convolution `index` runs.
    fn ready(&self, value: Value, index: usize) -> bool {
        value.0 < index && (self.place[value.0].is_some() || self.taps[value.0].is_some())
    }

    fn readers(&self, index: usize) -> Vec<usize> {
        let nodes = self.graph.nodes().iter().enumerate().skip(index);
        nodes
            .filter(|(_, node)| node.inputs.contains(&Value(index)))
            .map(|(reader, _)| reader)
            .collect()
    }

    /// The node that alone reads the value of `index`, once.
    fn only_reader(&self, index: usize) -> Option<(usize, &crate::graph::Node)> {
        let reader = *self.readers(index).first()?;
        (self.uses[index] == 1 && reader <= self.result.0)
            .then(|| (reader, &self.graph.nodes()[reader]))
    }

    /// A step that writes a buffer of its own.
    fn fresh(
        &mut self,
        index: usize,
        name: &str,
        work: impl FnOnce(Vec<Slot>) -> Work,
    ) -> Result<(), LoadError> {
        let inputs = self.graph.nodes()[index].inputs.clone();
        let from = inputs.iter().map(|value| self.slot(*value)).collect::<Result<Vec<_>, _>>()?;
        let to = self.claim(index);
        self.push(work(from), to, name);
        for value in inputs {
            self.done(value);
        }
        self.place[index] = Some(to);
        Ok(())
    }

    /// A step that overwrites its first input where nobody needs that any more, or a copy of it.
    fn in_place(
        &mut self,
        index: usize,
        inputs: &[Value],
        work: impl FnOnce(Slot) -> Work,
        name: &str,
    ) -> Result<(), LoadError> {
        let slots = inputs.iter().map(|value| self.slot(*value)).collect::<Result<Vec<_>, _>>()?;
        let &[first, ref rest @ ..] = inputs else { return Ok(()) };
        let second = rest.first().copied();
        let last_read = |value: Value| self.uses[value.0] == 1;
        // Sums and products commute: either input may be the one that is overwritten.
        let target = if last_read(first) {
            Some((first, second))
        } else {
            second.filter(|value| last_read(*value)).map(|value| (value, Some(first)))
        };
        let other = |value: Option<Value>| {
            value.and_then(|value| inputs.iter().position(|input| *input == value))
        };
        match target {
            Some((target, operand)) => {
                let operand = other(operand).map_or(0, |at| slots[at]);
                let to = slots[other(Some(target)).unwrap_or(0)];
                self.push(work(operand), to, name);
                self.place[target.0] = None;
                self.uses[target.0] = 0;
                if let Some(value) = if target == first { second } else { Some(first) } {
                    self.done(value);
                }
                self.place[index] = Some(to);
            }
            None => {
                let to = self.claim(index);
                self.push(Work::Copy(slots[0]), to, "copy");
                self.push(work(*slots.last().unwrap_or(&0)), to, name);
                for value in inputs {
                    self.done(*value);
                }
                self.place[index] = Some(to);
            }
        }
        Ok(())
    }

    fn push(&mut self, work: Work, to: Slot, name: &str) {
        self.steps.push(Step { work, to, name: name.to_owned(), flops_per_pixel: 0 });
    }

    /// The slot that holds `value`, loaded from the picture first where it comes from there.
    fn slot(&mut self, value: Value) -> Result<Slot, LoadError> {
        if let Some(slot) = self.place[value.0] {
            return Ok(slot);
        }
        let Some(taps) = self.taps[value.0].clone() else {
            return Err(LoadError::unsupported("the network reads a value it never computes"));
        };
        let to = self.claim(value.0);
        self.push(Work::Load(taps), to, "load");
        self.place[value.0] = Some(to);
        Ok(to)
    }

    /// A free slot, best one that held this shape already.
    fn claim(&mut self, index: usize) -> Slot {
        let node = &self.graph.nodes()[index];
        let shape = (node.channels, node.pixel);
        let fitting = self.free.iter().position(|slot| self.slots[*slot].contains(&shape));
        let slot = match fitting.or_else(|| self.free.len().checked_sub(1)) {
            Some(at) => self.free.swap_remove(at),
            None => {
                self.slots.push(Vec::new());
                self.slots.len() - 1
            }
        };
        if !self.slots[slot].contains(&shape) {
            self.slots[slot].push(shape);
        }
        slot
    }

    /// One read of `value` is over; its slot is free after the last.
    fn done(&mut self, value: Value) {
        self.uses[value.0] = self.uses[value.0].saturating_sub(1);
        if self.uses[value.0] == 0
            && let Some(slot) = self.place[value.0].take()
        {
            self.free.push(slot);
        }
    }
}

fn unfit(error: ShapeError) -> LoadError {
    LoadError::damaged(format!("a convolution cannot be prepared: {error}"))
}
