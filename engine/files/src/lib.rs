//! Files that are written whole or not at all, and what went wrong with a file in one sentence.
//!
//! Knows no picture, no sound and no queue: what they have in common when they meet the disk.
#![forbid(unsafe_code)]

mod fault;
mod folder;
mod part;

pub use fault::{unreadable, unwritable};
pub use folder::{folder_of, sync_name};
pub use part::{PART_SUFFIX, PartFile};
