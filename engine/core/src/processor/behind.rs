//! The encoder on a thread of its own: it writes one band while the next is computed.

use std::panic::resume_unwind;

use crossbeam_channel::bounded;
use limpid_kernels::Planes;
use limpid_photo::{ErrorKind, PhotoError};

/// Runs `encode` beside `produce` and answers what `encode` does.
///
/// `encode` asks the function it is given for one band after the other; `produce` makes band
/// number 0, 1, … until it answers `None` or an error, which `encode` is told. It is at most one
/// band ahead, so two exist at a time. When `encode` ends early, `produce` is not asked again.
///
/// # Errors
/// Whatever `encode` answers; `Internal` when no thread could be started.
pub(super) fn encode_behind<R: Send>(
    encode: impl FnOnce(&mut dyn FnMut() -> Result<Planes, PhotoError>) -> Result<R, PhotoError> + Send,
    mut produce: impl FnMut(usize) -> Option<Result<Planes, PhotoError>>,
) -> Result<R, PhotoError> {
    // No room in the channel: a band is handed over, or it is the one waiting.
    let (bands, inbox) = bounded::<Result<Planes, PhotoError>>(0);
    std::thread::scope(|scope| {
        let encoder = std::thread::Builder::new()
            .name("limpid-encode".into())
            .spawn_scoped(scope, move || {
                encode(&mut || inbox.recv().unwrap_or_else(|_| Err(no_more_bands())))
            })
            .map_err(|error| {
                PhotoError::new(ErrorKind::Internal, "the system refused to start a thread")
                    .because(error)
            })?;
        for index in 0.. {
            let Some(band) = produce(index) else { break };
            let last = band.is_err();
            if bands.send(band).is_err() || last {
                break;
            }
        }
        drop(bands);
        encoder.join().unwrap_or_else(|fault| resume_unwind(fault))
    })
}

fn no_more_bands() -> PhotoError {
    PhotoError::new(ErrorKind::Internal, "a band was asked for that does not exist")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn band(index: usize) -> Planes {
        Planes::from_vec(1, 1, 1, vec![index as f32]).unwrap()
    }

    fn fault(sentence: &str) -> PhotoError {
        PhotoError::new(ErrorKind::Unwritable, sentence)
    }

    #[test]
    fn every_band_arrives_in_order_and_at_most_one_waits() {
        let (made, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let seen = encode_behind(
            |next| {
                (0..5)
                    .map(|_| {
                        let value = next()?.plane(0)[0];
                        taken.fetch_add(1, Ordering::SeqCst);
                        Ok(value)
                    })
                    .collect::<Result<Vec<_>, _>>()
            },
            |index| {
                let made = made.fetch_add(1, Ordering::SeqCst);
                // One is being made, one may be taken but not counted yet.
                assert!(made <= taken.load(Ordering::SeqCst) + 1);
                (index < 5).then(|| Ok(band(index)))
            },
        );
        assert_eq!(seen.unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_full_disk_stops_the_making_of_bands() {
        let mut made = 0;
        let answer: Result<(), _> = encode_behind(
            |next| {
                next()?;
                Err(fault("the disk is full"))
            },
            |index| {
                made += 1;
                Some(Ok(band(index)))
            },
        );
        assert_eq!(answer.unwrap_err().sentence(), "the disk is full");
        assert!(made <= 3, "{made}");
    }

    #[test]
    fn the_encoder_is_told_why_a_band_is_missing() {
        let answer: Result<(), _> = encode_behind(
            |next| loop {
                next()?;
            },
            |index| Some(if index < 2 { Ok(band(index)) } else { Err(fault("no model")) }),
        );
        assert_eq!(answer.unwrap_err().sentence(), "no model");
        let answer: Result<(), _> = encode_behind(|next| next().map(drop), |_| None);
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    #[should_panic(expected = "a fault in the encoder")]
    fn a_fault_of_the_encoder_is_not_swallowed() {
        let _: Result<(), _> =
            encode_behind(|_| panic!("a fault in the encoder"), |index| Some(Ok(band(index))));
    }
}
