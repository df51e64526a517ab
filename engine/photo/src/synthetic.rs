//! Generated pictures for tests and benchmarks: nothing is read from disk, every pixel follows
//! from a seed.

use limpid_kernels::Planes;

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014) as a
/// function of a counter: the same `seed` and `index` give the same bits in any order.
fn random_bits(seed: u64, index: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0xD1B5_4A32_D192_ED03)
        .wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Uniform in `0..1`.
fn uniform(seed: u64, index: u64) -> f64 {
    (random_bits(seed, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Standard normal (Box and Muller, 1958).
fn normal(seed: u64, index: u64) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(seed, 2 * index)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(seed, 2 * index + 1)).cos()
}

/// A scene of shape `[3, height, width]` with what photos have: a soft sky, discs with smooth
/// and sharp edges, coloured stripes and a patch of fine texture. Samples stay in `0.1..=0.9`.
#[must_use]
pub fn scene(width: usize, height: usize, seed: u64) -> Planes {
    let mut planes = Planes::zeros(3, height, width);
    let side = width.max(height).max(1) as f64;
    let discs: Vec<[f64; 7]> = (0..12)
        .map(|disc| std::array::from_fn(|part| uniform(seed, disc * 7 + part as u64)))
        .collect();
    for channel in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let (u, v) = (x as f64 / side, y as f64 / side);
                let mut value = 0.35 + 0.25 * v + 0.1 * (2.0 * u + channel as f64).sin();
                for [cx, cy, radius, edge, colour @ ..] in &discs {
                    let distance = ((u - cx).powi(2) + (v - cy).powi(2)).sqrt();
                    let softness = (1.0 + 9.0 * edge) / side;
                    let cover = ((0.04 + 0.15 * radius - distance) / softness).clamp(0.0, 1.0);
                    value += cover * (0.15 + 0.7 * colour[channel] - value);
                }
                if u > 0.7 && v > 0.3 {
                    value += 0.08 * (x as f64 * 0.9).sin() * (y as f64 * 0.7 + u * 9.0).cos();
                }
                planes.plane_mut(channel)[y * width + x] = value.clamp(0.1, 0.9) as f32;
            }
        }
    }
    planes
}

/// `clean` with white Gaussian noise of standard deviation `sigma` on the `0..=255` scale, the
/// same for the same seed. Samples are neither rounded nor clipped.
#[must_use]
pub fn with_noise(clean: &Planes, sigma: f32, seed: u64) -> Planes {
    let mut noisy = clean.clone();
    for (index, value) in noisy.data_mut().iter_mut().enumerate() {
        *value += (normal(seed, index as u64) * f64::from(sigma) / 255.0) as f32;
    }
    noisy
}

/// Rounded to 8 bit and clipped to `0..=1`, as a file holds it.
#[must_use]
pub fn in_8_bit(mut planes: Planes) -> Planes {
    for value in planes.data_mut() {
        *value = (value.clamp(0.0, 1.0) * 255.0).round() / 255.0;
    }
    planes
}

/// Peak signal-to-noise ratio in dB of two pictures of one shape, over all their samples, for a
/// full range of 1.
#[must_use]
pub fn psnr_db(picture: &Planes, reference: &Planes) -> f64 {
    let pairs = picture.data().iter().zip(reference.data());
    let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    -10.0 * (sum / reference.data().len().max(1) as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_asked_level_and_follows_from_the_seed() {
        let grey = Planes::zeros(3, 200, 200);
        let noisy = with_noise(&grey, 25.0, 1);
        let n = noisy.data().len() as f64;
        let mean = noisy.data().iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let sigma = (noisy.data().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() * 255.0 < 0.3, "{mean}");
        assert!((sigma * 255.0 - 25.0).abs() < 0.2, "{sigma}");
        assert_eq!(noisy, with_noise(&grey, 25.0, 1));
        assert_ne!(noisy, with_noise(&grey, 25.0, 2));
    }

    #[test]
    fn psnr_of_a_known_difference() {
        let black = Planes::zeros(1, 4, 4);
        let mut grey = black.clone();
        grey.data_mut().fill(0.1);
        assert!((psnr_db(&grey, &black) - 20.0).abs() < 1e-5);
    }
}
