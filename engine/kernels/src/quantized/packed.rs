//! Weights as the micro-kernel reads them.

use super::dot::DotProduct;
use crate::aligned::AlignedBuf;
use crate::feature::padded;
use crate::gemm::Panel;

/// Panels of output channels, each `[taps][quads][n]` of four weights a channel, in the layout of
/// the instructions; a quad is four neighbouring input channels, those that are missing are 0.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// Offsets are in bytes.
    pub(super) panels: Vec<Panel>,
    data: AlignedBuf,
    /// Quads of a tap.
    pub(super) quads: usize,
}

impl Packed {
    /// Packs `weight`, `[out_channels, depth, taps]`. Sizes were checked to match.
    pub(super) fn new(
        dot: DotProduct,
        taps: usize,
        depth: usize,
        out_channels: usize,
        weight: &[i8],
    ) -> Self {
        let (lanes, layout, quads) = (dot.lanes(), dot.layout(), depth.div_ceil(4));
        let step = layout.bytes(lanes);
        let vectors = padded(out_channels) / lanes;
        let count = vectors.div_ceil(dot.max_nr());
        let mut data = AlignedBuf::zeros((taps * quads * vectors * step).div_ceil(4));
        // SAFETY: the buffer's own memory as bytes, and any bytes are an `f32`.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(data.as_mut_ptr().cast::<u8>(), 4 * data.len())
        };
        let mut panels = Vec::with_capacity(count);
        let (mut first, mut offset) = (0, 0);
        for panel in 0..count {
            // as equal as can be: 5 vectors are 3 + 2, not 4 + 1
            let nr = (vectors - first).div_ceil(count - panel);
            panels.push(Panel { channel: first * lanes, nr, offset });
            for tap in 0..taps {
                for quad in 0..quads {
                    for vector in first..first + nr {
                        let to = &mut bytes[offset..offset + step];
                        for lane in 0..lanes.min(out_channels.saturating_sub(vector * lanes)) {
                            let row = (vector * lanes + lane) * depth;
                            for k in 0..4.min(depth - 4 * quad) {
                                let weight = weight[(row + 4 * quad + k) * taps + tap];
                                layout.place(to, lanes, lane, k, weight);
                            }
                        }
                        offset += step;
                    }
                }
            }
            first += nr;
        }
        Self { panels, data, quads }
    }

    /// The weights of one of this packing's panels.
    pub(super) fn panel(&self, panel: Panel) -> *const u8 {
        self.data.as_ptr().cast::<u8>().wrapping_add(panel.offset)
    }
}
