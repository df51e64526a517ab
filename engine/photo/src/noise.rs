//! Blind estimation of the noise level of a picture.
//!
//! The method is that of Ponomarenko, Lukin, Zriakhov, Kaarna and Astola, "An automatic approach
//! to lossy compression of AVIRIS images" (IGARSS 2007), as analysed by Colom and Buades in
//! "Analysis and Extension of the Ponomarenko et al. Method" (IPOL 2013): small blocks are
//! transformed by the DCT; the blocks with the least energy in the low frequencies show the least
//! of the scene; the high frequencies of those blocks are noise. White noise is independent
//! between frequencies, so choosing by some of them does not bias the others.
//!
//! On Kodak24 with added noise of standard deviation 5 this is 0.2 off on average and 0.7 at
//! worst; the smallest eigenvalues of the patch covariance (Chen, Zhu and Heng, "An Efficient
//! Statistical Method for Image Noise Level Estimation", ICCV 2015) are 2.1 and 8.8 off, because
//! in a textured picture no direction of patch space is free of texture.
//!
//! What a camera stores is not white: demosaicing and JPEG take the highest frequencies away and
//! leave blotches. A denoiser must know the level of those, so a second estimate is made at lower
//! frequencies, on blocks chosen by still lower ones; there, texture is told from noise by its
//! unevenness. Where the second estimate is clearly higher, it is the one that counts. On Kodak24
//! sampled through a Bayer pattern with noise of 8 it finds 8.2 where the first finds 2.4.

mod curve;

use limpid_kernels::{Planes, Pool};
use rayon::prelude::*;

use crate::context::WorkContext;
use crate::error::PhotoError;
use crate::geometry::Rect;
use crate::raster::Raster;
use curve::BINS;

pub use curve::NoiseCurve;

/// Side of a block in pixels.
const BLOCK: usize = 8;
/// DCT coefficient (u, v) counts as high frequency from `u + v` of this on.
const HIGH_FREQUENCY: usize = 8;
/// The lower frequencies at which blotchy noise is measured, `u + v`.
const BLOTCHES: std::ops::Range<usize> = 3..6;
/// Blocks that are looked at for that, at least; they are chosen by the frequencies below.
const BLOTCH_BLOCKS_MIN: usize = 300;
/// Blotchy noise counts from this multiple of the white noise's level on.
const BLOTCHY: f32 = 1.3;
/// Distance between the corners of neighbouring blocks.
const STRIDE: usize = 3;
/// Share of the blocks that are taken for noise alone.
const CALM_SHARE: f64 = 0.02;
/// Fewer blocks than this make no estimate that is worth the name.
const CALM_BLOCKS_MIN: usize = 500;
/// The mean of calm blocks of one brightness over what their calmest tenth allows, at most: beyond,
/// there is texture in them.
const EVEN: f32 = 1.5;
/// How much of a picture is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampling {
    /// Pictures up to this many pixels are looked at whole.
    whole_pixels: u64,
    /// Larger ones are looked at through about this many windows, evenly spread …
    windows: f64,
    /// … of this many pixels a side.
    side: u32,
}

impl Sampling {
    /// For pixels that only have to be read.
    pub(crate) const DENSE: Self = Self { whole_pixels: 640_000, windows: 160.0, side: 50 };
    /// For pixels that a network has to compute.
    pub(crate) const SPARSE: Self = Self { whole_pixels: 60_000, windows: 12.0, side: 80 };
}

/// How noisy a picture is: standard deviations of the noise on the `0..=255` scale, whatever the
/// bit depth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NoiseLevel {
    /// Quadratic mean over the colour channels.
    pub sigma: f32,
    /// In the brightness, here the plain mean of the channels: 1/√3 of `sigma` where the noise of
    /// each channel is its own, the whole of it in a grey picture.
    pub luma: f32,
    /// In red, green and blue; three times the same for a grey picture.
    pub channels: [f32; 3],
    /// How it depends on the brightness.
    pub curve: NoiseCurve,
}

impl NoiseLevel {
    /// How much weaker noise is in the mean of three channels when each has its own: √3.
    const INDEPENDENT: f32 = 1.732_050_8;

    /// The level to tell a denoiser that knows only noise of each channel's own: noise that the
    /// channels share (grey pictures, grey scans kept as RGB, film) stands out of the brightness
    /// as much as independent noise of a level up to √3 higher. Without this FFDNet leaves half
    /// of the noise of a grey picture (23.4 dB instead of 29.2 dB at sigma 25).
    #[must_use]
    pub fn for_denoiser(&self) -> f32 {
        let shared = Self::INDEPENDENT * self.luma;
        // Below the measurement's own spread there is nothing to correct.
        if shared > 1.15 * self.sigma { shared } else { self.sigma }
    }

    /// What a level of `sigma` that someone expects in this picture means to a denoiser, which
    /// depends on how much of its noise the channels share.
    #[must_use]
    pub(crate) fn told(&self, sigma: f32) -> f32 {
        if self.sigma > 0.0 { sigma * self.for_denoiser() / self.sigma } else { sigma }
    }
}

/// What is known of one block of one channel.
#[derive(Clone, Copy, Default)]
struct Block {
    /// Mean sample, `0..=255`.
    mean: f32,
    /// Energy of the frequencies below the high ones, without the mean.
    low: f32,
    /// Mean energy of a high frequency: an estimate of the variance of white noise.
    high: f32,
    /// Energy of the frequencies below [`BLOTCHES`], without the mean.
    lowest: f32,
    /// Mean energy of a frequency of [`BLOTCHES`].
    blotches: f32,
    /// Every sample is the same.
    constant: bool,
    /// Samples at an end of the range, where noise is cut off.
    clipped: u8,
    /// A sample is not a number; all else is zero.
    broken: bool,
}

/// Estimates the noise of `raster`.
///
/// The windows follow from the size alone and their number is bounded, so the result is
/// repeatable and the cost is the same from one megapixel to a hundred. Pictures smaller than a
/// block, without a block that is free of clipping, or drawn by a machine (mostly constant
/// blocks) have level 0.
///
/// # Errors
/// `Cancelled`, or the temporary file behind the raster fails.
pub fn estimate_noise(raster: &Raster, cx: &WorkContext<'_>) -> Result<NoiseLevel, PhotoError> {
    estimate((raster.width(), raster.height()), Sampling::DENSE, cx.pool, |window| {
        cx.cancel.check()?;
        raster.read(window)
    })
}

/// Estimates the noise of a picture of `size` columns and rows from what `read` returns for
/// rectangles of it: `[1 or more, height, width]`, of which the first channel or the first three
/// are looked at, `0..=1`. See [`estimate_noise`].
///
/// # Errors
/// What `read` returns.
pub(crate) fn estimate<E>(
    size: (u32, u32),
    sampling: Sampling,
    pool: &Pool,
    mut read: impl FnMut(Rect) -> Result<Planes, E>,
) -> Result<NoiseLevel, E> {
    let mut blocks: [Vec<Block>; 4] = Default::default();
    for window in windows(size, sampling) {
        let planes = read(window)?;
        let found = pool.install(|| window_blocks(&planes));
        for (all, new) in blocks.iter_mut().zip(found) {
            all.extend(new);
        }
    }
    let [red, green, blue, brightness] = &blocks;
    if is_drawn(brightness) {
        return Ok(NoiseLevel::default());
    }
    let blotches = blotchy_sigma(&[red, green, blue]);
    let luma_blotches = blotchy_sigma(&[brightness]);
    let channels = [red, green, blue];
    let by_brightness =
        [false, true].map(|is_blotchy| levels_by_brightness(&channels, brightness, is_blotchy));
    let [first, second, third, luma] = blocks.map(white_sigma);
    let white = ((first * first + second * second + third * third) / 3.0).sqrt();
    if blotches <= BLOTCHY * white {
        let curve = NoiseCurve::from_levels(by_brightness[0], white);
        return Ok(NoiseLevel { sigma: white, luma, channels: [first, second, third], curve });
    }
    let curve = NoiseCurve::from_levels(by_brightness[1], blotches);
    let share = |sigma: f32| if white > 0.0 { sigma / white * blotches } else { blotches };
    let channels = [first, second, third].map(share);
    Ok(NoiseLevel { sigma: blotches, luma: luma_blotches, channels, curve })
}

/// The rectangles that are looked at: a small picture whole, of a large one an even spread.
fn windows((width, height): (u32, u32), sampling: Sampling) -> Vec<Rect> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels <= sampling.whole_pixels {
        return vec![Rect::new(0, 0, width, height)];
    }
    let spacing = (pixels as f64 / sampling.windows).sqrt();
    let (short, long) = (width.min(height), width.max(height));
    let fits = |length: u32| length / sampling.side.min(length);
    let short_count = ((f64::from(short) / spacing).round() as u32).clamp(1, fits(short));
    let long_count =
        ((sampling.windows / f64::from(short_count)).round() as u32).clamp(1, fits(long));
    let along = |length: u32, count: u32| -> Vec<(u32, u32)> {
        let side = sampling.side.min(length);
        let rest = u64::from(length - side);
        let place = |i: u32| match count {
            1 => rest / 2,
            _ => rest * u64::from(i) / u64::from(count - 1),
        };
        (0..count).map(|i| (place(i) as u32, side)).collect()
    };
    let (columns, rows) = if width <= height {
        (along(width, short_count), along(height, long_count))
    } else {
        (along(width, long_count), along(height, short_count))
    };
    let across = |&(y, h): &(u32, u32)| {
        columns.iter().map(move |&(x, w)| Rect::new(x, y, w, h)).collect::<Vec<_>>()
    };
    rows.iter().flat_map(across).collect()
}

/// The blocks of one window: those of three channels, then those of the brightness.
fn window_blocks(planes: &Planes) -> [Vec<Block>; 4] {
    let colours = if planes.channels() >= 3 { [0, 1, 2] } else { [0, 0, 0] };
    if planes.channels() == 0 || planes.width() < BLOCK || planes.height() < BLOCK {
        return Default::default();
    }
    let channel_blocks = |channel: usize| plane_blocks(planes.plane(channel), planes.width());
    if planes.channels() < 3 {
        let grey = channel_blocks(0);
        return [grey.clone(), grey.clone(), grey.clone(), grey];
    }
    let [red, green, blue] = colours.map(|channel| planes.plane(channel));
    let luma: Vec<f32> =
        red.iter().zip(green).zip(blue).map(|((r, g), b)| (r + g + b) / 3.0).collect();
    [channel_blocks(0), channel_blocks(1), channel_blocks(2), plane_blocks(&luma, planes.width())]
}

fn plane_blocks(plane: &[f32], width: usize) -> Vec<Block> {
    let height = plane.len() / width;
    let basis = dct_basis();
    let rows: Vec<usize> = (0..=height - BLOCK).step_by(STRIDE).collect();
    let row_blocks = |&y: &usize| -> Vec<Block> {
        (0..=width - BLOCK)
            .step_by(STRIDE)
            .map(|x| block_at(&plane[y * width + x..], width, &basis))
            .collect()
    };
    rows.par_iter().flat_map_iter(row_blocks).collect()
}

type Square = [[f32; BLOCK]; BLOCK];

/// Rows are the orthonormal DCT-II vectors of length 8.
fn dct_basis() -> Square {
    std::array::from_fn(|u| {
        let scale = if u == 0 { (1.0 / BLOCK as f64).sqrt() } else { (2.0 / BLOCK as f64).sqrt() };
        std::array::from_fn(|x| {
            let angle = std::f64::consts::PI * (x as f64 + 0.5) * u as f64 / BLOCK as f64;
            (scale * angle.cos()) as f32
        })
    })
}

/// The block whose first sample is the first of `samples`.
fn block_at(samples: &[f32], width: usize, basis: &Square) -> Block {
    let mut block: Square = [[0.0; BLOCK]; BLOCK];
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut clipped = 0;
    for (y, line) in block.iter_mut().enumerate() {
        for (value, sample) in line.iter_mut().zip(&samples[y * width..]) {
            if !sample.is_finite() {
                return Block { broken: true, ..Block::default() };
            }
            least = least.min(*sample);
            most = most.max(*sample);
            clipped += u8::from(*sample <= 0.0 || *sample >= 1.0);
            *value = sample * 255.0;
        }
    }
    // Rows, then columns: coefficient [v][u] = sum over y, x of basis[v][y] basis[u][x] block.
    let mut half: Square = [[0.0; BLOCK]; BLOCK];
    for (line, out) in block.iter().zip(&mut half) {
        for (value, vector) in out.iter_mut().zip(basis) {
            *value = line.iter().zip(vector).map(|(a, b)| a * b).sum();
        }
    }
    // Energy and number of the coefficients by u + v.
    let mut energy = [0.0_f32; 2 * BLOCK - 1];
    let mut count = [0_u8; 2 * BLOCK - 1];
    for (v, vector) in basis.iter().enumerate() {
        let mut coefficients = [0.0_f32; BLOCK];
        for (weight, line) in vector.iter().zip(&half) {
            for (sum, value) in coefficients.iter_mut().zip(line) {
                *sum += weight * value;
            }
        }
        for (u, coefficient) in coefficients.iter().enumerate() {
            energy[u + v] += coefficient * coefficient;
            count[u + v] += 1;
        }
    }
    let sum = |range: std::ops::Range<usize>| energy[range].iter().sum::<f32>();
    let mean = |range: std::ops::Range<usize>| {
        sum(range.clone()) / count[range].iter().map(|n| f32::from(*n)).sum::<f32>()
    };
    Block {
        mean: energy[0].sqrt() / BLOCK as f32,
        low: sum(1..HIGH_FREQUENCY),
        high: mean(HIGH_FREQUENCY..energy.len()),
        lowest: sum(1..BLOTCHES.start),
        blotches: mean(BLOTCHES),
        constant: least == most,
        clipped,
        broken: false,
    }
}

/// Whether most blocks are constant: noise leaves none so, the picture was drawn and not taken.
fn is_drawn(blocks: &[Block]) -> bool {
    2 * blocks.iter().filter(|block| block.constant).count() > blocks.len()
}

/// The level of noise at lower frequencies over these channels, of which equal ones count once;
/// 0 when too little of the picture tells.
fn blotchy_sigma(channels: &[&Vec<Block>]) -> f32 {
    let equals_first =
        |other: &&Vec<Block>| other.iter().zip(channels[0]).all(|(a, b)| a.blotches == b.blotches);
    let channels = if channels.iter().all(equals_first) { &channels[..1] } else { channels };
    let usable = |block: &Block| block.clipped == 0 && !block.broken;
    let mut places: Vec<(f32, f32)> = (0..channels[0].len())
        .filter(|i| channels.iter().all(|blocks| usable(&blocks[*i])))
        .filter(|i| channels.iter().any(|blocks| !blocks[*i].constant))
        .map(|i| {
            let total = |part: fn(&Block) -> f32| -> f32 {
                channels.iter().map(|blocks| part(&blocks[i])).sum()
            };
            let blotches = total(|block| block.blotches) / channels.len() as f32;
            (total(|block| block.lowest), blotches)
        })
        .collect();
    if places.len() < 3 * BLOTCH_BLOCKS_MIN {
        return 0.0;
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let calm = (places.len() / 50).max(BLOTCH_BLOCKS_MIN);
    let mut energies: Vec<f32> = places[..calm].iter().map(|(_, blotches)| *blotches).collect();
    energies.sort_by(f32::total_cmp);
    // Where noise alone is in a block, a tenth of the blocks stay below this part of the mean
    // (chi-square with 45 degrees of freedom, a channel's 15 when all three are the same). With
    // texture in some blocks that tenth rises far less than the mean.
    let part = if channels.len() == 1 { 0.57 } else { 0.75 };
    (energies[energies.len() / 10] / part).sqrt()
}

/// The level of noise in the blocks of each bin of brightness, over these channels: at the high
/// frequencies, or at those of blotches. None where too few blocks are calm enough to tell noise from
/// texture.
fn levels_by_brightness(
    channels: &[&Vec<Block>],
    brightness: &[Block],
    is_blotchy: bool,
) -> [Option<f32>; BINS] {
    // What the blocks are chosen by, what is measured, and how much of its mean a tenth of the blocks
    // stay below where there is noise alone: chi-square with 15 or 28 degrees of freedom a channel.
    type Part = fn(&Block) -> f32;
    let (scene, noise, parts): (Part, Part, [f32; 2]) = if is_blotchy {
        (|block| block.lowest, |block| block.blotches, [0.57, 0.75])
    } else {
        (|block| block.low, |block| block.high, [0.68, 0.81])
    };
    let part = parts[usize::from(energies_differ(channels))];
    let mut places: [Vec<(f32, f32)>; BINS] = Default::default();
    for (index, block) in brightness.iter().enumerate() {
        let of_channels = || channels.iter().filter_map(|blocks| blocks.get(index));
        if of_channels().any(|block| block.constant || block.broken || block.clipped > 0) {
            continue;
        }
        let bin = (block.mean / 256.0 * BINS as f32) as usize;
        let energy = of_channels().map(noise).sum::<f32>() / channels.len() as f32;
        places[bin.min(BINS - 1)].push((of_channels().map(scene).sum(), energy));
    }
    places.map(|mut places| {
        if places.len() < CALM_BLOCKS_MIN {
            return None;
        }
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        let calm = (places.len() / 20).max(CALM_BLOCKS_MIN / 4);
        let mut energies: Vec<f32> = places[..calm].iter().map(|(_, energy)| *energy).collect();
        energies.sort_by(f32::total_cmp);
        let tenth = energies[energies.len() / 10] / part;
        let mean = energies.iter().sum::<f32>() / energies.len() as f32;
        // Where the mean says far more than the calm tenth, it is texture.
        (mean < EVEN * tenth).then(|| tenth.sqrt())
    })
}

/// Whether the channels are not one and the same.
fn energies_differ(channels: &[&Vec<Block>]) -> bool {
    channels.iter().any(|other| other.iter().zip(channels[0]).any(|(a, b)| a.high != b.high))
}

/// The standard deviation of the white noise that these blocks of one channel show.
fn white_sigma(mut blocks: Vec<Block>) -> f32 {
    if is_drawn(&blocks) {
        return 0.0;
    }
    // Some constant blocks (a frame, a clipped sky) say nothing about the rest.
    blocks.retain(|block| {
        !block.constant && !block.broken && usize::from(block.clipped) < BLOCK * BLOCK
    });
    // Least scene first; equal ones stay in the order of the picture.
    blocks.sort_by(|a, b| a.low.total_cmp(&b.low));
    let mut sigma = calm_sigma(&blocks);
    // Close to the ends of the range a part of the noise is cut off: with the level known by and
    // by, only blocks further than twice that away from both ends are asked.
    for _ in 0..2 {
        let inside =
            |block: &&Block| block.mean >= 2.0 * sigma && block.mean <= 255.0 - 2.0 * sigma;
        let inner: Vec<Block> = blocks.iter().filter(inside).copied().collect();
        if inner.len() < 2 * CALM_BLOCKS_MIN {
            break;
        }
        sigma = calm_sigma(&inner);
    }
    sigma
}

/// The noise in the calmest of `blocks`, which are in order of their low frequencies.
fn calm_sigma(blocks: &[Block]) -> f32 {
    let share = (blocks.len() as f64 * CALM_SHARE) as usize;
    let calm = &blocks[..share.max(CALM_BLOCKS_MIN).min(blocks.len())];
    if calm.is_empty() {
        return 0.0;
    }
    let mean = calm.iter().map(|block| f64::from(block.high)).sum::<f64>() / calm.len() as f64;
    // Noise spreads evenly: a tenth of its blocks stay below 0.68 of the mean (chi-square, 28
    // degrees of freedom). Lettering and line art do not, and must not pass for noise: the mean
    // may be no more than a few times what the calm tenth allows.
    let mut energies: Vec<f32> = calm.iter().map(|block| block.high).collect();
    energies.sort_by(f32::total_cmp);
    let tenth = f64::from(energies[energies.len() / 10]) / 0.68;
    mean.min(4.0 * tenth).sqrt() as f32
}

#[cfg(test)]
mod tests;
