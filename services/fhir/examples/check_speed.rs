//! How long the door's check takes, per step: `cargo run --release -p fhir --example check_speed [FILE]`.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use fhir::check::{CheckRules, check_resource};
use fhir::json::{Limits, parse};
use fhir::{biometrics, jp, second, shape};
use schemas::ResourceType;

const ROUNDS: u32 = 20_000;

fn main() -> std::io::Result<()> {
    let raw = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file)?,
        None => observation().into_bytes(),
    };
    let rules = CheckRules::default();
    let node = parse(&raw, &Limits::default()).expect("the example is JSON");
    let named = node.text("resourceType").expect("the example is a resource").to_owned();
    let resource_type: ResourceType = named.parse().expect("the example is of an accepted type");
    let mut out = std::io::stdout();
    writeln!(out, "{named} of {} bytes, microseconds each:", raw.len())?;
    let mut time = |what: &str, step: &mut dyn FnMut()| {
        step();
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| step());
        writeln!(out, "{what:>12} {:8.2}", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS))
    };
    time("json", &mut || drop(black_box(parse(black_box(&raw), &Limits::default()))))?;
    time("shape", &mut || drop(black_box(shape::check(resource_type, black_box(&node)))))?;
    time("biometrics", &mut || drop(black_box(biometrics::check(resource_type, black_box(&node)))))?;
    time("jp", &mut || drop(black_box(jp::check(black_box(&node), &named, &rules.jp))))?;
    time("second", &mut || drop(black_box(second::check(black_box(&node), &named))))?;
    time("all", &mut || drop(black_box(check_resource(black_box(&raw), &rules))))
}

/// A laboratory result with reference range and two components, 2 kB.
fn observation() -> String {
    let coding = |code: &str| {
        format!(
            r#"{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"A measured thing"}}],"text":"thing"}}"#
        )
    };
    let quantity = |value: &str| {
        format!(r#"{{"value":{value},"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}"#)
    };
    let range = format!(r#"[{{"low":{},"high":{},"text":"90-120"}}]"#, quantity("90.0"), quantity("120.50"));
    let component = |code: &str| {
        format!(r#"{{"code":{},"valueQuantity":{},"referenceRange":{range}}}"#, coding(code), quantity("107.25"))
    };
    format!(
        r#"{{"resourceType":"Observation","meta":{{"profile":["http://hl7.org/fhir/StructureDefinition/bp"]}},"status":"final",
"category":[{}],"code":{},"subject":{{"reference":"Patient/abcdefgh-ijklmnop"}},"encounter":{{"reference":"Encounter/e-1"}},
"effectiveDateTime":"2026-11-20T08:30:00+09:00","issued":"2026-11-20T08:31:02.120+09:00","performer":[{{"reference":"Practitioner/p-1"}}],
"component":[{},{}]}}"#,
        coding("85353-1"),
        coding("85354-9"),
        component("8480-6"),
        component("8462-4")
    )
}
