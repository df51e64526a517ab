//! An allocator that counts, for tests of what must not allocate. A program has one allocator, so
//! each test program that counts is one of its own and takes this in by its path.
#![allow(unsafe_code)] // an allocator cannot be written without
#![allow(dead_code)] // a test counts on its own thread or on all

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ON_ALL_THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static ON_THIS_THREAD: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has allocated or freed.
pub(crate) fn calls_on_this_thread() -> usize {
    ON_THIS_THREAD.get()
}

/// How often any thread has allocated or freed.
pub(crate) fn calls_on_all_threads() -> usize {
    ON_ALL_THREADS.load(Ordering::Relaxed)
}

fn count() {
    ON_ALL_THREADS.fetch_add(1, Ordering::Relaxed);
    ON_THIS_THREAD.set(ON_THIS_THREAD.get() + 1);
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
