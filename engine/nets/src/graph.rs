//! A network written down as data: layers in order, each naming the values it reads.
//!
//! One description serves every executor (our kernels, candle, the plain reference) and answers
//! the questions tiling asks: how far an output pixel looks, and where a tile may begin.

/// Rows and columns that a Winograd F(4 x 4, 3 x 3) convolution computes together. A tile that
/// starts on this grid repeats the whole picture's arithmetic.
const WINOGRAD_TILE: u32 = 4;

/// One intermediate result; index into [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(pub(crate) usize);

/// Functions applied to each sample by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x * sigmoid(x), also called Swish.
    Silu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
}

/// A convolution of stride 1 that keeps the size: odd square kernel, zeros around the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Prefix of its tensors in the weight file: `NAME.weight`, `NAME.bias` `[out]`.
    pub name: String,
    /// Channels read.
    pub input: usize,
    /// Channels written.
    pub output: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Blocks of channels that do not see each other: 1, or as many as channels (depthwise).
    pub groups: usize,
}

impl Conv {
    /// `[out, in / groups, k, k]`, the shape of its kernel in the weight file.
    #[must_use]
    pub fn kernel_shape(&self) -> [usize; 4] {
        [self.output, self.input / self.groups, self.kernel, self.kernel]
    }
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The picture `[3, H, W]`.
    Input,
    /// One channel that holds the noise level everywhere, as large as the value it reads.
    SigmaMap,
    /// See [`Conv`].
    Conv(Conv),
    /// A function of each sample.
    Activate(Activation),
    /// Sum of two values of the same shape.
    Add,
    /// Product of two values of the same shape.
    Mul,
    /// Channels of all inputs, one after the other.
    Concat,
    /// `[C, s H, s W]` to `[s^2 C, H, W]`, channels ordered (c, dy, dx) as PyTorch does.
    PixelUnshuffle(usize),
    /// `[s^2 C, H, W]` to `[C, s H, s W]`, the inverse.
    PixelShuffle(usize),
    /// Each sample repeated into s x s.
    NearestUpsample(usize),
    /// `(x + offset[channel]) * scale`; an offset of one number serves all channels.
    Affine {
        /// Added first, a number a channel or one for all.
        offset: Vec<f32>,
        /// Then multiplied.
        scale: f32,
    },
}

/// A layer and what it reads.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// What it reads; always values of earlier nodes.
    pub inputs: Vec<Value>,
    /// Channels it writes.
    pub channels: usize,
    /// Side of one of its pixels, in input pixels: 2 after an unshuffle by 2, 1/2 after a shuffle.
    pub pixel: Ratio,
    /// How far beyond its own pixel it looks, in input pixels.
    pub reach: Ratio,
}

/// A positive fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    num: u32,
    den: u32,
}

impl Ratio {
    const ONE: Self = Self { num: 1, den: 1 };
    const ZERO: Self = Self { num: 0, den: 1 };

    fn new(num: u32, den: u32) -> Self {
        let divisor = gcd(num, den).max(1);
        Self { num: num / divisor, den: den / divisor }
    }

    fn times(self, factor: u32) -> Self {
        Self::new(self.num * factor, self.den)
    }

    fn over(self, divisor: u32) -> Self {
        Self::new(self.num, self.den * divisor)
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.num * other.den + other.num * self.den, self.den * other.den)
    }

    fn max(self, other: Self) -> Self {
        if self.num * other.den >= other.num * self.den { self } else { other }
    }

    fn ceil(self) -> u32 {
        self.num.div_ceil(self.den)
    }

    /// `length` input pixels in pixels of this size.
    pub(crate) fn count(self, length: usize) -> usize {
        length * self.den as usize / self.num as usize
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u32, b: u32) -> u32 {
    a / gcd(a, b).max(1) * b
}

/// A whole network: nodes in the order they can be computed, and which of them is the result.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    output: Value,
}

impl Graph {
    /// All nodes, in an order in which each reads only earlier ones.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node whose value is the result.
    #[must_use]
    pub fn output(&self) -> Value {
        self.output
    }

    pub(crate) fn node(&self, value: Value) -> &Node {
        &self.nodes[value.0]
    }

    /// Channels of the result.
    #[must_use]
    pub fn output_channels(&self) -> usize {
        self.node(self.output).channels
    }

    /// How many times wider and higher the result is than the input.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.node(self.output).pixel.den
    }

    /// Width and height must be multiples of this; the caller pads.
    #[must_use]
    pub fn multiple(&self) -> u32 {
        self.nodes.iter().fold(1, |multiple, node| lcm(multiple, node.pixel.num))
    }

    /// Multiples at which a tile may begin so that every unshuffle and every Winograd tile falls
    /// where it falls in the whole picture, in input pixels.
    #[must_use]
    pub fn align(&self) -> u32 {
        self.nodes
            .iter()
            .filter(|node| matches!(&node.op, Op::Conv(conv) if conv.kernel > 1))
            .fold(self.multiple(), |align, node| lcm(align, node.pixel.times(WINOGRAD_TILE).num))
    }

    /// Receptive radius in input pixels: how far from a pixel its result can look.
    #[must_use]
    pub fn radius(&self) -> u32 {
        self.node(self.output).reach.ceil()
    }

    /// [`Graph::radius`] rounded up to [`Graph::align`].
    #[must_use]
    pub fn halo(&self) -> u32 {
        self.radius().next_multiple_of(self.align())
    }

    /// Whether the noise level is an input.
    #[must_use]
    pub fn wants_sigma(&self) -> bool {
        self.nodes.iter().any(|node| node.op == Op::SigmaMap)
    }

    /// The convolutions, in order.
    pub fn convs(&self) -> impl Iterator<Item = &Conv> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::Conv(conv) => Some(conv),
            _ => None,
        })
    }

    /// Trained numbers: weights and biases of all convolutions.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.convs()
            .map(|conv| (conv.kernel_shape().iter().product::<usize>() + conv.output) as u64)
            .sum()
    }

    /// How often each node's value is read, the result once more.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for value in self.nodes.iter().flat_map(|node| &node.inputs) {
            uses[value.0] += 1;
        }
        uses[self.output.0] += 1;
        uses
    }
}

/// Writes a [`Graph`] down, layer by layer. A mistake (shapes that do not meet) is kept and told
/// by [`Builder::finish`], so descriptions read without error handling.
#[derive(Debug)]
pub struct Builder {
    nodes: Vec<Node>,
    fault: Option<String>,
}

impl Builder {
    /// A description of a network for `[channels, H, W]`, and its input.
    #[must_use]
    pub fn new(channels: usize) -> (Self, Value) {
        let input = Node {
            op: Op::Input,
            inputs: Vec::new(),
            channels,
            pixel: Ratio::ONE,
            reach: Ratio::ZERO,
        };
        (Self { nodes: vec![input], fault: None }, Value(0))
    }

    /// The noise level as one channel as large as `like`.
    pub fn sigma_map(&mut self, like: Value) -> Value {
        let node = Node { channels: 1, op: Op::SigmaMap, ..self.derive(like) };
        self.push(node)
    }

    /// A convolution whose tensors are called `name`, from `x` to `output` channels.
    pub fn conv(
        &mut self,
        name: impl Into<String>,
        x: Value,
        output: usize,
        kernel: usize,
    ) -> Value {
        self.convolution(name.into(), x, output, kernel, 1)
    }

    /// A convolution of each channel with a kernel of its own, whose tensors are called `name`.
    pub fn depthwise(&mut self, name: impl Into<String>, x: Value, kernel: usize) -> Value {
        let channels = self.derive(x).channels;
        self.convolution(name.into(), x, channels, kernel, channels)
    }

    fn convolution(
        &mut self,
        name: String,
        x: Value,
        output: usize,
        kernel: usize,
        groups: usize,
    ) -> Value {
        let from = self.derive(x);
        if kernel.is_multiple_of(2) {
            self.fail(format!("a kernel of even side {kernel}"));
        }
        let conv = Conv { name, input: from.channels, output, kernel, groups };
        let reach = from.reach.plus(from.pixel.times(kernel as u32 / 2));
        self.push(Node { op: Op::Conv(conv), channels: output, reach, ..from })
    }

    /// max(x, 0).
    pub fn relu(&mut self, x: Value) -> Value {
        self.activate(x, Activation::Relu)
    }

    /// x * sigmoid(x).
    pub fn silu(&mut self, x: Value) -> Value {
        self.activate(x, Activation::Silu)
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&mut self, x: Value) -> Value {
        self.activate(x, Activation::Sigmoid)
    }

    fn activate(&mut self, x: Value, activation: Activation) -> Value {
        let node = Node { op: Op::Activate(activation), ..self.derive(x) };
        self.push(node)
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.pair(Op::Add, a, b)
    }

    /// a * b.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.pair(Op::Mul, a, b)
    }

    fn pair(&mut self, op: Op, a: Value, b: Value) -> Value {
        let (left, right) = (self.derive(a), self.derive(b));
        if left.channels != right.channels || left.pixel != right.pixel {
            self.fail(format!("{op:?} of values of different shapes"));
        }
        let reach = left.reach.max(right.reach);
        self.push(Node { op, inputs: vec![a, b], reach, ..left })
    }

    /// Channels of all `parts` one after the other.
    pub fn concat(&mut self, parts: &[Value]) -> Value {
        let nodes: Vec<Node> = parts.iter().map(|part| self.derive(*part)).collect();
        let Some(first) = nodes.first() else {
            self.fail("a concatenation of nothing".to_owned());
            return Value(0);
        };
        if nodes.iter().any(|node| node.pixel != first.pixel) {
            self.fail("a concatenation of different sizes".to_owned());
        }
        let node = Node {
            op: Op::Concat,
            inputs: parts.to_vec(),
            channels: nodes.iter().map(|node| node.channels).sum(),
            pixel: first.pixel,
            reach: nodes.iter().fold(Ratio::ZERO, |reach, node| reach.max(node.reach)),
        };
        self.push(node)
    }

    /// `[C, s H, s W]` to `[s^2 C, H, W]`.
    pub fn pixel_unshuffle(&mut self, x: Value, s: usize) -> Value {
        let from = self.derive(x);
        self.push(Node {
            op: Op::PixelUnshuffle(s),
            channels: from.channels * s * s,
            pixel: from.pixel.times(s as u32),
            ..from
        })
    }

    /// `[s^2 C, H, W]` to `[C, s H, s W]`.
    pub fn pixel_shuffle(&mut self, x: Value, s: usize) -> Value {
        let from = self.derive(x);
        if !from.channels.is_multiple_of(s * s) {
            self.fail(format!("a shuffle by {s} of {} channels", from.channels));
        }
        self.push(Node {
            op: Op::PixelShuffle(s),
            channels: from.channels / (s * s),
            pixel: from.pixel.over(s as u32),
            ..from
        })
    }

    /// Each sample repeated into s x s.
    pub fn nearest_upsample(&mut self, x: Value, s: usize) -> Value {
        let from = self.derive(x);
        let pixel = from.pixel.over(s as u32);
        self.push(Node { op: Op::NearestUpsample(s), pixel, ..from })
    }

    /// `(x + offset) * scale`, with an offset for each channel or one for all.
    pub fn affine(&mut self, x: Value, offset: &[f32], scale: f32) -> Value {
        let from = self.derive(x);
        if offset.len() != 1 && offset.len() != from.channels {
            self.fail(format!("{} offsets for {} channels", offset.len(), from.channels));
        }
        self.push(Node { op: Op::Affine { offset: offset.to_vec(), scale }, ..from })
    }

    /// The whole network, with `output` as its result.
    ///
    /// # Errors
    /// The first layer whose inputs do not fit it, in words.
    pub fn finish(self, output: Value) -> Result<Graph, String> {
        let fits_picture = self.nodes[output.0].pixel.num == 1;
        match self.fault {
            Some(fault) => Err(fault),
            None if !fits_picture => Err("the result is smaller than the picture".to_owned()),
            None => Ok(Graph { nodes: self.nodes, output }),
        }
    }

    /// A node with the shape of `x` that reads `x`.
    fn derive(&self, x: Value) -> Node {
        Node { inputs: vec![x], ..self.nodes[x.0].clone() }
    }

    fn push(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value(self.nodes.len() - 1)
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_counts_in_input_pixels_at_every_resolution() {
        let (mut b, x) = Builder::new(3);
        let low = b.pixel_unshuffle(x, 2);
        let low = b.conv("a", low, 16, 3); // 2 input pixels
        let low = b.conv("b", low, 12, 5); // 4 more
        let full = b.pixel_shuffle(low, 2);
        let big = b.nearest_upsample(full, 2);
        let out = b.conv("c", big, 3, 3); // half a pixel more
        let graph = b.finish(out).unwrap();
        assert_eq!(graph.radius(), 7);
        assert_eq!(graph.align(), 8);
        assert_eq!(graph.halo(), 8);
        assert_eq!(graph.scale(), 2);
        assert_eq!(graph.multiple(), 2);
        assert_eq!(graph.parameters(), 16 * (12 * 9 + 1) + 12 * (16 * 25 + 1) + 3 * (3 * 9 + 1));
    }

    #[test]
    fn mistakes_are_told_at_the_end() {
        type Describe = fn(&mut Builder, Value) -> Value;
        let cases: [(&str, Describe); 4] = [
            ("kernel", |b, x| b.conv("c", x, 3, 2)),
            ("different shapes", |b, x| {
                let y = b.pixel_unshuffle(x, 2);
                b.add(x, y)
            }),
            ("shuffle", |b, x| b.pixel_shuffle(x, 2)),
            ("smaller", |b, x| b.pixel_unshuffle(x, 2)),
        ];
        for (part, describe) in cases {
            let (mut b, x) = Builder::new(3);
            let out = describe(&mut b, x);
            let fault = b.finish(out).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
