//! Memory on cache-line borders, so that no vector load crosses a line.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a cache line, which is also the widest vector.
const ALIGNMENT: usize = 64;
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

impl Default for AlignedBuf {
    fn default() -> Self {
        Self::new()
    }
}

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
        let raw = unsafe { large::alloc(layout).unwrap_or_else(|| alloc_zeroed(layout)) };
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
        match bytes.map(|bytes| Layout::from_size_align(bytes, ALIGNMENT)) {
            Some(Ok(layout)) => layout,
            _ => panic!("capacity overflow"),
        }
    }
}

/// Big blocks come straight from the system: in large pages, zeroed by it as they are first touched
/// (by the worker that writes them, not all at once), and given back as soon as they are dropped.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) mod large {
    use std::alloc::Layout;
    use std::ptr::null_mut;

    /// Bytes of a large memory page. Big features are walked in strips of rows, a small page or
    /// more apart: with small pages the processor spends a tenth of the time looking addresses up.
    const PAGE: usize = 2 << 20;

    fn is_large(layout: Layout) -> bool {
        layout.size() >= 2 * PAGE
    }

    /// `None` when the layout is not large; a null pointer when there is no memory.
    pub(super) fn alloc(layout: Layout) -> Option<*mut u8> {
        if !is_large(layout) {
            return None;
        }
        let size = layout.size().next_multiple_of(PAGE);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
        // SAFETY: a new mapping touches no other; what is unmapped are its own first and last bytes.
        unsafe {
            let whole =
                libc::mmap(null_mut(), size + PAGE, access, kind | libc::MAP_ANONYMOUS, -1, 0);
            if whole == libc::MAP_FAILED {
                return Some(null_mut());
            }
            let before = whole.cast::<u8>().align_offset(PAGE);
            let start = whole.cast::<u8>().add(before);
            if before > 0 {
                libc::munmap(whole, before);
            }
            libc::munmap(start.add(size).cast(), PAGE - before);
            libc::madvise(start.cast(), size, libc::MADV_HUGEPAGE);
            Some(start)
        }
    }

    /// Asks for large pages where a new block has room for whole ones: a page fault for 2 MiB instead
    /// of 512 of them.
    pub(crate) fn advise(block: *mut u8, bytes: usize) {
        let before = block.align_offset(PAGE);
        let size = bytes.saturating_sub(before) / PAGE * PAGE;
        if bytes >= 2 * PAGE && size > 0 {
            // SAFETY: whole pages inside the block; the advice changes no content.
            unsafe { libc::madvise(block.add(before).cast(), size, libc::MADV_HUGEPAGE) };
        }
    }

    /// Frees a block of [`alloc`]; `false` when the layout is not large.
    ///
    /// # Safety
    /// `block` was allocated with this layout and is not used again.
    pub(super) unsafe fn free(block: *mut u8, layout: Layout) -> bool {
        if is_large(layout) {
            // SAFETY: the caller's promise; the size is that of the mapping.
            unsafe { libc::munmap(block.cast(), layout.size().next_multiple_of(PAGE)) };
        }
        is_large(layout)
    }
}

/// Elsewhere the ordinary allocator serves.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) mod large {
    use std::alloc::Layout;

    pub(super) fn alloc(_layout: Layout) -> Option<*mut u8> {
        None
    }

    pub(crate) fn advise(_block: *mut u8, _bytes: usize) {}

    pub(super) unsafe fn free(_block: *mut u8, _layout: Layout) -> bool {
        false
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.len > 0 {
            let layout = Self::layout(self.len);
            let block = self.data.as_ptr().cast();
            // SAFETY: allocated by `zeros` with this very layout.
            unsafe {
                if !large::free(block, layout) {
                    dealloc(block, layout);
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_are_zeroed_aligned_and_writable_to_the_end() {
        let lens = [1, 17, 1 << 20, (1 << 20) + 1, 3 << 20];
        // a large block is a minute's work for Miri, and comes from elsewhere there
        for &len in if cfg!(miri) { &lens[..2] } else { &lens[..] } {
            for _ in 0..3 {
                let mut block = AlignedBuf::zeros(len);
                assert_eq!(block.len(), len);
                assert_eq!(block.as_ptr() as usize % ALIGNMENT, 0);
                assert!(block.iter().all(|v| *v == 0.0), "{len}");
                block.fill(1.0);
                assert_eq!(block.clone().iter().sum::<f32>(), len as f32);
            }
        }
    }
}
