//! What a device's thread calls allocates nothing.
#![allow(clippy::unwrap_used)] // a test program
#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use limpid_audio::live::{Capture, Fault, SampleKind, StreamFormat};

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_callback_allocates_nothing_and_frees_nothing() {
    let format = StreamFormat { rate: 48_000, channels: 2, kind: SampleKind::I32 };
    let (mut feed, mut capture) = Capture::fed(format, 0.1);
    let flag = feed.flag();
    let block = vec![3; 480 * format.wire_frame_bytes()];
    let mut wire = Vec::with_capacity(1 << 20);

    let before = CALLS.get();
    for round in 0..100 {
        feed.push(&block);
        if round == 50 {
            // the other side empties the ring once; before and after it overflows
            capture.read(1 << 20, &mut wire);
        }
        flag.count_overrun();
        flag.raise(Fault::Unplugged);
    }
    assert_eq!(CALLS.get(), before);

    assert_eq!(capture.dropped_frames(), 80 * 480);
    assert_eq!(capture.overruns(), 100);
    drop(vec![0_u8; 10]);
    assert!(CALLS.get() > before, "the counter counts");
}
