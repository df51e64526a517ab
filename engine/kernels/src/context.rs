//! What every operator needs besides its tensors, and how work is split.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::aligned::AlignedBuf;
use crate::{Cancel, Cancelled, Pool, ShapeError};

/// The workers of a run and the flag that stops it.
#[derive(Clone, Copy, Debug)]
pub struct RunContext<'a> {
    /// The threads that do the work.
    pub pool: &'a Pool,
    /// Looked at between blocks of rows; set, the run ends within a few milliseconds.
    pub cancel: &'a Cancel,
}

/// Why an operator did not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A tensor does not fit the operator.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The run was stopped on request; outputs are incomplete.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

thread_local! {
    /// One scratch buffer a worker, as large as the hungriest operator it has met.
    static SCRATCH: RefCell<AlignedBuf> = const { RefCell::new(AlignedBuf::new()) };
}

/// Cost of a value that is read or written, in multiply-adds: mostly the wait for memory.
const COST_OF_A_VALUE: usize = 8;

/// Below this cost, some 20 microseconds of a core with AVX-512 and 40 with AVX2, workers would
/// still be waking up when one thread is done.
const WORTH_SHARING: usize = 1 << 21;

/// Below this cost, just under a millisecond, a pool of one worker is not asked either: handing work
/// over takes 10 microseconds. More than that is left to the worker, whose priority may be lower and
/// for whom others may be queueing.
const WORTH_HANDING_OVER: usize = 1 << 26;

/// What some work costs, in multiply-adds, when it computes `multiply_adds` and goes through
/// `values` of memory. A guess: nothing but speed depends on it.
pub(crate) fn cost(multiply_adds: usize, values: usize) -> usize {
    multiply_adds.saturating_add(values.saturating_mul(COST_OF_A_VALUE))
}

/// Those who do some work: all workers, or the calling thread where that is sooner done.
#[derive(Clone, Copy)]
pub(crate) struct Crew<'a> {
    cx: RunContext<'a>,
    is_caller: bool,
}

impl<'a> RunContext<'a> {
    /// The crew for work of a known [`cost`].
    pub(crate) fn crew(&self, cost: usize) -> Crew<'a> {
        let limit = if self.pool.threads() > 1 { WORTH_SHARING } else { WORTH_HANDING_OVER };
        Crew { cx: *self, is_caller: cost < limit }
    }

    /// [`Crew::for_each_block`] on all workers.
    pub(crate) fn for_each_block(
        &self,
        blocks: usize,
        scratch_len: usize,
        work: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<(), Cancelled> {
        Crew { cx: *self, is_caller: false }.for_each_block(blocks, scratch_len, work)
    }
}

impl Crew<'_> {
    /// Runs `work(block, scratch)` for each block. The arithmetic of a block is the same whoever does
    /// it, so results do not depend on the workers. `scratch` has at least `scratch_len` values, left
    /// over from whatever ran before.
    pub(crate) fn for_each_block(
        &self,
        blocks: usize,
        scratch_len: usize,
        work: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<(), Cancelled> {
        let RunContext { pool, cancel } = self.cx;
        let next = AtomicUsize::new(0);
        let worker = || {
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.reserve(scratch_len);
                while !cancel.is_cancelled() {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block >= blocks {
                        break;
                    }
                    work(block, &mut scratch[..scratch_len]);
                }
            });
        };
        let workers = pool.threads().min(blocks);
        if self.is_caller {
            worker();
        } else if workers <= 1 {
            pool.install(worker);
        } else {
            pool.install(|| (0..workers).into_par_iter().with_max_len(1).for_each(|_| worker()));
        }
        cancel.check()
    }

    /// As [`channel_parts`]; a caller by itself has no one to keep busy, and in one part what all
    /// channels share is computed once.
    pub(crate) fn channel_parts(&self, blocks: usize, panels: usize) -> usize {
        if self.is_caller { 1 } else { channel_parts(blocks, panels) }
    }
}

/// Into how many parts to split the output channels of a layer with `blocks` blocks of pixels and
/// `panels` panels of channels, so that deep layers on small pictures occupy all workers. Depends on
/// the shape only: the arithmetic of an output is the same in any part, so this is for balance.
pub(crate) fn channel_parts(blocks: usize, panels: usize) -> usize {
    const WANTED: usize = 16;
    WANTED.div_ceil(blocks.max(1)).clamp(1, panels.max(1))
}

/// Memory that the workers of one run share: sums of parts, and coefficients made of them.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) sums: Vec<f64>,
    pub(crate) lines: AlignedBuf,
}

impl Shared {
    /// Memory of at least these lengths, with what is left in it, for the time of `work`. It belongs
    /// to the calling thread and is kept for its next run.
    pub(crate) fn with<R>(sums: usize, lines: usize, work: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static KEPT: RefCell<Shared> = const {
                RefCell::new(Shared { sums: Vec::new(), lines: AlignedBuf::new() })
            };
        }
        // taken out and not borrowed: while this thread waits for its workers it may be given other
        // work that ends here too
        let mut shared = KEPT.take();
        if shared.sums.len() < sums {
            shared.sums.resize(sums, 0.0);
        }
        shared.lines.reserve(lines);
        let result = work(&mut shared);
        KEPT.replace(shared);
        result
    }
}

/// A pointer that workers share to write disjoint parts of one tensor.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<T = f32>(pub(crate) *mut T);

// SAFETY: each user writes only the pixels of its own block, and blocks are disjoint.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T: Copy> SharedMut<T> {
    /// The pointer; a method, so that closures capture the wrapper and not the bare pointer.
    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}
