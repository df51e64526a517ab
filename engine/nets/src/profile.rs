//! Where the time goes: `LIMPID_PROFILE=1` prints a table a network to standard error when the
//! network is dropped, at the end of the program.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::plan::{Plan, Work};

/// Sums over all runs of one network.
#[derive(Debug)]
pub(crate) struct Profile {
    title: String,
    rows: Mutex<Vec<Row>>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    kind: &'static str,
    runs: u64,
    time: Duration,
    flops: u64,
}

impl Profile {
    /// A table for `plan`, if the environment asks for one.
    pub(crate) fn if_asked(title: &str, plan: &Plan) -> Option<Self> {
        let asked = std::env::var_os("LIMPID_PROFILE").is_some_and(|value| value == "1");
        asked.then(|| Self::new(title, plan))
    }

    fn new(title: &str, plan: &Plan) -> Self {
        let step = |step: &crate::plan::Step| Row {
            name: step.name.clone(),
            kind: match &step.work {
                Work::Load(_) | Work::Copy(_) => "memory",
                Work::Conv { .. } | Work::Separable { .. } => "convolution",
                _ => "elements",
            },
            ..Row::default()
        };
        let store = Row { name: "store".to_owned(), kind: "memory", ..Row::default() };
        let rows = plan.steps.iter().map(step).chain([store]).collect();
        Self { title: title.to_owned(), rows: Mutex::new(rows) }
    }

    /// Adds a run of step `index`; the result's store comes behind the last step.
    pub(crate) fn add(&self, index: usize, time: Duration, flops: u64) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(index) {
            row.runs += 1;
            row.time += time;
            row.flops += flops;
        }
    }

    /// The table: milliseconds of all runs, share, and the rate of the work as it is written down
    /// (Winograd needs a quarter of those multiplications, and may exceed the processor's peak).
    fn table(&self) -> String {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let total: Duration = rows.iter().map(|row| row.time).sum();
        let runs = rows.iter().map(|row| row.runs).max().unwrap_or(0);
        let mut text = format!("{}: {runs} runs, {:.1} ms\n", self.title, millis(total));
        let _ = writeln!(text, "{:>10} {:>6} {:>9}  layer", "ms", "share", "GFLOP/s");
        for row in rows.iter() {
            let share = 100.0 * row.time.as_secs_f64() / total.as_secs_f64().max(1e-9);
            let rate = row.flops as f64 / row.time.as_secs_f64().max(1e-9) / 1e9;
            let rate = if row.flops == 0 { String::new() } else { format!("{rate:.1}") };
            let (ms, name, kind) = (millis(row.time), &row.name, row.kind);
            let _ = writeln!(text, "{ms:>10.1} {share:>5.1}% {rate:>9}  {name} ({kind})");
        }
        text
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Drop for Profile {
    fn drop(&mut self) {
        let ran =
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|r| r.runs > 0);
        if ran {
            // One write, so that tables of two networks do not mix; nobody is left to tell of a
            // failure.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), self.table().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use crate::weights::Weights;

    #[test]
    fn the_table_has_a_row_for_each_pass() {
        let weights = Weights::read(&testing::random_container(testing::DN_RESNET, 1)).unwrap();
        let plan = Plan::new(&testing::DN_RESNET.graph().unwrap(), &weights).unwrap();
        let profile = Profile::new("Test", &plan);
        profile.add(1, Duration::from_millis(30), 6_000_000_000);
        profile.add(plan.steps.len(), Duration::from_millis(10), 0);
        let table = profile.table();
        assert_eq!(table.lines().count(), 2 + plan.steps.len() + 1, "{table}");
        assert!(table.contains("30.0  75.0%     200.0  head (convolution)"), "{table}");
        assert!(table.contains("10.0  25.0%            store (memory)"), "{table}");
    }
}
