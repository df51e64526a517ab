//! Runs a test program again for each instruction set, chosen as a user would.

use std::process::Command;

use limpid_kernels::Isa;

/// Tells the program that it is such a second run.
const INNER: &str = "LIMPID_TEST_INNER";

/// Runs all tests of this program with `LIMPID_ISA` set to each set that this processor has.
pub(crate) fn rerun() {
    // Miri starts no processes, and knows the portable set only
    if cfg!(miri) {
        return;
    }
    if let Ok(wanted) = std::env::var(INNER) {
        assert_eq!(Isa::current().name(), wanted, "LIMPID_ISA is not obeyed");
        return;
    }
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let output = Command::new(std::env::current_exe().unwrap())
            .env("LIMPID_ISA", isa.name())
            .env(INNER, isa.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "with {}:\n{text}", isa.name());
    }
}
