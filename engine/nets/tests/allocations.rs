//! A speech network allocates nothing once it is made.
#![allow(clippy::unwrap_used)] // a test program
#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use limpid_nets::speech::OwnSpeech;
use limpid_nets::{Architecture, DeepFilterNet3, DeepFilterSettings, Weights};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_hop_allocates_on_any_thread() {
    let weights = Weights::from_fn(Architecture::DeepFilterNet3, |_, shape| {
        let count: usize = shape.iter().product();
        (0..count).map(|i| (i % 7) as f32 * 0.01 - 0.03).collect()
    })
    .unwrap();
    let mut network = DeepFilterNet3::new(&weights, DeepFilterSettings::default()).unwrap();
    // a thread that has never run anything, from its first hop on
    let count = std::thread::spawn(move || {
        let sound: Vec<f32> = (0..DeepFilterNet3::HOP).map(|i| (i % 90) as f32 / 90.0).collect();
        let mut output = vec![0.0; DeepFilterNet3::HOP];
        let before = ALLOCATIONS.with(Cell::get);
        for hop in 0..20 {
            network.process(&sound, &mut output).unwrap();
            if hop == 10 {
                network.reset();
                network.set_settings(DeepFilterSettings { limit_db: 20.0, ..Default::default() });
            }
        }
        for _ in 0..6 {
            network.process(&[0.0; DeepFilterNet3::HOP], &mut output).unwrap();
        }
        ALLOCATIONS.with(Cell::get) - before
    });
    assert_eq!(count.join().unwrap(), 0);
}

#[test]
fn no_hop_of_our_own_network_allocates_either() {
    let (_, mut network) = OwnSpeech::built_in().unwrap();
    // Past the 128 frames that its attention looks back on, and once more after a reset.
    let count = std::thread::spawn(move || {
        let sound: Vec<f32> = (0..OwnSpeech::HOP).map(|i| (i % 90) as f32 / 90.0).collect();
        let mut output = vec![0.0; OwnSpeech::HOP];
        let before = ALLOCATIONS.with(Cell::get);
        for hop in 0..150 {
            network.process(&sound, &mut output).unwrap();
            if hop == 140 {
                network.reset();
                network.set_floor(0.1);
            }
        }
        ALLOCATIONS.with(Cell::get) - before
    });
    assert_eq!(count.join().unwrap(), 0);
}
