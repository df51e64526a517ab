//! Pictures with known noise, and odd ones.

use std::convert::Infallible;

use super::*;
use crate::synthetic::{in_8_bit, scene, with_noise};

fn level(planes: &Planes) -> NoiseLevel {
    let pool = Pool::new(2).unwrap();
    let size = (planes.width() as u32, planes.height() as u32);
    let read = |r: Rect| -> Result<Planes, Infallible> {
        let [x, y, w, h] = [r.x, r.y, r.width, r.height].map(|v| v as usize);
        Ok(planes.crop(x, y, w, h).unwrap())
    };
    estimate(size, Sampling::DENSE, &pool, read).unwrap()
}

#[test]
fn added_noise_is_found_in_small_and_large_pictures() {
    let mut wrong = Vec::new();
    for (width, height) in [(160, 120), (480, 320), (1600, 1100)] {
        for sigma in [2.0_f32, 5.0, 15.0, 25.0, 50.0] {
            let picture = in_8_bit(with_noise(&scene(width, height, 7), sigma, 11));
            let found = level(&picture).sigma;
            if (found - sigma).abs() > 0.3 + 0.05 * sigma {
                wrong.push(format!("{width} x {height}, {sigma}: {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn blotchy_noise_of_a_camera_is_found() {
    // Noise on a Bayer pattern, missing samples filled in from their neighbours.
    let clean = scene(640, 480, 12);
    for sigma in [4.0_f32, 8.0, 16.0] {
        let sensor = with_noise(&clean, sigma, 21);
        let mut picture = clean.clone();
        for channel in 0..3 {
            let has = |x: usize, y: usize| match (x % 2, y % 2) {
                (0, 0) => channel == 0,
                (1, 1) => channel == 2,
                _ => channel == 1,
            };
            let source = sensor.plane(channel).to_vec();
            for (index, value) in picture.plane_mut(channel).iter_mut().enumerate() {
                let (x, y) = (index % 640, index / 640);
                let around = |reach: usize| {
                    (y.saturating_sub(reach)..(y + reach + 1).min(480))
                        .flat_map(move |y| {
                            (x.saturating_sub(reach)..(x + reach + 1).min(640)).map(move |x| (x, y))
                        })
                        .filter(|(x, y)| has(*x, *y))
                        .map(|(x, y)| source[y * 640 + x])
                        .collect::<Vec<_>>()
                };
                let samples = around(usize::from(!has(x, y)));
                *value = samples.iter().sum::<f32>() / samples.len() as f32;
            }
        }
        let found = level(&in_8_bit(picture)).sigma;
        assert!((found - sigma).abs() < 0.15 * sigma + 0.2, "{sigma}: {found}");
    }
}

#[test]
fn noise_that_depends_on_the_brightness_makes_a_curve_and_other_noise_none() {
    let clean = scene(900, 700, 8);
    assert!(level(&in_8_bit(with_noise(&clean, 12.0, 3))).curve.is_flat());
    // Stronger in the shadows than in the lights.
    let factor = |brightness: f32| 1.8 - 1.6 * brightness;
    let noise = with_noise(&clean, 12.0, 3);
    let area = 900 * 700;
    let mut uneven = clean.clone();
    for (index, value) in uneven.data_mut().iter_mut().enumerate() {
        let at = index % area;
        let mean = (0..3).map(|channel| clean.plane(channel)[at]).sum::<f32>() / 3.0;
        *value += (noise.data()[index] - *value) * factor(mean);
    }
    let found = level(&in_8_bit(uneven));
    let curve = found.curve;
    for brightness in [0.3_f32, 0.45, 0.6] {
        let (wanted, found) = (12.0 * factor(brightness), found.sigma * found.curve.at(brightness));
        assert!(
            (found / wanted - 1.0).abs() < 0.2,
            "{brightness}: {found} for {wanted}, {curve:?}"
        );
    }
}

#[test]
fn channels_are_told_apart() {
    let clean = scene(320, 240, 3);
    let mut noisy = clean.clone();
    for (channel, sigma) in [(0, 4.0), (1, 8.0), (2, 16.0)] {
        let source = with_noise(&clean, sigma, 5);
        noisy.plane_mut(channel).copy_from_slice(source.plane(channel));
    }
    let found = level(&in_8_bit(noisy));
    for (found, wanted) in found.channels.iter().zip([4.0, 8.0, 16.0]) {
        assert!((found - wanted).abs() < 0.1 * wanted + 0.2, "{found} {wanted}");
    }
    let mean = ((16.0 + 64.0 + 256.0_f32) / 3.0).sqrt();
    assert!((found.sigma - mean).abs() < 1.0, "{found:?}");
    assert!((found.luma - mean / 3.0_f32.sqrt()).abs() < 0.6, "{found:?}");
    assert_eq!(found.for_denoiser(), found.sigma);
}

#[test]
fn a_grey_picture_has_one_level() {
    let noisy = in_8_bit(with_noise(&scene(256, 256, 1), 12.0, 2));
    let grey = Planes::from_vec(1, 256, 256, noisy.plane(1).to_vec()).unwrap();
    let three_times = Planes::from_vec(3, 256, 256, noisy.plane(1).repeat(3)).unwrap();
    assert_eq!(level(&three_times).channels, level(&grey).channels);
    assert!(level(&three_times).for_denoiser() > 1.6 * 12.0);
    let found = level(&grey);
    assert!((found.sigma - 12.0).abs() < 0.8, "{found:?}");
    assert_eq!(found.channels, [found.luma; 3]);
    assert!((found.for_denoiser() / found.sigma - 3.0_f32.sqrt()).abs() < 1e-3);
}

#[test]
fn clean_and_drawn_pictures_have_none() {
    // Lettering: small dark marks on light paper, once clipped and once not.
    for paper in [1.0_f32, 0.9] {
        let mut page = Planes::zeros(3, 400, 600);
        page.data_mut().fill(paper);
        for channel in 0..3 {
            for (index, value) in page.plane_mut(channel).iter_mut().enumerate() {
                let (x, y) = (index % 600, index / 600);
                let line = y % 24 < 9 && x > 40 && x < 500;
                if line && (x * 7 + (y / 3) * 5) % 11 < 4 {
                    *value = 0.2;
                }
            }
        }
        assert!(level(&in_8_bit(page)).sigma < 0.5, "paper {paper}");
    }
    assert!(level(&in_8_bit(scene(640, 480, 9))).sigma < 0.6);
    let mut flat = Planes::zeros(3, 300, 300);
    flat.data_mut().fill(0.5);
    assert_eq!(level(&flat), NoiseLevel::default());
}

#[test]
fn a_frame_does_not_hide_the_noise_inside() {
    let mut framed = in_8_bit(with_noise(&scene(500, 400, 4), 10.0, 4));
    for channel in 0..3 {
        for (index, value) in framed.plane_mut(channel).iter_mut().enumerate() {
            if index / 500 < 60 || index / 500 >= 340 {
                *value = 0.1;
            }
        }
    }
    let found = level(&framed).sigma;
    assert!((found - 10.0).abs() < 0.8, "{found}");
}

#[test]
fn clipped_noise_is_measured_where_it_is_whole() {
    let mut bright = scene(480, 320, 6);
    for value in bright.data_mut() {
        *value = (*value * 1.6 - 0.2).clamp(0.0, 1.0);
    }
    let found = level(&in_8_bit(with_noise(&bright, 25.0, 8))).sigma;
    assert!((found - 25.0).abs() < 2.5, "{found}");
}

#[test]
fn odd_pictures_are_no_trouble() {
    for (width, height) in [(1, 1), (1, 5000), (7, 7), (8, 8), (9, 3000), (5000, 200)] {
        let found = level(&in_8_bit(with_noise(&scene(width, height, 2), 5.0, 1)));
        assert!(found.sigma.is_finite() && found.sigma < 10.0, "{width} x {height}: {found:?}");
    }
    let mut broken = Planes::zeros(3, 64, 64);
    broken.data_mut().fill(f32::NAN);
    assert_eq!(level(&broken).sigma, 0.0);
}

#[test]
fn the_windows_are_bounded_and_inside() {
    for size in [(12_000, 8_400), (65_535, 60), (60, 65_535), (30_000, 30_000), (900, 900)] {
        let windows = windows(size, Sampling::DENSE);
        let inside = Rect::new(0, 0, size.0, size.1);
        assert!(windows.iter().all(|w| w.intersect(inside) == *w && !w.is_empty()), "{size:?}");
        assert!((40..=200).contains(&windows.len()), "{size:?}: {}", windows.len());
    }
}
