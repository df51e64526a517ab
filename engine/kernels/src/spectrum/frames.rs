//! Cutting a signal into windowed frames, and putting it together again by overlap-add (Allen 1977).

use crate::ShapeError;

/// Overlapping frames with a window before the transform and one after it, which together
/// reconstruct the signal.
#[derive(Clone, Debug)]
pub struct Frames {
    hop: usize,
    analysis: Vec<f32>,
    /// Divided by what the overlapping windows add up to.
    synthesis: Vec<f32>,
}

impl Frames {
    /// Largest deviation of the overlapping windows' sum, relative to the sum.
    const TOLERANCE: f64 = 1e-6;

    /// Frames as long as the windows, a frame every `hop` samples. The synthesis window is scaled so
    /// that overlap-add gives back the signal.
    ///
    /// # Errors
    /// [`ShapeError`] when the windows differ in length, the hop is 0 or longer than them, or the
    /// products of both windows do not add up to a constant at that hop, so that the signal would
    /// come back modulated.
    pub fn new(analysis: &[f32], synthesis: &[f32], hop: usize) -> Result<Self, ShapeError> {
        let len = analysis.len();
        if synthesis.len() != len || hop == 0 || hop > len {
            let other = synthesis.len();
            return Err(ShapeError(format!("windows of {len} and {other} at a hop of {hop}")));
        }
        let product = |n: usize| f64::from(analysis[n]) * f64::from(synthesis[n]);
        let sums: Vec<f64> =
            (0..hop).map(|first| (first..len).step_by(hop).map(product).sum()).collect();
        let mean = sums.iter().sum::<f64>() / hop as f64;
        let worst = sums.iter().map(|sum| (sum - mean).abs()).fold(0.0, f64::max);
        let is_constant = mean > 0.0 && mean.is_finite() && worst <= Self::TOLERANCE * mean;
        if !is_constant {
            let message = format!("windows of {len} do not add up to a constant at a hop of {hop}");
            return Err(ShapeError(message));
        }
        let synthesis = synthesis.iter().map(|v| (f64::from(*v) / mean) as f32).collect();
        Ok(Self { hop, analysis: analysis.to_vec(), synthesis })
    }

    /// Samples of a frame.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.analysis.len()
    }

    /// Samples from one frame to the next.
    #[must_use]
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Samples that frames begin before the signal does, so that its first sample is in as many
    /// frames as any other.
    #[must_use]
    pub fn lead(&self) -> usize {
        (self.frame_len() - 1) / self.hop * self.hop
    }

    /// Frames that a signal of `samples` needs.
    #[must_use]
    pub fn count(&self, samples: usize) -> usize {
        if samples == 0 { 0 } else { (samples - 1 + self.lead()) / self.hop + 1 }
    }

    /// Frame `index` of `signal`, windowed; zeros outside the signal. It starts at sample
    /// `index * hop - lead`.
    ///
    /// # Errors
    /// [`ShapeError`] when `frame` is not [`Frames::frame_len`] long.
    pub fn cut(&self, signal: &[f32], index: usize, frame: &mut [f32]) -> Result<(), ShapeError> {
        self.check(frame.len())?;
        let lead = self.lead();
        for (n, (to, window)) in frame.iter_mut().zip(&self.analysis).enumerate() {
            let sample = self.position(index, n).and_then(|at| at.checked_sub(lead));
            *to = sample.and_then(|at| signal.get(at)).map_or(0.0, |value| value * window);
        }
        Ok(())
    }

    /// Adds frame `index` to `signal`, windowed; what lies outside the signal is dropped. After all
    /// [`Frames::count`] frames, a signal that began as zeros is the one the frames were cut from.
    ///
    /// # Errors
    /// [`ShapeError`] when `frame` is not [`Frames::frame_len`] long.
    pub fn add(&self, frame: &[f32], index: usize, signal: &mut [f32]) -> Result<(), ShapeError> {
        self.check(frame.len())?;
        let lead = self.lead();
        for (n, (value, window)) in frame.iter().zip(&self.synthesis).enumerate() {
            let sample = self.position(index, n).and_then(|at| at.checked_sub(lead));
            if let Some(to) = sample.and_then(|at| signal.get_mut(at)) {
                *to += value * window;
            }
        }
        Ok(())
    }

    /// A sample's place, counted from the start of the first frame.
    fn position(&self, index: usize, n: usize) -> Option<usize> {
        index.checked_mul(self.hop).and_then(|start| start.checked_add(n))
    }

    fn check(&self, len: usize) -> Result<(), ShapeError> {
        if len == self.frame_len() {
            Ok(())
        } else {
            Err(ShapeError(format!("a frame of {len} for windows of {}", self.frame_len())))
        }
    }
}
