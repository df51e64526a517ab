//! What a device's thread calls allocates nothing.

#[path = "../../../tests/support/allocator.rs"]
mod allocator;

use limpid_audio::live::{Capture, Fault, SampleKind, StreamFormat};

use allocator::calls_on_this_thread;

#[test]
fn a_callback_allocates_nothing_and_frees_nothing() {
    let format = StreamFormat { rate: 48_000, channels: 2, kind: SampleKind::I32 };
    let (mut feed, mut capture) = Capture::fed(format, 0.1);
    let flag = feed.flag();
    let block = vec![3; 480 * format.wire_frame_bytes()];
    let mut wire = Vec::with_capacity(1 << 20);

    let before = calls_on_this_thread();
    for round in 0..100 {
        feed.push(&block);
        if round == 50 {
            // the other side empties the ring once; before and after it overflows
            capture.read(1 << 20, &mut wire);
        }
        flag.count_overrun();
        flag.raise(Fault::Unplugged);
    }
    assert_eq!(calls_on_this_thread(), before);

    assert_eq!(capture.dropped_frames(), 80 * 480);
    assert_eq!(capture.overruns(), 100);
    drop(vec![0_u8; 10]);
    assert!(calls_on_this_thread() > before, "the counter counts");
}
