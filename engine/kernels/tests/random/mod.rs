//! Numbers and shapes for the tests of convolutions.

use limpid_kernels::Padding;
use proptest::prelude::*;

/// Deterministic numbers (xorshift, one stream a seed).
pub(crate) fn bits(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

pub(crate) fn padding(limit: usize) -> impl Strategy<Value = Padding> {
    [0..=limit, 0..=limit, 0..=limit, 0..=limit].prop_map(|[top, bottom, left, right]| Padding {
        top,
        bottom,
        left,
        right,
    })
}
