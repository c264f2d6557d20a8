//! The report: every figure against its bound, as Markdown for people and JSON for comparison.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::machine::Machine;
use super::measure::Row;

/// How a figure is held against its bound.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    AtLeast,
    AtMost,
}

/// One figure of the issue.
#[derive(Serialize, Clone, Debug)]
pub struct Figure {
    pub what: String,
    pub unit: &'static str,
    pub bound: Bound,
    pub limit: f64,
    pub aim: Option<f64>,
    /// Absent where it was not measured.
    pub measured: Option<f64>,
}

impl Figure {
    /// Whether the bound holds; `None` where it was not measured.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|value| match self.bound {
            Bound::AtLeast => value >= self.limit,
            Bound::AtMost => value <= self.limit,
        })
    }
}

/// All that one run gave.
#[derive(Serialize)]
pub struct Report {
    /// Name of the set: small, large, quick.
    pub set: String,
    pub machine: Machine,
    pub persons: usize,
    pub resources: usize,
    /// What the server was set to, beside its defaults.
    pub settings: Vec<String>,
    pub generator_threads: usize,
    pub seconds_per_run: f64,
    pub figures: Vec<Figure>,
    pub rows: Vec<Row>,
    /// Further facts in sentences.
    pub notes: Vec<String>,
}

impl Report {
    /// Markdown without a title.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let m = &self.machine;
        let lines = [
            format!(
                "Set `{}`: {} resources of {} persons. {}, commit {}.",
                self.set, self.resources, self.persons, m.date, m.commit
            ),
            format!(
                "Machine: {}, {} cores shared by server and generator, {:.0} GiB, Linux {}, {} (fdatasync p50 {:.2} ms, p99 {:.2} ms). \
                 Load average when the run began: {:.1}.",
                m.cpu, m.cores, m.memory_gib, m.kernel, m.disk, m.sync_ms.0, m.sync_ms.1, m.load_average
            ),
            format!(
                "Server: two workers, {}. Generator: {} threads, {:.0} s a run, every answer checked.",
                if self.settings.is_empty() { "default settings".to_owned() } else { self.settings.join(", ") },
                self.generator_threads,
                self.seconds_per_run
            ),
        ];
        for line in lines {
            let _infallible = writeln!(out, "{line}\n");
        }
        out.push_str("| figure | bound | aim | measured | |\n|---|---|---|---|---|\n");
        self.figures.iter().for_each(|figure| figure_line(&mut out, figure));
        out.push_str(
            "\n| run | connections | asked/s | answers/s | p50 ms | p99 ms | p99.9 ms | max ms | server us | generator us | of bare | bytes | wrong |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        self.rows.iter().for_each(|row| row_line(&mut out, row));
        out.push('\n');
        for note in &self.notes {
            let _infallible = writeln!(out, "- {note}");
        }
        out
    }

    /// Writes the JSON, and the Markdown between the marks of this set in `path` (or at its end).
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = path.with_file_name(format!("report-{}.json", self.set));
        fs::write(json, serde_json::to_string_pretty(self)?)?;
        let (start, end) = (format!("<!-- figures {} -->\n", self.set), format!("<!-- end {} -->\n", self.set));
        let old = fs::read_to_string(path).unwrap_or_else(|_| "# Load report\n".to_owned());
        let block = format!("{start}{}{end}", self.markdown());
        let new = match (old.find(&start), old.find(&end)) {
            (Some(from), Some(to)) if from < to => format!("{}{block}{}", &old[..from], &old[to + end.len()..]),
            _ => format!("{old}\n## Set `{}`\n\n{block}", self.set),
        };
        Ok(fs::write(path, new)?)
    }
}

fn figure_line(out: &mut String, figure: &Figure) {
    let word = if figure.bound == Bound::AtLeast { "at least" } else { "at most" };
    let verdict = match figure.is_met() {
        Some(true) => "met",
        Some(false) => "**not met**",
        None => "not measured",
    };
    let show = |value: f64| format!("{} {}", number(value), figure.unit);
    let _infallible = writeln!(
        out,
        "| {} | {word} {} | {} | {} | {verdict} |",
        figure.what,
        show(figure.limit),
        figure.aim.map(show).unwrap_or_default(),
        figure.measured.map(show).unwrap_or_default(),
    );
}

fn row_line(out: &mut String, row: &Row) {
    let _infallible = writeln!(
        out,
        "| {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} | {} | {:.0} | {} |",
        row.what,
        row.connections,
        row.asked_per_s.map_or_else(|| "closed".to_owned(), number),
        number(row.rate_per_s),
        row.p50_ms,
        row.p99_ms,
        row.p999_ms,
        row.max_ms,
        row.server_us,
        row.generator_us,
        row.share_of_bare.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default(),
        row.mean_bytes,
        if row.faults.is_empty() {
            row.wrong.to_string()
        } else {
            format!("{} ({})", row.wrong, row.faults.join("; "))
        },
    );
}

/// Enough digits to compare, no more.
fn number(value: f64) -> String {
    match value {
        v if v.abs() >= 100.0 => {
            let digits = format!("{v:.0}");
            let mut out = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at) % 3 == 0 {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        v if v.abs() >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_says_met_not_met_or_not_measured() {
        let figure = |measured| Figure {
            what: "reads".to_owned(),
            unit: "/s",
            bound: Bound::AtLeast,
            limit: 20_000.0,
            aim: None,
            measured,
        };
        assert_eq!(figure(Some(20_000.0)).is_met(), Some(true));
        assert_eq!(figure(Some(19_999.0)).is_met(), Some(false));
        assert_eq!(figure(None).is_met(), None);
        let mut line = String::new();
        figure_line(&mut line, &figure(Some(19_999.0)));
        assert_eq!(line, "| reads | at least 20,000 /s |  | 19,999 /s | **not met** |\n");
    }
}
