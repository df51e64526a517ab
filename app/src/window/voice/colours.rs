//! The colours of the spectrogram: from the dark of the page over blue and rose to pale yellow.
//!
//! Made in Oklab (B. Ottosson, 2020), lightness rising evenly: equal steps in dB look like equal
//! steps. Colours that the screen does not have are made less colourful, never less even.

use std::sync::LazyLock;

use eframe::egui::Color32;

/// What is drawn darkest, in dB below full scale.
pub(super) const DARKEST_DB: f32 = -90.0;
/// What is drawn brightest.
pub(super) const BRIGHTEST_DB: f32 = -10.0;

/// Oklab lightness of the first and last colour.
const LIGHTNESS: [f32; 2] = [0.19, 0.96];
/// Hue in degrees, at equal distances of lightness.
const HUES: [f32; 5] = [262.0, 285.0, 345.0, 405.0, 460.0];

static MAP: LazyLock<[Color32; 256]> =
    LazyLock::new(|| std::array::from_fn(|step| colour(step as f32 / 255.0)));

/// The colour of a power in dB.
pub(super) fn of_db(db: f32) -> Color32 {
    let share = (db - DARKEST_DB) / (BRIGHTEST_DB - DARKEST_DB);
    // Not a number becomes 0.
    MAP[(share * 255.0).round().clamp(0.0, 255.0) as usize]
}

fn colour(share: f32) -> Color32 {
    let lightness = LIGHTNESS[0] + share * (LIGHTNESS[1] - LIGHTNESS[0]);
    let place = share * (HUES.len() - 1) as f32;
    let left = (place as usize).min(HUES.len() - 2);
    let hue = HUES[left] + (place - left as f32) * (HUES[left + 1] - HUES[left]);
    let (sin, cos) = hue.to_radians().sin_cos();
    let mut chroma = 0.17 * (std::f32::consts::PI * (0.04 + 0.88 * share)).sin();
    loop {
        let rgb = linear_rgb([lightness, chroma * cos, chroma * sin]);
        if rgb.iter().all(|value| (-1e-4..=1.0001).contains(value)) || chroma < 0.002 {
            let [r, g, b] = rgb.map(gamma);
            return Color32::from_rgb(r, g, b);
        }
        chroma -= 0.002;
    }
}

fn linear_rgb([l, a, b]: [f32; 3]) -> [f32; 3] {
    let cube = |x: f32| x * x * x;
    let long = cube(l + 0.396_337_78 * a + 0.215_803_76 * b);
    let medium = cube(l - 0.105_561_346 * a - 0.063_854_17 * b);
    let short = cube(l - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_38 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ]
}

fn gamma(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value =
        if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(colour: Color32) -> f32 {
        let linear = |value: u8| {
            let value = f32::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = [colour.r(), colour.g(), colour.b()].map(linear);
        let long = 0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b;
        let medium = 0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b;
        let short = 0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b;
        0.210_454_26 * long.cbrt() + 0.793_617_8 * medium.cbrt() - 0.004_072_047 * short.cbrt()
    }

    #[test]
    fn equal_steps_in_db_are_equal_steps_in_lightness() {
        let steps: Vec<f32> =
            (0..=16).map(|i| lightness(of_db(DARKEST_DB + 5.0 * i as f32))).collect();
        let wanted = (LIGHTNESS[1] - LIGHTNESS[0]) / 16.0;
        let wrong: Vec<_> =
            steps.windows(2).filter(|pair| (pair[1] - pair[0] - wanted).abs() > 0.012).collect();
        assert!(wrong.is_empty(), "{wanted}: {wrong:?} of {steps:?}");
    }

    #[test]
    fn what_is_off_the_scale_has_the_colour_of_its_end() {
        for (db, end) in [
            (-500.0, DARKEST_DB),
            (f32::NEG_INFINITY, DARKEST_DB),
            (f32::NAN, DARKEST_DB),
            (20.0, BRIGHTEST_DB),
        ] {
            assert_eq!(of_db(db), of_db(end), "{db}");
        }
    }
}
