//! Where networks run.

/// A processor for networks. This computer's CPU, by our own kernels, is always there; the others
/// need the crate's feature of their name.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// The CPU, by limpid-kernels.
    #[default]
    Cpu,
    /// A device of candle: CUDA, Metal, or (slow, for tests) its own way to the CPU.
    #[cfg(feature = "candle")]
    Candle(candle_core::Device),
}

impl Device {
    /// The devices that this build knows and that answer, with a name for people; the CPU first.
    #[must_use]
    pub fn available() -> Vec<(String, Self)> {
        #[allow(unused_mut)] // unless a feature below adds to it
        let mut devices = vec![("Processor".to_owned(), Self::Cpu)];
        #[cfg(feature = "cuda")]
        if let Ok(device) = candle_core::Device::new_cuda(0) {
            devices.push(("Graphics card (CUDA)".to_owned(), Self::Candle(device)));
        }
        #[cfg(feature = "metal")]
        if let Ok(device) = candle_core::Device::new_metal(0) {
            devices.push(("Graphics processor (Metal)".to_owned(), Self::Candle(device)));
        }
        devices
    }
}
