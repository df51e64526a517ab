//! Opus for Symphonia, by the pure Rust decoder `opus-decoder`. One and two channels.

use std::sync::LazyLock;

use opus_decoder::OpusDecoder;
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{
    CodecRegistry, RegisterableAudioDecoder, SupportedAudioCodec,
};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

/// Opus always decodes to this rate, whatever was recorded.
const RATE: u32 = 48_000;
/// The longest packet, 120 ms.
const LONGEST_FRAMES: usize = 5760;

/// All codings that are read.
pub(super) fn codecs() -> &'static CodecRegistry {
    static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<Opus>();
        codecs
    });
    &CODECS
}

/// Frames that a coder's start takes, from the identification header (RFC 7845, 5.1).
pub(super) fn pre_skip(params: &AudioCodecParameters) -> u64 {
    let header = params.extra_data.as_deref().unwrap_or_default();
    header.get(10..12).map_or(0, |at| u64::from(u16::from_le_bytes([at[0], at[1]])))
}

struct Opus {
    decoder: OpusDecoder,
    params: AudioCodecParameters,
    samples: AudioBuffer<f32>,
    interleaved: Vec<f32>,
    channels: usize,
}

impl Opus {
    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        self.samples.clear();
        let frames = self
            .decoder
            .decode_float(packet.data, &mut self.interleaved, false)
            .map_err(|_| Error::DecodeError("opus: bad packet"))?;
        self.samples.resize_with_silence(frames.min(LONGEST_FRAMES));
        for channel in 0..self.channels {
            if let Some(plane) = self.samples.plane_mut(channel) {
                let samples = self.interleaved.iter().skip(channel).step_by(self.channels);
                for (to, from) in plane.iter_mut().zip(samples) {
                    *to = *from;
                }
            }
        }
        // What the start takes is left out by whoever knows it; see `pre_skip`.
        let end = usize::try_from(packet.trim_end.get()).unwrap_or(usize::MAX);
        self.samples.trim(0, end.min(frames));
        Ok(())
    }
}

impl AudioDecoder for Opus {
    fn reset(&mut self) {
        self.decoder.reset();
    }

    fn codec_info(&self) -> &CodecInfo {
        &SUPPORTED[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        if let Err(error) = self.decode_packet(packet) {
            self.samples.clear();
            return Err(error);
        }
        Ok(self.samples.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.samples.as_generic_audio_buffer_ref()
    }
}

static SUPPORTED: [SupportedAudioCodec; 1] = [SupportedAudioCodec {
    id: CODEC_ID_OPUS,
    info: CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] },
}];

impl RegisterableAudioDecoder for Opus {
    fn try_registry_new(
        params: &AudioCodecParameters,
        _: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        let channels = params.channels.clone().unwrap_or(Channels::Discrete(2));
        let count = channels.count();
        if !(1..=2).contains(&count) {
            return Err(Error::Unsupported("opus: more than two channels"));
        }
        let decoder = OpusDecoder::new(RATE, count)
            .map_err(|_| Error::Unsupported("opus: number of channels"))?;
        Ok(Box::new(Self {
            decoder,
            params: params.clone(),
            samples: AudioBuffer::new(AudioSpec::new(RATE, channels), LONGEST_FRAMES),
            interleaved: vec![0.0; LONGEST_FRAMES * count],
            channels: count,
        }))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &SUPPORTED
    }
}
