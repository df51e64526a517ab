//! What every call that works on pixels is given.

use limpid_kernels::{Cancel, Pool};

/// Threads, the flag that stops the work, and the memory it may use.
#[derive(Clone, Copy, Debug)]
pub struct WorkContext<'a> {
    /// The threads to compute on.
    pub pool: &'a Pool,
    /// Checked between bands, tiles and layers.
    pub cancel: &'a Cancel,
    /// Memory that the work may use in all, in bytes: the picture, its tiles and buffers.
    pub budget_bytes: u64,
}
