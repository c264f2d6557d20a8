//! The story on the terminal.

use std::path::Path;

use super::file::DemoFile;
use super::step::Step;

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub(super) fn line(text: &str) {
    println!("{text}");
}

/// Prints for people or for programs.
pub(super) struct Printer {
    pub(super) is_json: bool,
}

impl Printer {
    pub(super) fn opening(&self, folder: &Path) {
        if !self.is_json {
            line(&format!(
                "Kiroku, the story of one person. Everything is made up, and everything is real HTTP.\nFolder: {}\n",
                folder.display()
            ));
        }
    }

    pub(super) fn step(&self, step: &Step) {
        if self.is_json {
            let mut value = serde_json::json!(step);
            value["held"] = step.held().into();
            return line(&value.to_string());
        }
        line(&format!("{}. {}", step.number, step.sentence));
        for exchange in &step.exchanges {
            line(&format!(
                "   {}: {} {}\n     -> {} {}",
                exchange.who, exchange.method, exchange.path, exchange.status, exchange.answer
            ));
            line(&format!("     {}", exchange.curl));
        }
        for quote in &step.quotes {
            line(&format!("   | {quote}"));
        }
        for check in &step.checks {
            line(&format!("   {} {}", if check.held { "ok:" } else { "FAILED:" }, check.what));
        }
        if let Some(trouble) = &step.trouble {
            line(&format!("   FAILED: {trouble}"));
        }
        line("");
    }

    pub(super) fn closing(&self, steps: &[Step], (folder, program): (&Path, &str), demo: &DemoFile, serving: bool) {
        let held = steps.iter().filter(|step| step.held()).count();
        if self.is_json {
            let end = serde_json::json!({
                "steps": steps.len(), "held": held, "folder": folder, "url": demo.url, "serving": serving,
            });
            return line(&end.to_string());
        }
        line(&format!("{held} of {} steps held.", steps.len()));
        if serving {
            let names: Vec<&str> = demo.everybody.iter().map(|who| who.name.as_str()).collect();
            line(&format!(
                "\nServing at {url} until Ctrl-C. Try it again:\n  - any curl line above, in another terminal (a token is good for 300 s, a card's proof once)\n  \
                 - a token:  {program} demo --data {dir} --token NAME\n    NAME: {names}\n  \
                 - the person's own list:  curl -s '{url}/me/accesses?lang=en' -H 'Accept: text/plain' -H \"Authorization: Bearer $({program} demo --data {dir} --token person)\"\n  \
                 - {dir}/demo.json has the keys, the persons and the case; {url}/openapi.json the API",
                url = demo.url,
                dir = folder.display(),
                names = names.join(", "),
            ));
        }
    }
}
