//! Attention of the kernels, on tokens as the pixels of a feature.

use std::path::Path;

use limpid_kernels::{Attention, AttentionInput, Feature, Mask, Planes, RunContext};

use crate::{Result, Runner, read_f32};

/// Queries, keys, values and the last result.
pub(crate) struct AttentionRunner {
    attention: Attention,
    inputs: [Feature; 3],
    between: Feature,
    result: Feature,
}

/// Reads q, k and v, each `[heads, tokens, dim]`, one after the other.
pub(crate) fn load(input: &Path, [heads, tokens, dim]: [usize; 3]) -> Result<AttentionRunner> {
    let values = read_f32(input)?;
    let count = heads * tokens * dim;
    if values.len() != 3 * count {
        return Err("the input has another length".into());
    }
    let feature = |at: usize| -> Result<Feature> {
        let values = &values[at * count..][..count];
        // channel (head, i) is a plane of all tokens
        let planes = (0..heads * dim).flat_map(|channel| {
            let (head, i) = (channel / dim, channel % dim);
            (0..tokens).map(move |token| values[(head * tokens + token) * dim + i])
        });
        let planes = Planes::from_vec(heads * dim, 1, tokens, planes.collect())?;
        Ok(Feature::from_planes(&planes))
    };
    Ok(AttentionRunner {
        attention: Attention::new(heads, dim),
        inputs: [feature(0)?, feature(1)?, feature(2)?],
        between: Feature::new(),
        result: Feature::new(),
    })
}

impl Runner for AttentionRunner {
    fn run(&mut self, cx: &RunContext<'_>) -> Result<()> {
        let [queries, keys, values] = &self.inputs;
        let input = AttentionInput {
            queries: queries.into(),
            keys: keys.into(),
            values: values.into(),
            mask: Mask::None,
        };
        Ok(self.attention.run(&input, &mut self.between, &mut self.result, cx)?)
    }

    /// `[heads, tokens, dim]` as the input.
    fn result(&self) -> Vec<f32> {
        let planes = self.result.to_planes();
        let (tokens, dim) = (planes.width(), self.attention.head_dim);
        let indices = (0..self.attention.heads)
            .flat_map(|head| (0..tokens).map(move |token| (head, token)))
            .flat_map(|(head, token)| (0..dim).map(move |i| (head * dim + i, token)));
        indices.map(|(channel, token)| planes.data()[channel * tokens + token]).collect()
    }
}
