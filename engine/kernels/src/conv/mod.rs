//! Two-dimensional convolution: one type, packed once, that picks its algorithm by shape.

mod accuracy;
mod depthwise;
mod direct;
mod pointwise;
mod separable;
mod spec;
mod transposed;
mod winograd;

pub use separable::SeparableConv2d;
pub use spec::{ConvSpec, Padding};
pub use transposed::{ConvTranspose2d, TransposedSpec};

use crate::aligned::AlignedBuf;
use crate::context::{Crew, cost};
use crate::feature::padded;
use crate::{Epilogue, Feature, Isa, KernelError, RunContext, ShapeError};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Sums of products as they are written: any shape.
    Direct,
    /// Winograd F(4x4, 3x3) (Lavin and Gray 2016): a quarter of the multiplications, for dense
    /// 3 x 3 kernels of stride and dilation 1. Outputs come in tiles of 4 x 4; a picture cut at
    /// multiples of 4 gives the same values as the whole.
    Winograd,
    /// Winograd F(2x2, 3x3): 4 of 9 multiplications, rounds less, and its weights take less than half
    /// the memory of the larger tile's. Outputs come in tiles of 2 x 2.
    WinogradSmall,
    /// A matrix product over all pixels, for dense 1 x 1 kernels of stride 1.
    Pointwise,
    /// One kernel for each channel.
    Depthwise,
}

/// A convolution with its weights packed for this processor.
#[derive(Clone, Debug)]
pub struct Conv2d {
    spec: ConvSpec,
    /// One value an output channel, padded; zeros when there is none.
    bias: AlignedBuf,
    weights: Weights,
    isa: Isa,
}

#[derive(Clone, Debug)]
enum Weights {
    Direct(direct::Weights),
    Winograd(winograd::Weights),
    Pointwise(pointwise::Weights),
    Depthwise(depthwise::Weights),
}

impl Conv2d {
    /// Packs `weight`, laid out `[out_channels, in_channels / groups, kernel_h, kernel_w]`, and
    /// `bias`, `[out_channels]`.
    ///
    /// # Errors
    /// [`ShapeError`] when the numbers of weights do not fit `spec`, or `spec` makes no sense.
    pub fn new(spec: &ConvSpec, weight: &[f32], bias: Option<&[f32]>) -> Result<Self, ShapeError> {
        spec.check(weight.len(), bias.map(<[f32]>::len))?;
        Self::with(spec, weight, bias, spec.algorithm(weight), Isa::current())
    }

    /// As [`Conv2d::new`] with a chosen algorithm and instruction set, for tests and measurements.
    ///
    /// # Errors
    /// As [`Conv2d::new`], and when the algorithm cannot do `spec` or the processor lacks `isa`.
    pub fn with(
        spec: &ConvSpec,
        weight: &[f32],
        bias: Option<&[f32]>,
        algorithm: Algorithm,
        isa: Isa,
    ) -> Result<Self, ShapeError> {
        spec.check(weight.len(), bias.map(<[f32]>::len))?;
        if !isa.is_available() {
            return Err(ShapeError(format!("this processor has no {}", isa.name())));
        }
        if !spec.allows(algorithm) {
            return Err(ShapeError(format!("{algorithm:?} cannot compute {spec:?}")));
        }
        let weights = match algorithm {
            Algorithm::Direct => Weights::Direct(direct::Weights::new(spec, weight, isa)),
            Algorithm::Winograd => Weights::Winograd(winograd::Weights::new(spec, weight, isa, 4)),
            Algorithm::WinogradSmall => {
                Weights::Winograd(winograd::Weights::new(spec, weight, isa, 2))
            }
            Algorithm::Pointwise => Weights::Pointwise(pointwise::Weights::new(spec, weight, isa)),
            Algorithm::Depthwise => Weights::Depthwise(depthwise::Weights::new(spec, weight)),
        };
        let mut padded_bias = AlignedBuf::zeros(padded(spec.out_channels));
        if let Some(bias) = bias {
            padded_bias[..bias.len()].copy_from_slice(bias);
        }
        Ok(Self { spec: *spec, bias: padded_bias, weights, isa })
    }

    /// The shape it was made for.
    #[must_use]
    pub fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// Convolves `input`, `[in_channels, h, w]`, into `output`, which takes the shape
    /// `[out_channels, h', w']` of [`ConvSpec::output_size`]. The result is the same, bit for bit,
    /// for any number of threads.
    ///
    /// # Errors
    /// [`KernelError::Shape`] when the input has other channels than the weights, is smaller than
    /// the kernel, or the epilogue does not fit; [`KernelError::Cancelled`] when the run was
    /// stopped.
    pub fn run(
        &self,
        input: &Feature,
        output: &mut Feature,
        epilogue: &Epilogue<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let spec = &self.spec;
        self.check_channels(input.channels())?;
        let (height, width) = spec.output_size(input.height(), input.width())?;
        let writer = epilogue.writer([spec.out_channels, height, width], &self.bias)?;
        output.reset(spec.out_channels, height, width)?;
        let (isa, crew) = (self.isa, self.crew(&[input], output, cx));
        match &self.weights {
            Weights::Direct(weights) => weights.run(spec, isa, input, output, writer, crew),
            Weights::Winograd(weights) => weights.run(spec, isa, input, output, writer, crew),
            Weights::Pointwise(weights) => weights.run(isa, &[input], output, writer, crew),
            Weights::Depthwise(weights) => weights.run(spec, isa, input, output, writer, crew),
        }
    }

    fn crew<'a>(&self, inputs: &[&Feature], output: &Feature, cx: &RunContext<'a>) -> Crew<'a> {
        let values = |feature: &Feature| feature.data().len();
        let taps = self.spec.kernel[0] * self.spec.kernel[1];
        let depth = taps * self.spec.in_channels / self.spec.groups;
        let read: usize = inputs.iter().map(|input| values(input)).sum();
        // the kernels compute the padding channels too
        cx.crew(cost(values(output).saturating_mul(depth), read + values(output)))
    }

    fn check_channels(&self, channels: usize) -> Result<(), ShapeError> {
        if channels == self.spec.in_channels {
            return Ok(());
        }
        Err(ShapeError(format!("{channels} channels for a kernel of {}", self.spec.in_channels)))
    }

    /// As [`Conv2d::run`] on the channels of `parts` joined in order, without joining them: the same
    /// bits as [`crate::concat`] and then `run`. For dense 1 x 1 kernels of stride 1
    /// ([`Algorithm::Pointwise`]).
    ///
    /// # Errors
    /// As [`Conv2d::run`], and [`KernelError::Shape`] for any other kernel or when the parts differ
    /// in size.
    pub fn run_joined(
        &self,
        parts: &[&Feature],
        output: &mut Feature,
        epilogue: &Epilogue<'_>,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let Weights::Pointwise(weights) = &self.weights else {
            return Err(ShapeError("only 1 x 1 kernels take inputs in parts".to_owned()).into());
        };
        let channels: usize = parts.iter().map(|part| part.channels()).sum();
        self.check_channels(channels)?;
        let (height, width) = (parts[0].height(), parts[0].width());
        if parts.iter().any(|part| (part.height(), part.width()) != (height, width)) {
            return Err(ShapeError("the parts of an input differ in size".to_owned()).into());
        }
        self.spec.output_size(height, width)?;
        let writer = epilogue.writer([self.spec.out_channels, height, width], &self.bias)?;
        output.reset(self.spec.out_channels, height, width)?;
        weights.run(self.isa, parts, output, writer, self.crew(parts, output, cx))
    }
}
