//! IPTC captions inside Photoshop's resource blocks, as JPEG and some TIFF files keep them.

const IPTC: u16 = 0x0404;

/// The IPTC data sets in a run of "8BIM" resources.
pub(crate) fn from_photoshop(block: &[u8]) -> Option<Vec<u8>> {
    let mut rest = block;
    loop {
        let after = rest.strip_prefix(b"8BIM")?;
        let id = u16::from_be_bytes(after.get(..2)?.try_into().ok()?);
        // A name with its length before it, padded to an even number of bytes.
        let name = 1 + usize::from(*after.get(2)?);
        let at = 2 + name + name % 2;
        let length = u32::from_be_bytes(after.get(at..at + 4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let data = after.get(at + 4..)?;
        if id == IPTC {
            return data.get(..length).filter(|data| !data.is_empty()).map(<[u8]>::to_vec);
        }
        rest = data.get(length.checked_add(length % 2)?..)?;
    }
}

/// The data sets without the zeros that pad them: each begins with 0x1C.
pub(crate) fn without_padding(mut iptc: Vec<u8>) -> Vec<u8> {
    let mut end = 0;
    while let Some([0x1C, _, _, high, low]) = iptc.get(end..end + 5) {
        // A set bit says that the length itself is longer; no caption is.
        if high & 0x80 != 0 {
            return iptc;
        }
        end += 5 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    iptc.truncate(end);
    iptc
}

/// The data sets as one "8BIM" resource.
pub(crate) fn to_photoshop(iptc: &[u8]) -> Vec<u8> {
    let mut out = b"8BIM".to_vec();
    out.extend(IPTC.to_be_bytes());
    out.extend([0, 0]);
    out.extend((iptc.len() as u32).to_be_bytes());
    out.extend(iptc);
    if iptc.len() % 2 == 1 {
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_no_caption() {
        let sets = b"\x1C\x02\x78\0\x05Paris\x1C\x02\x00\0\x02\0\0".to_vec();
        let padded = [sets.as_slice(), &[0; 3]].concat();
        assert_eq!(without_padding(padded), sets);
    }

    #[test]
    fn captions_are_found_behind_other_resources() {
        let mut block = b"8BIM\x03\xED\x03abc\0\0\0\x03xyz\0".to_vec();
        block.extend(to_photoshop(b"\x1C\x02\x78\0\x05Paris"));
        assert_eq!(from_photoshop(&block).unwrap(), b"\x1C\x02\x78\0\x05Paris");
        for length in 0..block.len() - 1 {
            let _ = from_photoshop(&block[..length]);
        }
        assert_eq!(from_photoshop(b"8BIM\x04\x04\0\0\xFF\xFF\xFF\xFF"), None);
    }
}
