//! Recording from a microphone, cleaned while it arrives.
//!
//! ```text
//! device thread        capture   copies what the device gave into a ring; nothing else
//!   └ ring, 10 s
//! limpid-recorder      recorder  writes the raw take, measures levels, then cleans: raw comes first
//!   ├ take.wav         take      bit for bit what the device gave
//!   ├ take (clean).wav cleaner   the mean of the channels, cleaned as a file would be: full band
//!   ├ ear              ear       the network alone, at once: what is drawn and heard meanwhile
//!   └ ring, 60 ms      monitor   what the ear gives, to a loudspeaker, off by default
//! limpid-flush         flush     brings what was written to the disk itself, twice a second
//! ```
//!
//! The recorder polls: a device's thread that woke another one would make a system call, and those
//! may wait.

pub mod capture;
mod cleaner;
pub mod devices;
mod ear;
mod flush;
pub mod format;
mod level;
mod monitor;
pub(crate) mod open;
mod rate;
pub mod recorder;
mod storage;
mod take;
mod worker;

pub use capture::{Capture, Fault, FaultFlag, Feed};
pub use devices::{DeviceInfo, Direction, devices};
pub use format::{SampleKind, StreamFormat};
pub use level::Level;
pub use open::Wanted;
pub use recorder::{
    CleanRequest, MakeLiveNet, MonitorRequest, RecordRequest, Recorder, Snapshot, State, Take,
    View, Views, clean_path,
};

pub(crate) use rate::StreamResampler;
