//! Pictures of the window in tests, drawn in plain code: no display and no graphics card is needed.
//! `LIMPID_SHOTS=FOLDER` writes them; without it nothing is drawn.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use eframe::egui::epaint::{ClippedPrimitive, Primitive};
use eframe::egui::{self, ImageData, TextureId, TexturesDelta};
use egui_kittest::{Harness, TestRenderer};

/// The textures that egui handed over, premultiplied.
#[derive(Clone, Default)]
pub(crate) struct Textures(Arc<Mutex<HashMap<TextureId, egui::ColorImage>>>);

impl TestRenderer for Textures {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut known = self.0.lock().unwrap();
        for (id, change) in std::mem::take(&mut delta.set) {
            for change in change {
                let ImageData::Color(new) = &change.image;
                match (change.pos, known.get_mut(&id)) {
                    (Some([left, top]), Some(old)) => {
                        for row in 0..new.size[1] {
                            let from = row * new.size[0];
                            let to = (top + row) * old.size[0] + left;
                            old.pixels[to..to + new.size[0]]
                                .copy_from_slice(&new.pixels[from..from + new.size[0]]);
                        }
                    }
                    _ => {
                        known.insert(id, egui::ColorImage::clone(new));
                    }
                }
            }
        }
        for id in std::mem::take(&mut delta.free) {
            known.remove(&id);
        }
    }
}

/// Writes what `harness` shows as `NAME.png`, when pictures are asked for.
pub(crate) fn shoot<S>(harness: &Harness<'_, S>, textures: &Textures, name: &str) {
    let Some(folder) = std::env::var_os("LIMPID_SHOTS").map(PathBuf::from) else { return };
    let size = harness.ctx.content_rect().size();
    let (width, height) = (size.x as usize, size.y as usize);
    let mut pixels = vec![[0.0_f32; 3]; width * height];
    let textures = textures.0.lock().unwrap();
    let shapes = harness.output().shapes.clone();
    for ClippedPrimitive { clip_rect, primitive } in harness.ctx.tessellate(shapes, 1.0) {
        let Primitive::Mesh(mesh) = primitive else { continue };
        let Some(texture) = textures.get(&mesh.texture_id) else { continue };
        for corners in mesh.indices.chunks_exact(3) {
            let corners = [0, 1, 2].map(|corner| mesh.vertices[corners[corner] as usize]);
            triangle(&mut pixels, [width, height], clip_rect, corners, texture);
        }
    }
    let bytes = pixels.iter().flatten().map(|value| value.clamp(0.0, 255.0) as u8).collect();
    let picture = image::RgbImage::from_raw(width as u32, height as u32, bytes).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    picture.save(folder.join(format!("{name}.png"))).unwrap();
}

fn triangle(
    pixels: &mut [[f32; 3]],
    [width, height]: [usize; 2],
    clip: egui::Rect,
    corners: [egui::epaint::Vertex; 3],
    texture: &egui::ColorImage,
) {
    let [a, b, c] = corners.map(|corner| corner.pos);
    let area = (b - a).rot90().dot(c - a);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let clip = clip.intersect(egui::Rect::from_points(&[a, b, c]));
    let range = |from: f32, to: f32, most: usize| {
        (from.floor().max(0.0) as usize)..(to.ceil().max(0.0) as usize).min(most)
    };
    for y in range(clip.top(), clip.bottom(), height) {
        for x in range(clip.left(), clip.right(), width) {
            let point = egui::pos2(x as f32 + 0.5, y as f32 + 0.5);
            if !clip.contains(point) {
                continue;
            }
            let wb = (point - a).rot90().dot(c - a) / area;
            let wc = (b - a).rot90().dot(point - a) / area;
            let weights = [1.0 - wb - wc, wb, wc];
            // Half open, so that neighbours do not both draw their common edge.
            if weights.iter().any(|weight| *weight < -1e-5) {
                continue;
            }
            let mix = |value: fn(&egui::epaint::Vertex) -> f32| -> f32 {
                corners.iter().zip(weights).map(|(corner, weight)| weight * value(corner)).sum()
            };
            let texel = sample(texture, mix(|v| v.uv.x), mix(|v| v.uv.y));
            let colour = [
                mix(|v| f32::from(v.color.r())),
                mix(|v| f32::from(v.color.g())),
                mix(|v| f32::from(v.color.b())),
            ];
            let alpha = mix(|v| f32::from(v.color.a())) / 255.0 * texel[3];
            let pixel = &mut pixels[y * width + x];
            for channel in 0..3 {
                pixel[channel] = colour[channel] * texel[channel] + pixel[channel] * (1.0 - alpha);
            }
        }
    }
}

/// The texture between its pixels, `0..=1`.
fn sample(texture: &egui::ColorImage, u: f32, v: f32) -> [f32; 4] {
    let [width, height] = texture.size;
    let x = (u * width as f32 - 0.5).clamp(0.0, (width - 1) as f32);
    let y = (v * height as f32 - 0.5).clamp(0.0, (height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (fx, fy) = (x - left as f32, y - top as f32);
    let mut sum = [0.0; 4];
    for (dx, dy, weight) in [
        (0, 0, (1.0 - fx) * (1.0 - fy)),
        (1, 0, fx * (1.0 - fy)),
        (0, 1, (1.0 - fx) * fy),
        (1, 1, fx * fy),
    ] {
        let place = (top + dy).min(height - 1) * width + (left + dx).min(width - 1);
        let texel = texture.pixels[place].to_array();
        for channel in 0..4 {
            sum[channel] += weight * f32::from(texel[channel]) / 255.0;
        }
    }
    sum
}
