//! A network that hears everything four times, its frames beginning elsewhere each time, and the
//! mean of its answers: what it is unsure of differs between them and averages out. The picture's
//! mirror images have the same reason (`limpid-photo`).

use limpid_nets::Effort;
use rayon::prelude::*;

use crate::clean::MakeNet;
use crate::error::AudioError;
use crate::speech_net::SpeechNet;

/// Two bring half of the gain; eight, with the built-in networks, a tenth more.
const HEARINGS: usize = 4;

/// One network as `effort` wants it run.
///
/// # Errors
/// What `make_net` says.
pub(crate) fn for_effort(
    make_net: &mut MakeNet<'_>,
    effort: Effort,
) -> Result<Box<dyn SpeechNet>, AudioError> {
    match effort {
        Effort::Fast => make_net(),
        Effort::Best => Ok(Box::new(Ensemble::new(make_net)?)),
    }
}

/// The mean of several hearings, each a part of a hop later than the one before.
struct Ensemble {
    hearings: Vec<Hearing>,
    /// How much later than a single network its answer comes, in samples.
    later: usize,
}

struct Hearing {
    net: Box<dyn SpeechNet>,
    /// What makes its frames begin later, and what brings its answer to the time of the last one.
    before: DelayLine,
    after: DelayLine,
    input: Vec<f32>,
    answer: Vec<f32>,
}

impl Hearing {
    fn hear(&mut self, input: &[f32]) -> Result<(), AudioError> {
        self.input.clear();
        self.input.extend_from_slice(input);
        self.before.pass(&mut self.input);
        self.net.process(&self.input, &mut self.answer)?;
        self.after.pass(&mut self.answer);
        Ok(())
    }
}

impl Ensemble {
    fn new(make_net: &mut MakeNet<'_>) -> Result<Self, AudioError> {
        let nets = (0..HEARINGS).map(|_| make_net()).collect::<Result<Vec<_>, _>>()?;
        let hop = nets.first().map_or(0, |net| net.hop());
        let later = (HEARINGS - 1) * hop / HEARINGS;
        let hearing = |(index, net)| {
            let before = index * hop / HEARINGS;
            Hearing {
                net,
                before: DelayLine::new(before),
                after: DelayLine::new(later - before),
                input: vec![0.0; hop],
                answer: vec![0.0; hop],
            }
        };
        let hearings = nets.into_iter().enumerate().map(hearing).collect();
        Ok(Self { hearings, later })
    }

    fn first(&self) -> &dyn SpeechNet {
        &*self.hearings[0].net
    }
}

impl SpeechNet for Ensemble {
    fn rate(&self) -> u32 {
        self.first().rate()
    }

    fn hop(&self) -> usize {
        self.first().hop()
    }

    fn delay(&self) -> usize {
        self.first().delay() + self.later
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
        // Called by one thread of a pool, it takes the others in; elsewhere it keeps to itself.
        if rayon::current_thread_index().is_some() {
            self.hearings.par_iter_mut().try_for_each(|hearing| hearing.hear(input))?;
        } else {
            self.hearings.iter_mut().try_for_each(|hearing| hearing.hear(input))?;
        }
        output.fill(0.0);
        for hearing in &self.hearings {
            for (sum, value) in output.iter_mut().zip(&hearing.answer) {
                *sum += value;
            }
        }
        output.iter_mut().for_each(|sum| *sum /= HEARINGS as f32);
        Ok(())
    }

    fn reset(&mut self) {
        for Hearing { net, before, after, .. } in &mut self.hearings {
            net.reset();
            before.reset();
            after.reset();
        }
    }
}

/// Gives what it got some samples ago, and zeros before that.
struct DelayLine {
    held: Vec<f32>,
    at: usize,
}

impl DelayLine {
    fn new(samples: usize) -> Self {
        Self { held: vec![0.0; samples], at: 0 }
    }

    fn pass(&mut self, sound: &mut [f32]) {
        if self.held.is_empty() {
            return;
        }
        for sample in sound {
            std::mem::swap(sample, &mut self.held[self.at]);
            self.at = (self.at + 1) % self.held.len();
        }
    }

    fn reset(&mut self) {
        self.held.fill(0.0);
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: usize = 64;

    /// Gives the sound of one hop ago, and shows where its frames begin: their first sample is 1 more.
    struct Marker(Vec<f32>);

    impl SpeechNet for Marker {
        fn rate(&self) -> u32 {
            16_000
        }

        fn hop(&self) -> usize {
            HOP
        }

        fn delay(&self) -> usize {
            HOP
        }

        fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), AudioError> {
            output.copy_from_slice(&self.0);
            self.0 = input.to_vec();
            self.0[0] += 1.0;
            Ok(())
        }

        fn reset(&mut self) {
            self.0 = vec![0.0; HOP];
        }
    }

    fn marker() -> Result<Box<dyn SpeechNet>, AudioError> {
        Ok(Box::new(Marker(vec![0.0; HOP])))
    }

    fn run(net: &mut dyn SpeechNet, sound: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; sound.len()];
        for (input, output) in sound.chunks_exact(HOP).zip(out.chunks_exact_mut(HOP)) {
            net.process(input, output).unwrap();
        }
        out
    }

    #[test]
    fn its_answers_lie_over_each_other_and_its_frames_do_not() {
        let mut net = for_effort(&mut marker, Effort::Best).unwrap();
        let sound: Vec<f32> = (0..10 * HOP).map(|n| n as f32).collect();
        let out = run(&mut *net, &sound);
        for (n, &value) in out.iter().enumerate().skip(4 * HOP) {
            // Each sample four times its own value; one hearing's frame begins at every quarter.
            let at = n - net.delay();
            let mark = if at.is_multiple_of(HOP / HEARINGS) { 0.25 } else { 0.0 };
            assert!((value - (at as f32 + mark)).abs() < 1e-4, "{value} at {at}");
        }
        net.reset();
        assert_eq!(run(&mut *net, &sound), out, "a reset forgets everything");
    }

    #[test]
    fn fast_is_the_network_itself() {
        let net = for_effort(&mut marker, Effort::Fast).unwrap();
        assert_eq!((net.delay(), net.hop(), net.rate()), (HOP, HOP, 16_000));
    }
}
