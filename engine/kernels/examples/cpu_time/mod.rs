//! What the measurements here have in common.
#![allow(unsafe_code)] // the clock of processor time

/// Processor time this process has used, all threads.
#[cfg(unix)]
pub(crate) fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Processor time: not told on this system.
#[cfg(not(unix))]
pub(crate) fn cpu_seconds() -> f64 {
    f64::NAN
}
