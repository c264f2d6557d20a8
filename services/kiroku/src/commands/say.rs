//! What the command line says: results to stdout, everything else to stderr, a bar only where somebody looks.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

/// One JSON document for scripts.
pub(crate) fn print_json(value: &impl Serialize) {
    print(&serde_json::to_string_pretty(value).expect("reports serialise"));
}

#[expect(clippy::print_stderr, reason = "the command line speaks to its user")]
pub(crate) fn warn(text: &str) {
    eprintln!("{text}");
}

/// A progress bar on stderr; nothing where stderr is no terminal or `quiet`.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// `total` 0: a spinner with a count.
    pub(crate) fn new(what: &str, total: u64, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let template = match total {
            0 => "{msg:<28} {spinner} {human_pos} ({per_sec})",
            _ => "{msg:<28} {wide_bar} {human_pos}/{human_len} {eta}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        Self(bar.with_style(style).with_message(what.to_owned()))
    }

    pub(crate) fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.inc(count);
    }

    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}
