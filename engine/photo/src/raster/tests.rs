use super::*;

/// Every layout there is.
pub(crate) fn layouts() -> Vec<Layout> {
    let mut all = Vec::new();
    for color in [ColorKind::Gray, ColorKind::Rgb] {
        for alpha in [false, true] {
            for depth in [Depth::U8, Depth::U16, Depth::F32] {
                all.push(Layout { color, alpha, depth });
            }
        }
    }
    all
}

/// Every sample different, and exact in every depth.
fn numbered(layout: Layout, width: u32, height: u32) -> Planes {
    let n = layout.channels() * (width * height) as usize;
    let data = (0..n).map(|i| i as f32 / 255.0).collect();
    Planes::from_vec(layout.channels(), height as usize, width as usize, data).unwrap()
}

#[test]
fn what_is_written_is_read_in_memory_and_in_a_file() {
    let mut wrong = Vec::new();
    for layout in layouts() {
        for budget in [u64::MAX, 0] {
            let mut raster = Raster::new(7, 5, layout, budget).unwrap();
            let planes = numbered(layout, 7, 5);
            raster.write(raster.rect(), &planes).unwrap();
            let part = Rect::new(2, 1, 4, 3);
            let read = raster.read(part).unwrap();
            let wanted = planes.crop(2, 1, 4, 3).unwrap();
            let far = read.data().iter().zip(wanted.data()).any(|(a, b)| (a - b).abs() > 1e-6);
            if far || (raster.memory_bytes() == 0) != (budget == 0) {
                wrong.push(format!("{} budget {budget}", layout.describe()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_orientation_reads_upright_and_any_part_of_it() {
    // Stored 3 x 2: 0 1 2 / 3 4 5.
    let upright: [(u16, u32, &[u8]); 8] = [
        (1, 3, &[0, 1, 2, 3, 4, 5]),
        (2, 3, &[2, 1, 0, 5, 4, 3]),
        (3, 3, &[5, 4, 3, 2, 1, 0]),
        (4, 3, &[3, 4, 5, 0, 1, 2]),
        (5, 2, &[0, 3, 1, 4, 2, 5]),
        (6, 2, &[3, 0, 4, 1, 5, 2]),
        (7, 2, &[5, 2, 4, 1, 3, 0]),
        (8, 2, &[2, 5, 1, 4, 0, 3]),
    ];
    let layout = Layout { color: ColorKind::Gray, alpha: false, depth: Depth::U8 };
    let mut wrong = Vec::new();
    for (value, width, wanted) in upright {
        let raster = Raster::from_bytes(3, 2, layout, vec![0, 1, 2, 3, 4, 5], u64::MAX)
            .unwrap()
            .oriented(Orientation::from_exif(value));
        let whole = raster.read(raster.rect()).unwrap();
        let seen: Vec<u8> = whole.data().iter().map(|v| to_u8(*v)).collect();
        if raster.width() != width || seen != wanted {
            wrong.push(format!("{value}: {} wide, {seen:?}", raster.width()));
        }
        for y in 0..raster.height() {
            for x in 0..raster.width() {
                let one = raster.read(Rect::new(x, y, 1, 1)).unwrap();
                let here = whole.data()[(y * width + x) as usize];
                if one.data() != [here] {
                    wrong.push(format!("{value}: pixel ({x}, {y})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn samples_round_to_the_nearest_and_clamp() {
    let cases =
        [(-1.0, 0), (0.0, 0), (0.499 / 255.0, 0), (0.501 / 255.0, 1), (1.0, 255), (7.0, 255)];
    for (value, wanted) in cases {
        assert_eq!(to_u8(value), wanted, "{value}");
    }
    assert_eq!(to_u8(f32::NAN), 0);
    assert_eq!(to_u16(f32::INFINITY), 65535);
    for v in 0..=u16::MAX {
        assert_eq!(to_u16(f32::from(v) / 65535.0), v);
    }
}

#[test]
fn a_region_outside_is_an_error() {
    let layout = Layout { color: ColorKind::Gray, alpha: false, depth: Depth::U8 };
    let raster = Raster::new(3, 2, layout, u64::MAX).unwrap();
    for rect in [Rect::new(3, 0, 1, 1), Rect::new(0, 1, 1, 2), Rect::new(u32::MAX, 0, 2, 1)] {
        assert_eq!(raster.read(rect).unwrap_err().kind(), crate::ErrorKind::Internal);
    }
}
