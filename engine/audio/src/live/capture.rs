//! From a device's thread to ours: a copy into a ring, and three numbers.
//!
//! The device's thread must not wait, so it copies the device's own bytes as they are. Turning
//! them into floats there would cost the last bits of 32-bit samples, and the raw take is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use cpal::traits::{DeviceTrait, StreamTrait};
use rtrb::{Consumer, Producer, RingBuffer};

use super::devices::{self, Direction, Wanted};
use super::format::StreamFormat;
use crate::error::{AudioError, ErrorKind};

/// What the ring holds: longer than a disk or a busy processor keeps the recorder waiting.
const RING_SECONDS: f64 = 10.0;

/// Why a device ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device is gone.
    Unplugged,
    /// The system took the device away from this program.
    Denied,
    /// The device changed its rate or format under the stream.
    Changed,
    /// What the system did not explain.
    Unknown,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Unplugged, Self::Denied, Self::Changed, Self::Unknown];

    /// Whether the error ends a stream, and how.
    pub(crate) fn of(error: &cpal::Error) -> Option<Self> {
        match error.kind() {
            cpal::ErrorKind::Xrun
            | cpal::ErrorKind::RealtimeDenied
            | cpal::ErrorKind::DeviceChanged
            | cpal::ErrorKind::DeviceBusy => None,
            cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::HostUnavailable => {
                Some(Self::Unplugged)
            }
            cpal::ErrorKind::PermissionDenied => Some(Self::Denied),
            cpal::ErrorKind::StreamInvalidated | cpal::ErrorKind::UnsupportedConfig => {
                Some(Self::Changed)
            }
            _ => Some(Self::Unknown),
        }
    }

    /// One sentence about `what`, such as "the microphone".
    pub(crate) fn sentence(self, what: &str) -> AudioError {
        let why = match self {
            Self::Unplugged => "was unplugged or switched off",
            Self::Denied => "was taken away by the system",
            Self::Changed => "changed its settings",
            Self::Unknown => "stopped working",
        };
        AudioError::new(ErrorKind::Device, format!("{what} {why}"))
    }
}

#[derive(Debug, Default)]
struct Health {
    dropped_frames: AtomicU64,
    overruns: AtomicU32,
    /// 0 for none, else the place in `Fault::ALL` and one.
    fault: AtomicU8,
}

/// How a device's thread says that something went wrong. Safe to use there: it stores a number.
#[derive(Clone, Debug, Default)]
pub struct FaultFlag(Arc<Health>);

impl FaultFlag {
    /// Ends the stream. The first fault stays.
    pub fn raise(&self, fault: Fault) {
        let code = Fault::ALL.iter().position(|&f| f == fault).unwrap_or(0) as u8 + 1;
        let _ = self.0.fault.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The device itself lost sound before it reached us; how much it does not say.
    pub fn count_overrun(&self) {
        self.0.overruns.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes in an error that a device reported.
    pub(crate) fn report(&self, error: &cpal::Error) {
        if error.kind() == cpal::ErrorKind::Xrun {
            self.count_overrun();
        } else if let Some(fault) = Fault::of(error) {
            self.raise(fault);
        }
    }

    pub(crate) fn raised(&self) -> Option<Fault> {
        let code = self.0.fault.load(Ordering::Acquire);
        usize::from(code).checked_sub(1).and_then(|at| Fault::ALL.get(at).copied())
    }
}

/// The device's end of the ring.
#[derive(Debug)]
pub struct Feed {
    ring: Producer<u8>,
    frame_bytes: usize,
    flag: FaultFlag,
}

impl Feed {
    /// Takes interleaved frames in the bytes of the device, whole ones. Copies them or, where the
    /// ring has no room, counts them as dropped: never allocates, locks, waits or logs.
    pub fn push(&mut self, wire: &[u8]) {
        let frames = wire.len() / self.frame_bytes;
        let room = self.ring.slots() / self.frame_bytes;
        let kept = frames.min(room);
        let _ = self.ring.push_entire_slice(&wire[..kept * self.frame_bytes]);
        if kept < frames {
            self.flag.0.dropped_frames.fetch_add((frames - kept) as u64, Ordering::Relaxed);
        }
    }

    /// For the device's other thread, the one that reports errors.
    #[must_use]
    pub fn flag(&self) -> FaultFlag {
        self.flag.clone()
    }
}

/// A microphone that is open, or a [`Feed`] in its place.
pub struct Capture {
    name: String,
    format: StreamFormat,
    ring: Consumer<u8>,
    flag: FaultFlag,
    stream: Option<cpal::Stream>,
}

impl Capture {
    /// Opens a microphone by its id or name ([`devices`](devices::devices)), or the default one.
    /// What is wanted and not had is replaced by the nearest that opens; sound flows from here on.
    ///
    /// # Errors
    ///
    /// There is no such device, or it opens in no way that Limpid knows.
    pub fn open(device: Option<&str>, wanted: Wanted) -> Result<Self, AudioError> {
        let device = devices::find(Direction::Input, device)?;
        let (format, config) = devices::what_opens(&device, Direction::Input, wanted)?;
        let (mut feed, mut capture) = Self::fed(format, RING_SECONDS);
        capture.name = device.to_string();
        let flag = feed.flag();
        let stream = device
            .build_input_stream_raw(
                config,
                devices::cpal_kind(format.kind),
                move |data, _| feed.push(data.bytes()),
                move |error| flag.report(&error),
                Some(devices::OPEN_TIMEOUT),
            )
            .and_then(|stream| stream.play().map(|()| stream))
            .map_err(|error| devices::cannot_open(Direction::Input, &error))?;
        capture.stream = Some(stream);
        Ok(capture)
    }

    /// A capture without a device: what is pushed into the feed is what was heard. The ring holds
    /// `seconds`.
    #[must_use]
    pub fn fed(format: StreamFormat, seconds: f64) -> (Feed, Self) {
        let frame_bytes = format.wire_frame_bytes().max(1);
        let frames = (f64::from(format.rate) * seconds).ceil().max(1.0) as usize;
        let (producer, consumer) = RingBuffer::new(frames * frame_bytes);
        let flag = FaultFlag::default();
        let feed = Feed { ring: producer, frame_bytes, flag: flag.clone() };
        (feed, Self { name: "a feed".to_owned(), format, ring: consumer, flag, stream: None })
    }

    /// The device's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What really flows.
    #[must_use]
    pub fn format(&self) -> StreamFormat {
        self.format
    }

    /// Frames that found the ring full.
    #[must_use]
    pub fn dropped_frames(&self) -> u64 {
        self.flag.0.dropped_frames.load(Ordering::Relaxed)
    }

    /// How often the device itself lost sound before it reached the ring.
    #[must_use]
    pub fn overruns(&self) -> u32 {
        self.flag.0.overruns.load(Ordering::Relaxed)
    }

    /// Replaces `wire` by what has arrived, at most about `most` bytes, in whole frames. Returns
    /// why nothing more will come once all that came before was read.
    pub fn read(&mut self, most: usize, wire: &mut Vec<u8>) -> Option<Fault> {
        // asked first: what was pushed before the end is in the ring by then
        let fault = self.flag.raised().or(self.ring.is_abandoned().then_some(Fault::Unplugged));
        let frame_bytes = self.format.wire_frame_bytes().max(1);
        let frames = (self.ring.slots() / frame_bytes).min((most / frame_bytes).max(1));
        wire.resize(frames * frame_bytes, 0);
        let _ = self.ring.pop_entire_slice(wire);
        fault.filter(|_| frames == 0)
    }

    /// Closes the device. What has arrived can still be read.
    pub fn close(&mut self) {
        self.stream = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::SampleKind;

    const FORMAT: StreamFormat = StreamFormat { rate: 1000, channels: 2, kind: SampleKind::I16 };

    #[test]
    fn a_full_ring_drops_whole_frames_and_counts_them() {
        let (mut feed, mut capture) = Capture::fed(FORMAT, 0.01); // 10 frames of 4 bytes
        let frames: Vec<u8> = (0..60).collect();
        feed.push(&frames);
        assert_eq!(capture.dropped_frames(), 5);
        let mut wire = Vec::new();
        assert_eq!(capture.read(usize::MAX, &mut wire), None);
        assert_eq!(wire, frames[..40], "the first ten frames stay");
        feed.push(&frames[..8]);
        capture.read(7, &mut wire);
        assert_eq!(wire, frames[..4], "frames are not torn");
        assert_eq!(capture.dropped_frames(), 5);
    }

    #[test]
    fn what_came_before_a_fault_is_read_first() {
        let (mut feed, mut capture) = Capture::fed(FORMAT, 0.01);
        feed.push(&[1; 8]);
        feed.flag().raise(Fault::Denied);
        feed.flag().raise(Fault::Unknown);
        let mut wire = Vec::new();
        assert_eq!(capture.read(4, &mut wire), None);
        assert_eq!(capture.read(4, &mut wire), None);
        assert_eq!(wire, [1; 4]);
        assert_eq!(capture.read(4, &mut wire), Some(Fault::Denied));
        assert!(wire.is_empty());
    }

    #[test]
    fn a_feed_that_is_gone_is_a_device_that_is_gone() {
        let (mut feed, mut capture) = Capture::fed(FORMAT, 0.01);
        feed.push(&[1; 4]);
        drop(feed);
        let mut wire = Vec::new();
        assert_eq!(capture.read(4, &mut wire), None);
        assert_eq!(capture.read(4, &mut wire), Some(Fault::Unplugged));
    }
}
