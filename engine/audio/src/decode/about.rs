//! What a container says about its sound track: codings by name, tags, sample format.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known as codec;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::formats::FormatReader;
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{
    MetadataOptions, MetadataReader, MetadataRevision, RawValue, StandardTag, StandardVisualKey,
    Tag, Visual,
};
use symphonia::default::meta::Id3v2Reader;

use crate::info::SampleFormat;
use crate::picture::Picture;
use crate::tags::Tags;

/// Codings that Limpid can name, read or not.
const CODECS: &[(AudioCodecId, &str)] = &[
    (codec::CODEC_ID_FLAC, "FLAC"),
    (codec::CODEC_ID_ALAC, "ALAC"),
    (codec::CODEC_ID_MP3, "MP3"),
    (codec::CODEC_ID_MP2, "MP2"),
    (codec::CODEC_ID_MP1, "MP1"),
    (codec::CODEC_ID_AAC, "AAC"),
    (codec::CODEC_ID_VORBIS, "Vorbis"),
    (codec::CODEC_ID_OPUS, "Opus"),
    (codec::CODEC_ID_SPEEX, "Speex"),
    (codec::CODEC_ID_AC3, "AC-3"),
    (codec::CODEC_ID_EAC3, "E-AC-3"),
    (codec::CODEC_ID_DCA, "DTS"),
    (codec::CODEC_ID_TRUEHD, "TrueHD"),
    (codec::CODEC_ID_ADPCM_MS, "ADPCM"),
    (codec::CODEC_ID_ADPCM_IMA_WAV, "ADPCM"),
    (codec::CODEC_ID_ADPCM_IMA_QT, "ADPCM"),
];

/// The coding's name; plain samples are all `PCM`.
pub(super) fn codec_name(id: AudioCodecId) -> Option<&'static str> {
    CODECS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// How samples were stored.
pub(super) fn sample_format(params: &AudioCodecParameters) -> SampleFormat {
    match codec_name(params.codec) {
        Some("FLAC" | "ALAC") | None => {}
        Some(_) => return SampleFormat::Lossy,
    }
    let float = [
        codec::CODEC_ID_PCM_F32LE,
        codec::CODEC_ID_PCM_F32BE,
        codec::CODEC_ID_PCM_F64LE,
        codec::CODEC_ID_PCM_F64BE,
    ];
    let deep = [codec::CODEC_ID_PCM_S32LE, codec::CODEC_ID_PCM_S32BE];
    let middle = [codec::CODEC_ID_PCM_S24LE, codec::CODEC_ID_PCM_S24BE];
    match params.bits_per_sample {
        _ if float.contains(&params.codec) => SampleFormat::Float32,
        Some(0..=16) => SampleFormat::Int16,
        Some(17..=24) => SampleFormat::Int24,
        Some(_) => SampleFormat::Int32,
        None if deep.contains(&params.codec) => SampleFormat::Int32,
        None if middle.contains(&params.codec) => SampleFormat::Int24,
        None => SampleFormat::Int16,
    }
}

/// Loudspeaker positions as a WAVE channel mask. Its bits are Symphonia's own for the first 18.
pub(super) fn channel_mask(channels: &Channels) -> Option<u32> {
    match channels {
        Channels::Positioned(positions) => {
            u32::try_from(positions.bits()).ok().filter(|mask| *mask < 1 << 18)
        }
        _ => None,
    }
}

/// All tags and pictures of a file, and the gapless note that iTunes leaves, if there is one.
pub(super) fn tags(format: &mut dyn FormatReader) -> (Tags, Option<Gapless>) {
    let mut tags = Tags::default();
    let mut gapless = None;
    let mut metadata = format.metadata();
    loop {
        if let Some(revision) = metadata.current() {
            gapless = gapless.or(add_revision(revision, &mut tags));
        }
        if metadata.pop().is_none() {
            return (tags, gapless);
        }
    }
}

/// Adds what an ID3v2 tag says. A broken one says nothing.
pub(super) fn read_id3(tag: &[u8], tags: &mut Tags) {
    let source = Box::new(std::io::Cursor::new(tag.to_vec()));
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let read = Id3v2Reader::try_new(stream, MetadataOptions::default())
        .and_then(|mut reader| reader.read_all());
    if let Ok(read) = read {
        add_revision(&read.revision, tags);
    }
}

fn add_revision(revision: &MetadataRevision, tags: &mut Tags) -> Option<Gapless> {
    let mut gapless = None;
    let of_tracks = revision.per_track.iter().map(|track| &track.metadata);
    for metadata in std::iter::once(&revision.media).chain(of_tracks) {
        for tag in &metadata.tags {
            if tag.raw.key.ends_with("iTunSMPB") {
                gapless = gapless.or(text(&tag.raw.value).and_then(|text| Gapless::parse(&text)));
            } else if let Some((name, value)) = named(tag) {
                tags.add(&name, &value);
            }
        }
        for visual in &metadata.visuals {
            tags.add_picture(picture(visual));
        }
    }
    gapless
}

/// What a picture shows, by the numbers of ID3v2 and FLAC.
const KINDS: [StandardVisualKey; 21] = [
    StandardVisualKey::Other,
    StandardVisualKey::FileIcon,
    StandardVisualKey::OtherIcon,
    StandardVisualKey::FrontCover,
    StandardVisualKey::BackCover,
    StandardVisualKey::Leaflet,
    StandardVisualKey::Media,
    StandardVisualKey::LeadArtistPerformerSoloist,
    StandardVisualKey::ArtistPerformer,
    StandardVisualKey::Conductor,
    StandardVisualKey::BandOrchestra,
    StandardVisualKey::Composer,
    StandardVisualKey::Lyricist,
    StandardVisualKey::RecordingLocation,
    StandardVisualKey::RecordingSession,
    StandardVisualKey::Performance,
    StandardVisualKey::ScreenCapture,
    StandardVisualKey::Other, // a bright coloured fish
    StandardVisualKey::Illustration,
    StandardVisualKey::BandArtistLogo,
    StandardVisualKey::PublisherStudioLogo,
];

fn picture(visual: &Visual) -> Picture {
    // MP4 does not say what its one picture shows: it is the cover.
    let shows = visual.usage.unwrap_or(StandardVisualKey::FrontCover);
    let kind = KINDS.iter().position(|kind| *kind == shows).unwrap_or(0);
    let description = visual.tags.iter().find_map(|tag| match tag.std.as_ref() {
        Some(StandardTag::Description(_)) => text(&tag.raw.value),
        _ => None,
    });
    let magic: &[(&[u8], &str)] = &[
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG", "image/png"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
    ];
    let seen = magic.iter().find(|(magic, _)| visual.data.starts_with(magic));
    let media_type = match (seen, &visual.media_type) {
        (Some((_, seen)), _) => (*seen).to_owned(),
        (None, Some(told)) => told.clone(),
        (None, None) => "application/octet-stream".to_owned(),
    };
    Picture {
        media_type,
        kind: u8::try_from(kind).unwrap_or(0),
        description: description.unwrap_or_default(),
        data: visual.data.as_ref().into(),
    }
}

/// The field of an ID3 `TXXX` frame that names its text.
const TXXX_DESCRIPTION: &str = "DESCRIPTION";

/// A tag by its Vorbis comment name.
fn named(tag: &Tag) -> Option<(String, String)> {
    let value = text(&tag.raw.value)?;
    let name = match tag.std.as_ref() {
        Some(StandardTag::TrackTitle(_)) => "TITLE",
        Some(StandardTag::Artist(_)) => "ARTIST",
        Some(StandardTag::Album(_)) => "ALBUM",
        Some(StandardTag::AlbumArtist(_)) => "ALBUMARTIST",
        Some(StandardTag::Comment(_)) => "COMMENT",
        Some(StandardTag::Description(_)) => "DESCRIPTION",
        Some(StandardTag::Composer(_)) => "COMPOSER",
        Some(StandardTag::Copyright(_)) => "COPYRIGHT",
        Some(StandardTag::Genre(_)) => "GENRE",
        Some(StandardTag::Language(_)) => "LANGUAGE",
        Some(StandardTag::Performer(_)) => "PERFORMER",
        Some(
            StandardTag::RecordingDate(_)
            | StandardTag::RecordingYear(_)
            | StandardTag::ReleaseDate(_)
            | StandardTag::ReleaseYear(_),
        ) => "DATE",
        Some(StandardTag::TrackNumber(_)) => "TRACKNUMBER",
        // What made the file that was read says nothing about the one to be written.
        Some(StandardTag::Encoder(_) | StandardTag::EncoderSettings(_)) => return None,
        Some(_) | None => return own_name(tag).map(|name| (name, value)),
    };
    Some((name.to_owned(), value))
}

/// What a tag is called in the file, where that reads like a name: ID3's `TXXX` has one beside its
/// text; format codes such as `©too` do not.
fn own_name(tag: &Tag) -> Option<String> {
    let described = tag.raw.sub_fields.iter().flatten().find_map(|field| {
        (tag.raw.key == "TXXX" && field.field == TXXX_DESCRIPTION).then(|| text(&field.value))
    });
    let key = described.flatten().unwrap_or_else(|| tag.raw.key.clone());
    let key = key.rsplit(':').next()?;
    (key.len() > 4
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte)))
    .then(|| key.to_owned())
}

fn text(value: &RawValue) -> Option<String> {
    match value {
        RawValue::String(text) => Some(text.to_string()),
        RawValue::StringList(list) => Some(list.join("; ")),
        RawValue::UnsignedInt(number) => Some(number.to_string()),
        RawValue::SignedInt(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What iTunes writes about the coder's delay: frames to leave out at the start, frames to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gapless {
    pub(super) delay: u64,
    pub(super) frames: u64,
}

impl Gapless {
    /// ` 00000000 00000840 000001CA 00000000003F31F6 …`: nothing, delay, padding, frames, in
    /// hexadecimal.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(|word| u64::from_str_radix(word, 16).ok());
        let (_, delay, _, frames) =
            (words.next()??, words.next()??, words.next()??, words.next()??);
        (delay < 1 << 16 && frames > 0).then_some(Self { delay, frames })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_of_itunes() {
        let note = " 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(Gapless::parse(note), Some(Gapless { delay: 0x840, frames: 0x3f_31f6 }));
        for bad in ["", "x y z", "00000000 00000840 000001CA", "0 ffffffff 0 1", "0 0 0 0"] {
            assert_eq!(Gapless::parse(bad), None, "{bad}");
        }
    }
}
