//! The fast CPU operators behind Limpid: packed convolutions, a thread pool whose results do not
//! depend on the number of threads, and the plain tensor they all share. Knows no network.
//!
//! # How it is built
//!
//! * **Layout.** A [`Feature`] is `[height, width, channels]` with the channels padded to 16, so
//!   that every pixel is whole vectors on whole cache lines. Nothing needs a remainder loop, and
//!   there is no border in memory: tiles at the picture's edge are copied with zeros around them.
//! * **One source for all instruction sets.** Kernels are generic over a vector type; [`Isa`] picks
//!   AVX-512, AVX2 with FMA, NEON or plain Rust once a process (`LIMPID_ISA` forces one). Vector
//!   code has loops and no closures: see `Simd::load_each`.
//! * **Convolutions** all end in one matrix micro-kernel that keeps up to 24 (AVX2: 12) vectors of sums
//!   in registers, compiled for each number of pixels: a single one costs a single one. [`Conv2d`]
//!   packs its weights for it and picks a path by shape:
//!
//!   | path | for | work of one block |
//!   |---|---|---|
//!   | Winograd F(4x4, 3x3) | 3 x 3, stride 1, from 8 channels on | 24 tiles through transform, product and transform back, in scratch that stays in the second-level cache |
//!   | Winograd F(2x2, 3x3) | the same, from a million pairs of channels on (reading the larger tile's weights would take longer than it saves) and for weights with which the larger tile rounds too coarsely (tried when they are packed) | 48 tiles |
//!   | pointwise | 1 x 1, also over inputs in parts | 192 pixels |
//!   | depthwise | one kernel a channel | two rows, four pixels of each at a time |
//!   | separable | depthwise and the 1 x 1 behind it, see [`SeparableConv2d`] | two rows of 48 pixels, what lies between them in the first-level cache |
//!   | direct | everything else | 192 pixels of a row, inputs read where they lie |
//!
//! * **Tokens** are pixels: `[tokens, channels]` is a [`Feature`] of any height and width, a linear
//!   layer is a 1 x 1 [`Conv2d`], [`softmax`] and [`LayerNorm`] go over the channels of a pixel.
//!   [`Attention`] takes keys a tile at a time and never holds all scores.
//! * **Recurrences**: [`Gru`] and [`Lstm`], a step at a time or whole sequences. [`spectrum`] has
//!   what stands around the Fourier transform of sound, [`frame`] the layers of networks that take it
//!   a frame at a time.
//! * **Epilogues** (bias, residual, activation, clamp) happen between the sums and memory.
//! * **Threads.** Work is cut into blocks and handed out by a counter; each output is computed by the
//!   same operations in the same order whoever does it. A convolution too small to be worth waking
//!   workers is done by the calling thread. Scratch belongs to the thread and grows once: a warm run
//!   allocates nothing. Cancel is looked at before each block.
//!
//! # How fast it is
//!
//! `cargo run --release -p limpid-kernels --example conv_bench`. Effective GF/s of one core by
//! processor time (operations of the direct convolution, whatever is done) on an EPYC of the Zen 5
//! kind, whose multiply-add peak measured 255 (AVX-512) and 129 (AVX2); ReLU fused. onnxruntime
//! 1-thread fp32 there: 205 to 219.
//!
//! | layer | AVX-512 | AVX2 |
//! |---|---|---|
//! | 64 > 64, 3x3, 64 x 64 (in cache) | 731 | 419 |
//! | 64 > 64, 3x3, 256 x 256 | 655 | 389 |
//! | 64 > 64, 3x3, 1280 x 720 | 660 | |
//! | 96 > 96, 3x3 | 705 | 412 |
//! | 48 > 48, 3x3, 256 x 256 | 625 | 365 |
//! | 64 > 12, 3x3, 256 x 256 | 315 | 233 |
//! | 13 > 96, 3x3, 256 x 256 | 425 | |
//! | 64 > 64, 1x1, 256 x 256 | 210 | 107 |
//!
//! The first row is what keeping several layers of a tile in cache could gain at most, before it
//! pays for computing their overlap twice: about a tenth, which is why layers run one by one.
//!
//! Attention, milliseconds on the same processor with 1 and 2 threads, `--example attention_bench`;
//! onnxruntime 1.31 is the better of `MultiHeadAttention` and separate products, PyTorch 2.15 its
//! `scaled_dot_product_attention`:
//!
//! | queries x keys, heads | here | onnxruntime | PyTorch |
//! |---|---|---|---|
//! | 4096 x 4096, 8 of 40 | 96, 49 | 130, 67 | 252, 129 |
//! | 4096 x 4096, 8 of 64 | 148, 74 | 166, 88 | 357, 182 |
//! | 1024 x 1024, 8 of 80 | 12.0, 5.9 | 14.3, 7.3 | 27, 14 |
//! | 256 x 256, 8 of 160 | 1.63, 0.82 | 1.45, 0.74 | 3.5, 1.8 |
//! | 4096 x 77, 8 of 40 | 2.1, 1.05 | 3.1, 1.5 | 7.9, 4.0 |
//!
//! At 8 heads of 64 the two products alone take 135 ms at the peak. Linear layers run at 200 to 247
//! GF/s a core (`--example linear_bench`), and 1000 steps of a GRU of 256 units take 5.4 ms as a
//! sequence and 14 ms one by one (`--example recurrent_bench`; PyTorch 22 and 38).
//!
//! # In whole numbers
//!
//! [`QuantizedConv2d`] convolves bytes ([`QuantizedFeature`]) with weights of one byte, with
//! arithmetic that is defined to the bit. [`DotProduct`] picks the instructions (`LIMPID_DOT` forces
//! some). One core of the processor above, `--example quantized_bench`, GOP/s by processor time:
//!
//! | layer, bytes in and out, ReLU | AVX-512 VNNI | AVX-VNNI | AVX2 |
//! |---|---|---|---|
//! | peak of `vpdpbusd` | 1050 | 530 | |
//! | 64 > 64, 3x3, 256 x 256 | 940 | 460 | 189 |
//! | 16 layers of it | 910 to 930 | | |
//! | 16 layers, 1280 x 720 | 920 to 950 | 470 | |
//! | 96 > 96, 3x3 | 945 | | |
//! | 64 > 64, 1x1, 256 x 256 | 640 | | |
//!
//! Without VNNI the Winograd path in `f32` is twice as fast.
//!
//! # How it is tested
//!
//! Every path on every instruction set of the machine against a plain f64 reference on random
//! shapes, with poisoned padding channels and 1 to 3 threads compared bit by bit; whole
//! numbers against plain integers, bit by bit. The same tests run clean under AddressSanitizer
//! and for NEON under emulation; those of tokens, recurrences and spectra also under Miri, with
//! portable vectors. `tests/sanitize.sh` runs whichever of the two checkers there is.
#![allow(unsafe_code)] // the one crate that may: every block states its invariant
#![allow(clippy::needless_range_loop)] // loops over registers read as the formulas do

mod aligned;
mod attention;
mod cancel;
mod context;
mod conv;
mod elementwise;
mod epilogue;
mod feature;
pub mod frame;
mod gelu;
mod gemm;
mod interleave;
mod norm;
mod planes;
mod pool;
mod pooling;
mod quantized;
mod recurrent;
mod resize;
mod rows;
mod shuffle;
mod simd;
pub mod spectrum;

pub use attention::{Attention, AttentionInput, Heads, Mask};
pub use cancel::{Cancel, Cancelled};
pub use context::{KernelError, RunContext};
pub use conv::{
    Algorithm, Conv2d, ConvSpec, ConvTranspose2d, Padding, SeparableConv2d, TransposedSpec,
};
pub use elementwise::{activate, add, concat, multiply};
pub use epilogue::{Activation, ChannelVector, Epilogue, Residual};
pub use feature::{CHANNEL_BLOCK, Feature};
pub use interleave::{deinterleave, interleave};
pub use norm::GroupNorm;
pub use planes::{Planes, ShapeError};
pub use pool::Pool;
pub use pooling::{Pooling, Windows, pool};
pub use quantized::{
    DotProduct, Quantization, QuantizedActivation, QuantizedConv2d, QuantizedEpilogue,
    QuantizedFeature, QuantizedResidual, QuantizedWeights,
};
pub use recurrent::{Gru, Lstm, RecurrentState};
pub use resize::{Alignment, Filter, Resize};
pub use rows::{LayerNorm, softmax};
pub use shuffle::{pixel_shuffle, pixel_unshuffle, upsample_nearest};
pub use simd::Isa;
