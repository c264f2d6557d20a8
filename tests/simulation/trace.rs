//! What happened, call by call: the last part is shown when a seed fails, and a hash of the whole tells two runs apart.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use parking_lot::Mutex;
use schemas::vocab::Topic;

/// Lines that are shown of a seed that failed among others; of one that was asked for all are.
const SHOWN: usize = 120;

/// One call of a port, or something that was done to a process.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Line {
    /// Milliseconds since the start.
    pub(crate) at: u64,
    pub(crate) process: usize,
    pub(crate) incarnation: u32,
    pub(crate) call: Call,
    pub(crate) what: &'static str,
}

/// A call of a port: its name, its place, and a number (offset or count).
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) place: Option<(Topic, u16)>,
    pub(crate) number: u64,
}

impl Call {
    pub(crate) fn of(name: &'static str, number: usize) -> Self {
        Self { name, place: None, number: number as u64 }
    }
    pub(crate) fn at(name: &'static str, topic: Topic, partition: u16, number: u64) -> Self {
        Self { name, place: Some((topic, partition)), number }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Call { name, place, number } = self.call;
        write!(f, "{:>6} ms  process {}.{}  {name}", self.at, self.process, self.incarnation)?;
        if let Some((topic, partition)) = place {
            write!(f, " {topic}/{partition}")?;
        }
        write!(f, " {number}  {}", self.what)
    }
}

#[derive(Default)]
pub(crate) struct Trace(Mutex<Vec<Line>>);

impl Trace {
    pub(crate) fn push(&self, line: Line) {
        self.0.lock().push(line);
    }

    /// Number of lines, and a hash of all of them.
    pub(crate) fn sum(&self) -> (usize, u64) {
        let lines = self.0.lock();
        let mut hasher = DefaultHasher::new();
        lines.hash(&mut hasher);
        (lines.len(), hasher.finish())
    }

    /// How often something was done to a process.
    pub(crate) fn count(&self, what: &str) -> u64 {
        self.0.lock().iter().filter(|line| line.what == what).count() as u64
    }

    /// The last lines, for people.
    pub(crate) fn last(&self) -> String {
        let lines = self.0.lock();
        let from = if crate::seeds::asked().is_some() { 0 } else { lines.len().saturating_sub(SHOWN) };
        lines[from..].iter().map(|line| format!("{line}\n")).collect()
    }
}
