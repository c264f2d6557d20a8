//! Writes the generated population as files, for people who want files: commons as one Bundle, and per person a
//! transaction, a referral, a discharge summary, the CLINS Bundles (JSON) and a history (NDJSON).

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use loadtest::population::{ClinsType, Person, Population, Subject, fhir};
use serde_json::{Value, json};

/// Writes a made-up Japanese population as FHIR files.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Seed: the same seed gives the same files.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many persons, from --first on.
    #[arg(long, default_value_t = 3)]
    persons: u64,
    /// Index of the first person.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Resources in the history of each person.
    #[arg(long, default_value_t = 100)]
    history: u64,
    /// Folder to write to; made if absent.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let population = Population::new(arguments.seed);
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder `{}`", arguments.out.display()))?;
    let persons: Vec<Person> = (0..arguments.persons).map(|k| population.person(arguments.first + k)).collect();
    write_json(&arguments.out.join("commons.json"), &commons(&population, &persons))?;
    for person in &persons {
        write_person(&population, person, &arguments)?;
    }
    Ok(())
}

/// The facilities near these persons with their signers, and their insurers, as a transaction of conditional creates.
fn commons(population: &Population, persons: &[Person]) -> Value {
    let today = population.today();
    let mut resources = Vec::new();
    for person in persons {
        for pick in 0..8 {
            let facility = population.facility_near(person, pick);
            resources.push(fhir::organization(&facility, today));
            resources.push(fhir::practitioner(&population.signer_of(&facility), today));
        }
        resources.push(fhir::insurer_organization(&person.insurer, today));
    }
    let mut seen = std::collections::BTreeSet::new();
    let entries: Vec<Value> = resources
        .into_iter()
        .filter_map(|resource| {
            let identifier = &resource["identifier"][0];
            let key = fhir::identifier_query(identifier["system"].as_str()?, identifier["value"].as_str()?);
            let request = json!({"method": "POST", "url": resource["resourceType"], "ifNoneExist": key});
            seen.insert(key).then(|| json!({"resource": resource, "request": request}))
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn write_person(population: &Population, person: &Person, arguments: &Arguments) -> anyhow::Result<()> {
    let file = |name: &str| arguments.out.join(format!("person-{:06}-{name}", person.index));
    let (hospital, clinic) = (population.facility_near(person, 0), population.facility_near(person, 1));
    let when = (population.today(), 1);
    write_json(&file("transaction.json"), &population.transaction(person, 20))?;
    write_json(&file("referral.json"), &population.referral_document(person, &hospital, &clinic, when))?;
    write_json(&file("discharge.json"), &population.discharge_summary(person, &hospital, when))?;
    for clins_type in [ClinsType::AllergyIntolerance, ClinsType::Condition, ClinsType::Observation] {
        let bundle = population.clins_collection(person, clins_type, &hospital, when);
        write_json(&file(&format!("clins-{}.json", clins_type.as_str())), &bundle)?;
    }
    let path = file("history.ndjson");
    let mut lines =
        BufWriter::new(fs::File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?);
    serde_json::to_writer(&mut lines, &fhir::patient(person, &hospital, population.today()))?;
    lines.write_all(b"\n")?;
    let subject = Subject::Member(person.member_id());
    for resource in population.history_about(person.clone(), subject, arguments.history) {
        serde_json::to_writer(&mut lines, &resource)?;
        lines.write_all(b"\n")?;
    }
    lines.flush().with_context(|| format!("cannot write `{}`", path.display()))
}

fn write_json(path: &Path, value: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(value)?;
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
