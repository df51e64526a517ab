//! The little of an ICC profile that is shown: its name.

/// The profile's description: tag `desc`, of type `desc` (version 2) or `mluc` (version 4).
pub(crate) fn description(profile: &[u8]) -> Option<String> {
    let u32_at = |at: usize| -> Option<usize> {
        let bytes = profile.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let count = u32_at(128)?.min(256);
    let entry = (0..count)
        .map(|index| 132 + 12 * index)
        .find(|at| profile.get(*at..at + 4) == Some(b"desc"))?;
    let (start, size) = (u32_at(entry + 4)?, u32_at(entry + 8)?);
    let tag = profile.get(start..start.checked_add(size)?)?;
    let text = match tag.get(..4)? {
        b"desc" => {
            let length = u32::from_be_bytes(tag.get(8..12)?.try_into().ok()?) as usize;
            String::from_utf8_lossy(tag.get(12..12 + length.min(tag.len() - 12))?).into_owned()
        }
        b"mluc" => {
            // The first record of the table; profiles put English there.
            let length = u32::from_be_bytes(tag.get(20..24)?.try_into().ok()?) as usize;
            let offset = u32::from_be_bytes(tag.get(24..28)?.try_into().ok()?) as usize;
            let bytes = tag.get(offset..offset.checked_add(length)?)?;
            let (units, _) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => return None,
    };
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_a_description_are_read_and_damage_is_none() {
        let mut profile = vec![0; 128];
        profile.extend(1_u32.to_be_bytes());
        profile.extend(b"desc");
        profile.extend(144_u32.to_be_bytes());
        profile.extend(18_u32.to_be_bytes());
        let mut old = profile.clone();
        old.extend(b"desc\0\0\0\0\0\0\0\x05sRGB\0\0");
        assert_eq!(description(&old).as_deref(), Some("sRGB"));
        profile[140..144].copy_from_slice(&32_u32.to_be_bytes());
        profile.extend(b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0CenUS\0\0\0\x04\0\0\0\x1C\0P\x003");
        assert_eq!(description(&profile).as_deref(), Some("P3"));
        for length in 0..old.len() {
            assert_eq!(description(&old[..length]), None);
        }
    }
}
