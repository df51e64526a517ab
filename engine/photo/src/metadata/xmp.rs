//! XMP packets, corrected in place: the few properties that repeat orientation, size or place are
//! found in the text and changed there; every other byte stays.

use std::collections::HashMap;
use std::ops::Range;

use super::exif::Edits;

const TIFF_NS: &str = "http://ns.adobe.com/tiff/1.0/";
const EXIF_NS: &str = "http://ns.adobe.com/exif/1.0/";
const XMP_NS: &str = "http://ns.adobe.com/xap/1.0/";
const NOTE_NS: &str = "http://ns.adobe.com/xmp/note/";
const CONTAINER_NS: &str = "http://ns.google.com/photos/1.0/container/";
const GAIN_MAP_NS: &str = "http://ns.adobe.com/hdr-gain-map/1.0/";

/// Elements within elements; deeper packets are refused.
const DEPTH_LIMIT: usize = 128;

/// The packet is not well-formed XML in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the XMP block is not well-formed")]
pub struct XmpError;

/// What becomes of a property.
#[derive(Clone, Debug, PartialEq)]
enum Action {
    Keep,
    Replace(String),
    Remove,
}

/// The packet with `tiff:Orientation` 1, without thumbnails and pointers to other pictures in the
/// file, and with `edits` made: sizes in the
/// `tiff` and `exif` namespaces, and every property whose name begins with "GPS" (in any
/// namespace: drones write their own) removed on demand.
///
/// # Errors
/// [`XmpError`] when the packet is not well-formed.
pub fn edit(packet: &[u8], edits: &Edits) -> Result<Vec<u8>, XmpError> {
    let text = std::str::from_utf8(packet).map_err(|_| XmpError)?;
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut prefixes: HashMap<&str, &str> = HashMap::new();
    let mut open: Vec<&str> = Vec::new();
    // The element being changed: its depth, where the change begins, and the new content.
    let mut changing: Option<(usize, usize, Option<String>)> = None;
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        let tag = read_tag(text, start)?;
        at = tag.end;
        match tag.kind {
            TagKind::Other => {}
            TagKind::Close(name) => {
                if open.pop() != Some(name) {
                    return Err(XmpError);
                }
                let ends = |change: &mut (usize, usize, Option<String>)| change.0 == open.len();
                if let Some((_, from, content)) = changing.take_if(ends) {
                    let to = if content.is_some() { start } else { tag.end };
                    changes.push((from..to, content.unwrap_or_default()));
                }
            }
            TagKind::Open { name, attributes, closed } => {
                for attribute in &attributes {
                    if let Some(prefix) = attribute.name.strip_prefix("xmlns:") {
                        prefixes.insert(prefix, attribute.value(text));
                    }
                }
                if changing.is_none() {
                    match action(&prefixes, name, edits) {
                        Action::Keep => {}
                        Action::Remove if closed => changes.push((start..tag.end, String::new())),
                        Action::Replace(_) if closed => {}
                        Action::Remove => changing = Some((open.len(), start, None)),
                        Action::Replace(value) => {
                            changing = Some((open.len(), tag.end, Some(value)));
                        }
                    }
                }
                if changing.is_none() {
                    for attribute in &attributes {
                        match action(&prefixes, attribute.name, edits) {
                            Action::Keep => {}
                            Action::Remove => {
                                changes.push((attribute.whole.clone(), String::new()))
                            }
                            Action::Replace(value) => {
                                changes.push((attribute.value.clone(), value))
                            }
                        }
                    }
                }
                if !closed {
                    open.push(name);
                    if open.len() > DEPTH_LIMIT {
                        return Err(XmpError);
                    }
                }
            }
        }
    }
    if !open.is_empty() {
        return Err(XmpError);
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    // A removed element covers the changes recorded inside it: none are, see `changing`.
    changes.sort_by_key(|(range, _)| range.start);
    for (range, replacement) in changes {
        out.push_str(text.get(copied..range.start).ok_or(XmpError)?);
        out.push_str(&replacement);
        copied = range.end;
    }
    out.push_str(text.get(copied..).ok_or(XmpError)?);
    Ok(out.into_bytes())
}

/// A packet without the white space that writers leave at its end for later edits.
pub(crate) fn without_padding(packet: &[u8]) -> Vec<u8> {
    let Some(end) = packet.windows(11).rposition(|window| window == b"<?xpacket e") else {
        return packet.to_vec();
    };
    let mut out = packet[..end].trim_ascii_end().to_vec();
    out.push(b'\n');
    out.extend_from_slice(&packet[end..]);
    out
}

fn action(prefixes: &HashMap<&str, &str>, name: &str, edits: &Edits) -> Action {
    let Some((prefix, local)) = name.split_once(':') else { return Action::Keep };
    let is_gps = local.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("gps"));
    if edits.strip_gps && is_gps && prefix != "xmlns" {
        return Action::Remove;
    }
    let size = |pick: fn((u32, u32)) -> u32| {
        edits.size.map_or(Action::Keep, |size| Action::Replace(pick(size).to_string()))
    };
    match (prefixes.get(prefix).copied(), local) {
        (Some(TIFF_NS), "Orientation") => Action::Replace("1".into()),
        (Some(TIFF_NS), "ImageWidth") | (Some(EXIF_NS), "PixelXDimension") => size(|s| s.0),
        (Some(TIFF_NS), "ImageLength") | (Some(EXIF_NS), "PixelYDimension") => size(|s| s.1),
        (Some(XMP_NS), "Thumbnails") => Action::Remove,
        // These point at parts of a JPEG file that a result does not have.
        (Some(NOTE_NS), "HasExtendedXMP")
        | (Some(CONTAINER_NS), "Directory")
        | (Some(GAIN_MAP_NS), "Version") => Action::Remove,
        _ => Action::Keep,
    }
}

struct Tag<'a> {
    kind: TagKind<'a>,
    /// One past its last byte.
    end: usize,
}

enum TagKind<'a> {
    Open {
        name: &'a str,
        attributes: Vec<Attribute<'a>>,
        closed: bool,
    },
    Close(&'a str),
    /// A comment, CDATA or processing instruction.
    Other,
}

struct Attribute<'a> {
    name: &'a str,
    /// Between the quotes.
    value: Range<usize>,
    /// With the white space before it.
    whole: Range<usize>,
}

impl Attribute<'_> {
    fn value<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.value.clone()).unwrap_or_default()
    }
}

/// The tag that begins with the `<` at `start`.
fn read_tag(text: &str, start: usize) -> Result<Tag<'_>, XmpError> {
    let rest = &text[start..];
    for (opening, closing) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(inside) = rest.strip_prefix(opening) {
            let length = inside.find(closing).ok_or(XmpError)?;
            let end = start + opening.len() + length + closing.len();
            return Ok(Tag { kind: TagKind::Other, end });
        }
    }
    if let Some(inside) = rest.strip_prefix("</") {
        let length = inside.find('>').ok_or(XmpError)?;
        let kind = TagKind::Close(inside[..length].trim());
        return Ok(Tag { kind, end: start + 2 + length + 1 });
    }
    let mut at = start + 1;
    let name = read_name(text, &mut at)?;
    let mut attributes = Vec::new();
    loop {
        let before = at;
        skip_space(text, &mut at);
        let rest = &text[at..];
        if rest.starts_with("/>") || rest.starts_with('>') {
            let closed = rest.starts_with('/');
            let end = at + if closed { 2 } else { 1 };
            return Ok(Tag { kind: TagKind::Open { name, attributes, closed }, end });
        }
        let attribute = read_name(text, &mut at)?;
        skip_space(text, &mut at);
        if !text[at..].starts_with('=') {
            return Err(XmpError);
        }
        at += 1;
        skip_space(text, &mut at);
        let quote = text[at..].chars().next().filter(|c| matches!(c, '"' | '\''));
        let from = at + 1;
        let length = text.get(from..).and_then(|t| t.find(quote?)).ok_or(XmpError)?;
        at = from + length + 1;
        attributes.push(Attribute {
            name: attribute,
            value: from..from + length,
            whole: before..at,
        });
    }
}

fn skip_space(text: &str, at: &mut usize) {
    let rest = &text[*at..];
    *at += rest.len() - rest.trim_ascii_start().len();
}

fn read_name<'a>(text: &'a str, at: &mut usize) -> Result<&'a str, XmpError> {
    let rest = &text[*at..];
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/' | '>' | '<' | '"' | '\'');
    let name = &rest[..rest.find(ends).ok_or(XmpError)?];
    // `<!DOCTYPE` comes here: XMP has none, and what it could declare is best not touched.
    if name.is_empty() || name.starts_with('!') {
        return Err(XmpError);
    }
    *at += name.len();
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = concat!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n",
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">",
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
        "<rdf:Description xmlns:t=\"http://ns.adobe.com/tiff/1.0/\" ",
        "xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:dji=\"http://www.dji.com/\" ",
        "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" ",
        "xmlns:hdr=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdr:Version=\"1.0\" ",
        "t:Orientation = \"6\" exif:GPSLatitude='48,8N' dji:GpsLongitude=\"2.3\" xmp:Rating=\"4\">",
        "<!-- <t:Orientation>8</t:Orientation> -->",
        "<exif:PixelXDimension>640</exif:PixelXDimension>",
        "<exif:GPSLongitude>2,2E</exif:GPSLongitude>",
        "<xmp:Thumbnails><rdf:Alt><rdf:li><t:ImageWidth>9</t:ImageWidth></rdf:li></rdf:Alt>",
        "</xmp:Thumbnails>",
        "<t:ImageLength>480</t:ImageLength><xmp:Label>a > b</xmp:Label>",
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n",
        "          \n<?xpacket end=\"w\"?>",
    );

    fn edited(edits: Edits) -> String {
        String::from_utf8(edit(PACKET.as_bytes(), &edits).unwrap()).unwrap()
    }

    #[test]
    fn orientation_size_and_thumbnail_are_corrected_and_the_rest_stays() {
        let out = edited(Edits { size: Some((1280, 960)), strip_gps: false });
        let wanted = PACKET
            .replace("t:Orientation = \"6\"", "t:Orientation = \"1\"")
            .replace(" hdr:Version=\"1.0\"", "")
            .replace(">640<", ">1280<")
            .replace(">480<", ">960<");
        let (from, to) =
            (wanted.find("<xmp:Thumb").unwrap(), wanted.find("<t:ImageLength").unwrap());
        assert_eq!(out, format!("{}{}", &wanted[..from], &wanted[to..]));
    }

    #[test]
    fn the_place_goes_in_every_namespace_and_form() {
        let out = edited(Edits { size: None, strip_gps: true });
        assert!(!out.to_lowercase().contains("gps"), "{out}");
        assert!(out.contains("xmp:Rating=\"4\"") && out.contains(">640<"), "{out}");
        assert!(edited(Edits::default()).contains("dji:GpsLongitude"));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let mut wrong = Vec::new();
        for text in
            ["<a>", "<a></b>", "<a b></a>", "<a b=c></a>", "<", "<a b=\"></a>", "<!DOCTYPE x><a/>"]
        {
            if edit(text.as_bytes(), &Edits::default()).is_ok() {
                wrong.push(text);
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(edit(&[0xFF, 0xFE], &Edits::default()), Err(XmpError));
    }

    #[test]
    fn padding_goes_and_the_trailer_stays() {
        let out = String::from_utf8(without_padding(PACKET.as_bytes())).unwrap();
        assert!(out.ends_with("</x:xmpmeta>\n<?xpacket end=\"w\"?>"), "{out}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_edited_or_refused(text in "[<>/?!='\" a-z:é-]{0,80}") {
            let edits = Edits { size: Some((1, 2)), strip_gps: true };
            let _ = edit(text.as_bytes(), &edits);
        }

        #[test]
        fn a_damaged_packet_is_edited_or_refused(at in 0..PACKET.len(), with: u8) {
            let mut packet = PACKET.as_bytes().to_vec();
            packet[at] = with;
            let edits = Edits { size: Some((1, 2)), strip_gps: true };
            if let Ok(once) = edit(&packet, &edits) {
                let twice = edit(&once, &edits);
                proptest::prop_assert_eq!(twice, Ok(once));
            }
        }
    }
}
