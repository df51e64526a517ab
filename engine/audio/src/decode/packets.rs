//! Containers and codings that Symphonia reads, packet by packet.

use std::fs::File;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS,
};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as CoreError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{TimeBase, Timestamp};

use super::about::{channel_mask, codec_name, sample_format, tags};
use super::opus::{codecs, pre_skip};
use super::sniff::Kind;
use super::{Damage, mp4};
use crate::error::AudioError;
use crate::info::{Length, SoundInfo};
use crate::tags::MASK_TAG;

/// The first packets of a cut MP3 or AAC stream may need bytes that are gone.
const FORGIVEN_PACKETS: u64 = 4;
/// Packets looked through for the first samples.
const FIRST_PACKETS: usize = 1000;
/// Frames decoded before the frame that was gone to, so that codings with memory are back in step.
const PREROLL: u64 = 8192;

/// Reads one sound track.
pub(super) struct Packets {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    clock: TimeBase,
    kind: Kind,
    damage: Damage,
    rate: u32,
    channels: usize,
    /// The decoded packet, one vector a channel, and how much of it was given away.
    planes: Vec<Vec<f32>>,
    taken: usize,
    /// Frames still to leave out before any are given.
    skip: u64,
    /// Frames that the container leaves out at the start (edit list, iTunes' note).
    lead: u64,
    /// Frames to give in all, where the container says exactly.
    end: Option<u64>,
    /// Fewer frames than this are damage.
    least: u64,
    given: u64,
    packets: u64,
    /// Whether everything from the start was read, so that the end can be checked.
    from_start: bool,
    /// The frame gone to, until the first packet behind a seek says where it is.
    sought: Option<u64>,
    ended: bool,
}

impl Packets {
    pub(super) fn open(
        file: File,
        kind: Kind,
        damage: Damage,
    ) -> Result<(SoundInfo, Self), AudioError> {
        let mut look = file.try_clone().map_err(AudioError::reading)?;
        let file_len = look.metadata().map_err(AudioError::reading)?.len();
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        // No hint: the name has no say in what the file is.
        let mut format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(opening)?;
        let (tags, gapless) = tags(&mut *format);
        let track = choose_track(&*format)?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or_else(no_sound)?.clone();
        let codec = codec_name(params.codec);
        // Without a count from the coder, Symphonia guesses an MP3's length from its first frame,
        // and would trim what lies behind its guess.
        let mpeg = [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3].contains(&params.codec);
        let guessed = mpeg && track.delay.is_none();
        let options = AudioDecoderOptions::default().gapless(!guessed).verify(true);
        let decoder = codecs()
            .make_audio_decoder(&params, &options)
            .map_err(|error| no_decoder(error, codec))?;
        let clock = track.time_base.or(params.sample_rate.and_then(TimeBase::try_from_recip));
        let clock = clock.ok_or_else(|| AudioError::damaged("the file does not say its rate"))?;
        let (track_id, counted, duration) = (track.id, track.num_frames, track.duration);
        let mut packets = Self {
            format,
            decoder,
            track_id,
            clock,
            kind,
            damage,
            rate: 0,
            channels: 0,
            planes: Vec::new(),
            taken: 0,
            skip: 0,
            lead: 0,
            end: None,
            least: 0,
            given: 0,
            packets: 0,
            from_start: true,
            sought: None,
            ended: false,
        };
        let mask = packets.first_samples()?;
        let trimmed = gapless.is_some();
        if let Some(gapless) = gapless {
            (packets.lead, packets.end) = (gapless.delay, Some(gapless.frames));
        } else if kind == Kind::Mp4 {
            let edit = mp4::edit(&mut look, file_len, track_id).map_err(AudioError::reading)?;
            if let Some(edit) = edit {
                let frames = |units: u64, clock: u32| {
                    units * u64::from(packets.rate) / u64::from(clock.max(1))
                };
                packets.lead = frames(edit.skipped, edit.clock.0);
                // A movie clock of milliseconds cannot say where the sound ends.
                if edit.clock.1 == packets.rate && edit.heard > 0 {
                    packets.end = Some(edit.heard);
                }
            }
        }
        if params.codec == CODEC_ID_OPUS && packets.lead == 0 {
            packets.lead = pre_skip(&params);
        }
        packets.skip = packets.lead;
        let plain = matches!(kind, Kind::Flac | Kind::Aiff | Kind::Caf) && counted.is_some();
        let counted = counted.filter(|_| !guessed);
        packets.least = match (kind, counted) {
            (_, Some(counted)) if plain => counted,
            // Some coders count the frame that holds the count.
            (Kind::Mp3, Some(counted)) => counted.saturating_sub(2 * 1152),
            _ => 0,
        };
        let length = match (packets.end, counted, duration) {
            (Some(end), _, _) if trimmed => Length::Exact(end),
            (Some(end), _, _) => Length::About(end),
            (_, Some(counted), _) if plain => Length::Exact(counted),
            (_, Some(counted), _) if kind != Kind::Mp4 => Length::About(counted),
            (_, _, Some(units)) => {
                Length::About(packets.frames(units.get()).saturating_sub(packets.lead))
            }
            _ => Length::Unknown,
        };
        let info = SoundInfo {
            rate: packets.rate,
            channels: packets.channels,
            channel_mask: tags.get(MASK_TAG).and_then(parse_mask).or(mask),
            length,
            format: sample_format(&params),
            container: kind.name(),
            codec: codec.unwrap_or("PCM"),
            tags,
        };
        Ok((info, packets))
    }

    /// Decodes up to the first samples: only they say what rate and channels come out. Returns the
    /// channel mask.
    fn first_samples(&mut self) -> Result<Option<u32>, AudioError> {
        let nothing = || AudioError::damaged("the file ends before its sound begins");
        for _ in 0..FIRST_PACKETS {
            let Some(packet) = self.next_packet()? else { break };
            self.packets += 1;
            match self.decoder.decode(&packet) {
                Ok(samples) => {
                    let spec = samples.spec().clone();
                    if samples.frames() == 0 || spec.rate() == 0 || spec.channels().count() == 0 {
                        continue;
                    }
                    self.rate = spec.rate();
                    self.channels = spec.channels().count();
                    samples.copy_to_vecs_planar(&mut self.planes);
                    self.trim_to(&packet);
                    return Ok(channel_mask(spec.channels()));
                }
                Err(CoreError::DecodeError(_) | CoreError::IoError(_))
                    if self.packets <= FORGIVEN_PACKETS || self.damage == Damage::KeepTheRest => {}
                Err(error) => return Err(decoding(error)),
            }
        }
        // A file whose header says that there is nothing is no damaged one, but there is nothing to
        // do with it either.
        Err(nothing())
    }

    pub(super) fn seek(&mut self, frame: u64) -> Result<(), AudioError> {
        let wanted = frame.saturating_add(self.lead).saturating_sub(PREROLL);
        let units = u128::from(wanted) * u128::from(self.clock.denom.get())
            / (u128::from(self.clock.numer.get()) * u128::from(self.rate.max(1)));
        let ts = Timestamp::new(i64::try_from(units).unwrap_or(i64::MAX));
        let to = SeekTo::Timestamp { ts, track_id: self.track_id };
        self.decoder.reset();
        self.clear();
        self.ended = false;
        match self.format.seek(SeekMode::Accurate, to) {
            Ok(_) => {}
            // Behind the end there is nothing to read.
            Err(CoreError::SeekError(_)) => self.ended = true,
            Err(error) => return Err(decoding(error)),
        }
        self.from_start = frame == 0;
        self.given = frame;
        self.skip = 0;
        self.sought = Some(frame + self.lead);
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        out: &mut [Vec<f32>],
        max_frames: usize,
    ) -> Result<usize, AudioError> {
        for channel in out.iter_mut() {
            channel.clear();
        }
        let mut frames = 0;
        while frames < max_frames {
            let there = self.planes.first().map_or(0, Vec::len) - self.taken;
            if there == 0 {
                if !self.fill()? {
                    break;
                }
                continue;
            }
            let skip = usize::try_from(self.skip).unwrap_or(usize::MAX).min(there);
            self.skip -= skip as u64;
            self.taken += skip;
            let mut take = (there - skip).min(max_frames - frames);
            if let Some(end) = self.end {
                let left = end.saturating_sub(self.given);
                take = take.min(usize::try_from(left).unwrap_or(usize::MAX));
                if left == 0 {
                    self.clear();
                    self.ended = true;
                    break;
                }
            }
            for (out, plane) in out.iter_mut().zip(&self.planes) {
                out.extend_from_slice(&plane[self.taken..self.taken + take]);
            }
            self.taken += take;
            self.given += take as u64;
            frames += take;
        }
        Ok(frames)
    }

    fn clear(&mut self) {
        for plane in &mut self.planes {
            plane.clear();
        }
        self.taken = 0;
    }

    /// Decodes the next packet; false at the end.
    fn fill(&mut self) -> Result<bool, AudioError> {
        self.clear();
        if self.ended {
            return Ok(false);
        }
        let Some(packet) = self.next_packet()? else {
            self.ended = true;
            self.check_end()?;
            return Ok(false);
        };
        self.packets += 1;
        match self.decoder.decode(&packet) {
            Ok(samples) => {
                let spec = samples.spec();
                if samples.frames() > 0
                    && (spec.rate() != self.rate || spec.channels().count() != self.channels)
                {
                    return Err(AudioError::unsupported(
                        "the sound changes its rate or its channels on the way",
                    ));
                }
                if samples.frames() > 0 {
                    samples.copy_to_vecs_planar(&mut self.planes);
                    self.trim_to(&packet);
                }
            }
            Err(CoreError::DecodeError(_) | CoreError::IoError(_))
                if self.damage == Damage::KeepTheRest
                    || self.sought.is_some()
                    || (matches!(self.kind, Kind::Mp3 | Kind::Adts)
                        && self.packets <= FORGIVEN_PACKETS) =>
            {
                // Silence in its place, so that what follows stays at its time.
                let frames = usize::try_from(self.frames(packet.dur.get())).unwrap_or(0).min(8192);
                for plane in &mut self.planes {
                    plane.resize(frames, 0.0);
                }
            }
            Err(error) => return Err(decoding(error)),
        }
        self.step_to_sought(&packet);
        Ok(true)
    }

    /// Behind a seek: leaves out what lies before the frame that was gone to.
    fn step_to_sought(&mut self, packet: &Packet) {
        let Some(sought) = self.sought else { return };
        if self.planes.first().is_none_or(Vec::is_empty) {
            return;
        }
        let trimmed = packet.trim_start.get();
        let units = packet.pts.get().saturating_add(i64::try_from(trimmed).unwrap_or(0)).max(0);
        self.skip = sought.saturating_sub(self.frames(units.unsigned_abs()));
        self.sought = None;
    }

    /// MP4 shortens the last packet by its duration, which Symphonia's decoders do not look at.
    fn trim_to(&mut self, packet: &Packet) {
        if self.kind == Kind::Mp4 && packet.dur.get() > 0 {
            let frames = usize::try_from(self.frames(packet.dur.get())).unwrap_or(usize::MAX);
            for plane in &mut self.planes {
                plane.truncate(frames);
            }
        }
    }

    /// Units of the track's clock as frames.
    fn frames(&self, units: u64) -> u64 {
        let numer = u128::from(units) * u128::from(self.clock.numer.get()) * u128::from(self.rate);
        u64::try_from(numer / u128::from(self.clock.denom.get())).unwrap_or(u64::MAX)
    }

    /// The next packet of this track; none at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>, AudioError> {
        loop {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(_) if self.damage == Damage::KeepTheRest => return Ok(None),
                Err(CoreError::ResetRequired) => {
                    return Err(AudioError::unsupported(
                        "the file holds several recordings in a chain",
                    ));
                }
                Err(error) => return Err(decoding(error)),
            }
        }
    }

    /// Whether there was as much as was promised, and the file's own checksum holds.
    fn check_end(&mut self) -> Result<(), AudioError> {
        if self.damage == Damage::KeepTheRest || !self.from_start {
            return Ok(());
        }
        if self.given < self.least {
            return Err(AudioError::cut_off());
        }
        if self.decoder.finalize().verify_ok == Some(false) {
            return Err(AudioError::damaged("the sound does not match the file's own checksum"));
        }
        Ok(())
    }
}

/// The number in a FLAC file's channel mask comment, such as `0x3F`.
fn parse_mask(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok().filter(|mask| *mask != 0)
}

/// The default sound track, or the first that can be decoded.
fn choose_track(format: &dyn FormatReader) -> Result<&Track, AudioError> {
    let decodes = |track: &&Track| {
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        params.is_some_and(|params| codecs().get_audio_decoder(params.codec).is_some())
    };
    let first = format.default_track(TrackType::Audio);
    first
        .filter(decodes)
        .or_else(|| format.tracks().iter().find(decodes))
        .or(first)
        .or_else(|| format.first_track(TrackType::Audio))
        .ok_or_else(no_sound)
}

fn no_sound() -> AudioError {
    AudioError::unsupported("there is no sound in this file, or none that is read")
}

fn no_decoder(error: CoreError, codec: Option<&str>) -> AudioError {
    let made = match codec {
        Some("Opus") => AudioError::unsupported("Opus sound of more than two channels is not read"),
        Some(codec) => AudioError::unsupported(format!("{codec} sound is not read")),
        None => AudioError::unsupported("the coding of the sound is not read"),
    };
    made.because(error)
}

/// A file that could not be opened.
fn opening(error: CoreError) -> AudioError {
    match error {
        CoreError::Unsupported(what) => {
            AudioError::unsupported("this kind of sound file is not read")
                .because(CoreError::Unsupported(what))
        }
        other => decoding(other),
    }
}

/// A packet that could not be read or decoded.
fn decoding(error: CoreError) -> AudioError {
    match error {
        CoreError::IoError(error) => AudioError::reading(error),
        CoreError::Unsupported(what) => {
            AudioError::unsupported("the file uses a part of its coding that is not read")
                .because(CoreError::Unsupported(what))
        }
        CoreError::LimitError(what) => {
            AudioError::damaged("the file asks for more memory than any sound needs")
                .because(CoreError::LimitError(what))
        }
        other => AudioError::damaged("the sound in this file is damaged").because(other),
    }
}
