//! Between numbers and bytes.

use super::dot::{Dot, DotProduct, DotTask};
use super::{Quantization, QuantizedFeature};
use crate::context::SharedMut;
use crate::simd::Simd;
use crate::{Feature, KernelError, RunContext};

/// Values of one block of work; a multiple of every vector.
const CHUNK: usize = 1 << 15;

impl QuantizedFeature {
    /// Becomes `from` in bytes that mean `quantization`; see [`Quantization::quantize`].
    ///
    /// # Errors
    /// [`KernelError::Cancelled`] when the run was stopped, and [`KernelError::Shape`] when there is
    /// no room.
    pub fn quantize(
        &mut self,
        from: &Feature,
        quantization: Quantization,
        cx: &RunContext<'_>,
    ) -> Result<(), KernelError> {
        let [channels, height, width] = from.shape();
        self.reset(channels, height, width, quantization)?;
        let to = self.shared_mut();
        for_each_chunk(from.data().len(), cx, |start, len| {
            let task = Quantize { from: &from.data()[start..start + len], to, start, quantization };
            // SAFETY: chunks are disjoint, and the two features have one layout.
            unsafe { DotProduct::current().run(task) }
        })
    }

    /// Writes the numbers that the bytes stand for to `to`, which takes their shape; see
    /// [`Quantization::dequantize`].
    ///
    /// # Errors
    /// As [`QuantizedFeature::quantize`].
    pub fn dequantize(&self, to: &mut Feature, cx: &RunContext<'_>) -> Result<(), KernelError> {
        let [channels, height, width] = self.shape();
        to.reset(channels, height, width)?;
        let (to, quantization) = (to.shared_mut(), self.quantization());
        for_each_chunk(self.data().len(), cx, |start, len| {
            let from = &self.data()[start..start + len];
            // SAFETY: chunks are disjoint, and the two features have one layout.
            unsafe { DotProduct::current().run(Dequantize { from, to, start, quantization }) }
        })
    }
}

/// `work(start, len)` for all of `total` values, which are whole vectors.
fn for_each_chunk(
    total: usize,
    cx: &RunContext<'_>,
    work: impl Fn(usize, usize) + Sync,
) -> Result<(), KernelError> {
    cx.for_each_block(total.div_ceil(CHUNK), 0, |index, _| {
        work(index * CHUNK, CHUNK.min(total - index * CHUNK));
    })?;
    Ok(())
}

struct Quantize<'a> {
    from: &'a [f32],
    /// Bytes.
    to: SharedMut,
    start: usize,
    quantization: Quantization,
}

impl DotTask for Quantize<'_> {
    #[inline(always)]
    unsafe fn run<D: Dot>(self) {
        let (low, high) = self.quantization.limits();
        let (low, high) = (D::Real::splat(low), D::Real::splat(high));
        let factor = D::Real::splat(1.0 / self.quantization.scale());
        let zero = D::splat(i32::from(self.quantization.zero_point()));
        for i in (0..self.from.len()).step_by(D::LANES) {
            // SAFETY: whole vectors inside both features, which are as long as each other.
            unsafe {
                let value = D::Real::load(self.from.as_ptr().add(i)).mul(factor);
                let byte = D::round_within(value, low, high).add(zero);
                byte.store_bytes(self.to.get().cast::<u8>().add(self.start + i));
            }
        }
    }
}

struct Dequantize<'a> {
    from: &'a [u8],
    to: SharedMut,
    start: usize,
    quantization: Quantization,
}

impl DotTask for Dequantize<'_> {
    #[inline(always)]
    unsafe fn run<D: Dot>(self) {
        let zero = D::splat(-i32::from(self.quantization.zero_point()));
        let scale = D::Real::splat(self.quantization.scale());
        for i in (0..self.from.len()).step_by(D::LANES) {
            // SAFETY: as above.
            unsafe {
                let byte = D::load_bytes(self.from.as_ptr().add(i));
                let value = byte.add(zero).to_real().mul(scale);
                value.store(self.to.get().add(self.start + i));
            }
        }
    }
}
