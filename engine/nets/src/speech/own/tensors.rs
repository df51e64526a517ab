//! The speech network's weight file, read strictly.

use std::cell::RefCell;
use std::collections::HashMap;

use limpid_kernels::Gru;

use super::layers::{Linear, Norm};
use crate::error::LoadError;
use crate::weights::{Tensor, read_values};

/// Tensors by name; each can be taken once, so that what is left over is found out.
pub(super) struct Tensors(RefCell<HashMap<String, Tensor>>);

impl Tensors {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        Ok(Self(RefCell::new(read_values(bytes)?)))
    }

    /// Takes a tensor of this shape.
    pub(super) fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let found = self.0.borrow_mut().remove(name);
        let Tensor { shape: has, data } = found
            .ok_or_else(|| LoadError::damaged(format!("the weight file has no tensor {name}")))?;
        if has != shape {
            return Err(LoadError::damaged(format!(
                "tensor {name} in the weight file has shape {has:?} where the network has {shape:?}"
            )));
        }
        Ok(data)
    }

    /// Refuses a file with more tensors than the network took.
    pub(super) fn finish(self) -> Result<(), LoadError> {
        if self.0.into_inner().is_empty() {
            Ok(())
        } else {
            Err(LoadError::damaged("the weight file has tensors that the network does not"))
        }
    }

    pub(super) fn linear(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear, LoadError> {
        let rows = self.take(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok(Linear::from_rows(&rows, self.take(&format!("{name}.bias"), &[outputs])?))
    }

    pub(super) fn norm(&self, name: &str, size: usize) -> Result<Norm, LoadError> {
        Ok(Norm {
            scale: self.take(&format!("{name}.weight"), &[size])?,
            shift: self.take(&format!("{name}.bias"), &[size])?,
        })
    }

    /// A layer of PyTorch's `GRU`; `suffix` is `_reverse` for its other direction.
    pub(super) fn gru(
        &self,
        name: &str,
        suffix: &str,
        inputs: usize,
        units: usize,
    ) -> Result<Gru, LoadError> {
        let part =
            |what: &str, shape: &[usize]| self.take(&format!("{name}.{what}_l0{suffix}"), shape);
        let weights =
            [part("weight_ih", &[3 * units, inputs])?, part("weight_hh", &[3 * units, units])?];
        let biases = [part("bias_ih", &[3 * units])?, part("bias_hh", &[3 * units])?];
        let [weights, biases] = [&weights, &biases].map(|pair| [&pair[0][..], &pair[1][..]]);
        Gru::new([inputs, units], weights, Some(biases))
            .map_err(|error| LoadError::unsupported(format!("the network has {}", error.0)))
    }
}
