//! How long the rest of the queue takes, judged by the work done so far.

/// Work done since the queue began to run. The size of a file stands for the work in it: crude for
/// one file, good over a folder from one camera, and known before a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    bytes: f64,
    seconds: f64,
}

/// The file in work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InWork {
    /// Size of the file.
    pub(crate) bytes: u64,
    /// Share of it that is done, `0..=1`.
    pub(crate) fraction: f32,
    /// Time spent on it, without pauses.
    pub(crate) seconds: f64,
}

impl Pace {
    /// Below these there is nothing to judge by yet.
    const LEAST_FRACTION: f32 = 0.03;
    const LEAST_SECONDS: f64 = 0.3;

    /// Notes that a file was worked through.
    pub(crate) fn add(&mut self, bytes: u64, seconds: f64) {
        // Older files count less: the pace follows when the pictures, or the machine's load, change.
        const KEEP: f64 = 0.9;
        self.bytes = self.bytes * KEEP + bytes as f64;
        self.seconds = self.seconds * KEEP + seconds;
    }

    /// Seconds until `current` and `waiting_bytes` more are done; none while there is nothing to
    /// judge by.
    pub(crate) fn seconds_left(&self, current: InWork, waiting_bytes: u64) -> Option<f32> {
        let own_total = (current.fraction >= Self::LEAST_FRACTION
            && current.seconds >= Self::LEAST_SECONDS)
            .then(|| current.seconds / f64::from(current.fraction));
        let rate = if self.seconds > 0.0 && self.bytes > 0.0 {
            Some(self.seconds / self.bytes)
        } else {
            own_total.map(|total| total / current.bytes.max(1) as f64)
        };
        let rate = rate?;
        let total = own_total.unwrap_or(rate * current.bytes as f64);
        let rest = total * (1.0 - f64::from(current.fraction)).max(0.0);
        Some((rest + rate * waiting_bytes as f64) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_before_there_is_something_to_judge_by() {
        let current = InWork { bytes: 1000, fraction: 0.01, seconds: 0.1 };
        assert_eq!(Pace::default().seconds_left(current, 5000), None);
    }

    #[test]
    fn the_first_file_is_judged_by_itself() {
        let current = InWork { bytes: 1000, fraction: 0.5, seconds: 4.0 };
        // 4 s for this one, then 8 s for each thousand bytes.
        assert_eq!(Pace::default().seconds_left(current, 2000), Some(20.0));
    }

    #[test]
    fn later_files_are_judged_by_the_earlier_ones() {
        let mut pace = Pace::default();
        pace.add(1000, 2.0);
        pace.add(3000, 6.0);
        let current = InWork { bytes: 1000, fraction: 0.0, seconds: 0.0 };
        let left = pace.seconds_left(current, 4000).unwrap();
        assert!((left - 10.0).abs() < 1e-4, "{left}");
    }
}
