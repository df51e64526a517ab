//! Files in a gzipped tar archive, which is read whole: header blocks of 512 bytes as POSIX lays them
//! out (IEEE 1003.1, `pax`, "ustar Interchange Format").

use std::io::Read;

use flate2::read::GzDecoder;

use crate::error::LoadError;

/// No archive that we read is larger when unpacked.
const MAX_BYTES: u64 = 64 << 20;
const BLOCK: usize = 512;

/// Unpacks the archive.
pub(crate) fn unpack(gzip: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    GzDecoder::new(gzip)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| LoadError::damaged(format!("the archive cannot be unpacked ({error})")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(LoadError::damaged("the archive is too large"));
    }
    Ok(bytes)
}

/// The content of the first plain file called `name`, in whatever folder.
pub(crate) fn member<'a>(archive: &'a [u8], name: &str) -> Result<&'a [u8], LoadError> {
    let mut rest = archive;
    while let Some((header, after)) = rest.split_first_chunk::<BLOCK>() {
        // zeros end an archive
        if header[0] == 0 {
            break;
        }
        let size = octal(&header[124..136])
            .ok_or_else(|| LoadError::damaged("a file in the archive has no size"))?;
        let (content, after) = after
            .split_at_checked(size)
            .ok_or_else(|| LoadError::damaged("the archive ends inside a file"))?;
        let path = header[..100].split(|byte| *byte == 0).next().unwrap_or_default();
        let is_plain = matches!(header[156], b'0' | 0);
        if is_plain && path.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes()) {
            return Ok(content);
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        rest = after.get(padding..).unwrap_or_default();
    }
    Err(LoadError::damaged(format!("there is no {name} in the archive")))
}

/// A number as tar writes it: octal digits, then spaces or zeros.
fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?;
    usize::from_str_radix(text.trim_matches([' ', '\0']), 8)
        .ok()
        .filter(|size| *size as u64 <= MAX_BYTES)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    /// A gzipped archive of plain files.
    pub(crate) fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, content) in files {
            let mut header = [0_u8; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[156] = b'0';
            archive.extend(header);
            archive.extend(*content);
            archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        }
        archive.resize(archive.len() + 2 * BLOCK, 0);
        gzip(&archive)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn files_are_found_by_name_in_any_folder() {
        let long = [7; 1000];
        let archive = unpack(&pack(&[("a/long.bin", &long), ("short.bin", b"xyz")])).unwrap();
        assert_eq!(member(&archive, "long.bin").unwrap(), long);
        assert_eq!(member(&archive, "short.bin").unwrap(), b"xyz");
        for missing in ["a", "bin", "ong.bin", ""] {
            assert!(member(&archive, missing).is_err(), "{missing}");
        }
        assert!(member(&archive[..900], "long.bin").is_err(), "cut off");
        assert!(unpack(&pack(&[])[1..]).is_err(), "not gzip");
        let mut absurd = archive.clone();
        absurd[124..135].copy_from_slice(b"77777777777");
        assert!(member(&absurd, "short.bin").is_err());
    }

    #[test]
    fn an_archive_that_grows_too_large_is_refused() {
        let error = unpack(&gzip(&vec![0; MAX_BYTES as usize + 1])).unwrap_err().to_string();
        assert!(error.contains("too large"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn changed_archives_never_panic(at in 0_usize..2048, value: u8) {
            let mut archive = unpack(&pack(&[("a", &[1; 600]), ("b", b"2")])).unwrap();
            archive[at] = value;
            let _ = member(&archive, "b");
        }
    }
}
