//! The plain layers of the speech network, on one vector at a time.

/// `y = W x + b`. Weights lie column by column, so that the inner loop runs along the output.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[inputs][outputs]`.
    columns: Vec<f32>,
    /// `[outputs]`.
    bias: Vec<f32>,
}

impl Linear {
    /// From `[outputs][inputs]`, as PyTorch stores it.
    pub(super) fn from_rows(rows: &[f32], bias: Vec<f32>) -> Self {
        let outputs = bias.len().max(1);
        let inputs = rows.len() / outputs;
        let column = |i: usize| (0..outputs).map(move |o| rows[o * inputs + i]);
        Self { columns: (0..inputs).flat_map(column).collect(), bias }
    }

    /// From `[inputs][outputs]`.
    pub(super) fn from_columns(columns: &[f32], bias: &[f32]) -> Self {
        Self { columns: columns.to_vec(), bias: bias.to_vec() }
    }

    /// Overwrites `y`.
    pub(super) fn run(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(&self.bias);
        self.add(x, y);
    }

    /// Adds the result to `y`.
    pub(super) fn run_onto(&self, x: &[f32], y: &mut [f32]) {
        for (y, bias) in y.iter_mut().zip(&self.bias) {
            *y += bias;
        }
        self.add(x, y);
    }

    /// Four columns in one go: a result is read and written a quarter as often.
    fn add(&self, x: &[f32], y: &mut [f32]) {
        let outputs = y.len();
        let (fours, rest) = x.as_chunks::<4>();
        let whole = fours.len() * 4 * outputs;
        for (x, columns) in fours.iter().zip(self.columns.chunks_exact(4 * outputs)) {
            let (a, columns) = columns.split_at(outputs);
            let (b, columns) = columns.split_at(outputs);
            let (c, d) = columns.split_at(outputs);
            for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *y += x[0] * a + x[1] * b + x[2] * c + x[3] * d;
            }
        }
        for (x, column) in rest.iter().zip(self.columns[whole..].chunks_exact(outputs)) {
            for (y, weight) in y.iter_mut().zip(column) {
                *y += x * weight;
            }
        }
    }
}

/// Layer normalisation of a vector (Ba et al. 2016), epsilon 1e-5.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

impl Norm {
    pub(super) fn run(&self, x: &[f32], y: &mut [f32]) {
        let count = x.len() as f32;
        let mean = x.iter().sum::<f32>() / count;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
        let factor = 1.0 / (variance + 1e-5).sqrt();
        for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(&self.scale).zip(&self.shift) {
            *y = (x - mean) * factor * scale + shift;
        }
    }
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

pub(super) fn add(x: &[f32], onto: &mut [f32]) {
    for (to, from) in onto.iter_mut().zip(x) {
        *to += from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_layer_is_its_formula() {
        for inputs in [1, 3, 4, 7] {
            let rows: Vec<f32> = (0..3 * inputs).map(|i| (i as f32 * 0.7).sin()).collect();
            let x: Vec<f32> = (0..inputs).map(|i| i as f32 - 1.5).collect();
            let layer = Linear::from_rows(&rows, vec![0.5, -1.0, 2.0]);
            let mut y = [9.0; 3];
            layer.run(&x, &mut y);
            for (o, y) in y.iter().enumerate() {
                let dot: f32 = (0..inputs).map(|i| rows[o * inputs + i] * x[i]).sum();
                assert!((y - dot - [0.5, -1.0, 2.0][o]).abs() < 1e-5, "{inputs} inputs, {o}");
            }
            let once = y;
            layer.run_onto(&x, &mut y);
            assert!(y.iter().zip(once).all(|(twice, once)| (twice - 2.0 * once).abs() < 1e-5));
        }
    }
}
