//! Limpid: makes photos clear on this computer.

fn main() {}
