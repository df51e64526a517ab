//! Memory on cache-line borders, so that no vector load crosses a line.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a cache line, which is also the widest vector.
const ALIGNMENT: usize = 64;
/// Bytes of a large memory page. Big features are walked in strips of rows, a small page or more
/// apart: with small pages the processor spends a tenth of the time looking addresses up.
const LARGE_PAGE: usize = 2 << 20;

/// A grow-only `f32` buffer that starts on a cache line. Always initialised.
#[derive(Debug)]
pub(crate) struct AlignedBuf {
    data: NonNull<f32>,
    len: usize,
}

// SAFETY: the buffer owns its memory alone, as `Vec<f32>` does.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads, as for `Vec<f32>`.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// No memory yet.
    pub(crate) const fn new() -> Self {
        Self { data: NonNull::dangling(), len: 0 }
    }

    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::new();
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty, for `len` is not 0.
        let raw = unsafe {
            if layout.align() == LARGE_PAGE { alloc_large(layout) } else { alloc_zeroed(layout) }
        };
        let Some(data) = NonNull::new(raw.cast::<f32>()) else { handle_alloc_error(layout) };
        Self { data, len }
    }

    /// Makes room for at least `len` values. What was there is lost when the buffer must grow.
    pub(crate) fn reserve(&mut self, len: usize) {
        if len > self.len {
            *self = Self::new(); // the old block goes before the new one comes
            *self = Self::zeros(len);
        }
    }

    #[allow(clippy::panic)] // the same limit, and the same answer, as `Vec`
    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<f32>());
        let is_large = cfg!(target_os = "linux") && bytes.is_some_and(|n| n >= 2 * LARGE_PAGE);
        let align = if is_large { LARGE_PAGE } else { ALIGNMENT };
        match bytes.map(|bytes| Layout::from_size_align(bytes, align)) {
            Some(Ok(layout)) => layout,
            _ => panic!("capacity overflow"),
        }
    }
}

/// Zeroed memory in large pages, where the system grants them.
///
/// # Safety
/// The layout is not empty.
#[cfg(target_os = "linux")]
unsafe fn alloc_large(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise; the block is ours, and advice changes no content.
    unsafe {
        let raw = std::alloc::alloc(layout);
        if !raw.is_null() {
            libc::madvise(raw.cast(), layout.size(), libc::MADV_HUGEPAGE);
            raw.write_bytes(0, layout.size());
        }
        raw
    }
}

/// # Safety
/// The layout is not empty.
#[cfg(not(target_os = "linux"))]
unsafe fn alloc_large(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { alloc_zeroed(layout) }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated by `zeros` with this very layout.
            unsafe { dealloc(self.data.as_ptr().cast(), Self::layout(self.len)) }
        }
    }
}

impl Deref for AlignedBuf {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `data` points at `len` initialised values, or is dangling with `len` 0.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl Clone for AlignedBuf {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}
