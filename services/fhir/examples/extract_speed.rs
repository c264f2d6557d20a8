//! How long the search values of a resource take: `cargo run --release -p fhir --example extract_speed -- FILE.json...`
//! (resources or Bundles). Prints microseconds and stored bytes per resource, by type.

#![allow(clippy::print_stdout, reason = "an example that prints")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fhir::classify::classify;
use fhir::extract::extract;
use fhir::json::{Limits, Node, parse};
use fhir::search::{Handling, HeaderShelf, Query};
use schemas::header::{Header, ItemMeta};
use schemas::search::ParamValue;
use schemas::vocab::Category;
use schemas::{ItemKey, LocalId, ResourceType, SubmissionId};

const ROUNDS: u32 = 20;

#[derive(Default)]
struct Sum {
    resources: u32,
    json: usize,
    stored: usize,
    values: usize,
    extract: Duration,
    classify: Duration,
}

fn main() {
    let mut sums: BTreeMap<ResourceType, Sum> = BTreeMap::new();
    let mut headers = Vec::new();
    for file in std::env::args().skip(1) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("`{file}`: {error}"));
        let node = parse(&bytes, &Limits::default()).unwrap_or_else(|problem| panic!("`{file}`: {problem:?}"));
        let entries = node.get("entry").map(Node::items).unwrap_or_default();
        let inside = entries.iter().filter_map(|e| e.get("resource"));
        for resource in inside.chain(entries.is_empty().then_some(&node)) {
            if let Some(Ok(resource_type)) = resource.get("resourceType").and_then(Node::as_str).map(str::parse) {
                let values = measure(sums.entry(resource_type).or_default(), resource_type, resource);
                if resource_type == ResourceType::Observation {
                    headers.push(header(ItemKey { resource_type, local: LocalId::random() }, values));
                }
            }
        }
    }
    println!(
        "{:26} {:>6} {:>7} {:>7} {:>7} {:>9} {:>9}",
        "type", "count", "json B", "values", "CBOR B", "extr. us", "class. us"
    );
    for (resource_type, sum) in &sums {
        let (count, rounds) = (sum.resources as usize, f64::from(sum.resources * ROUNDS));
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / rounds;
        println!(
            "{:26} {:>6} {:>7} {:>7} {:>7} {:>9.2} {:>9.2}",
            resource_type.as_str(),
            count,
            sum.json / count,
            sum.values / count,
            sum.stored / count,
            micros(sum.extract),
            micros(sum.classify)
        );
    }
    for text in [
        "code=http://loinc.org|8302-2",
        "date=ge2020&status=final",
        "value-quantity=gt5",
        "patient=x&code:text=body",
        "_tag=a|b",
    ] {
        match_speed(text, &headers);
    }
}

/// Microseconds to compile a query, and to match it on one header.
fn match_speed(text: &str, headers: &[Header]) {
    let split = text.split('&').filter_map(|p| p.split_once('='));
    let pairs: Vec<_> = split.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let compile = || Query::parse(Some(ResourceType::Observation), &pairs, Handling::Strict).expect("a good query");
    let start = Instant::now();
    (0..1000).for_each(|_| drop(std::hint::black_box(compile())));
    let compiled = start.elapsed().as_secs_f64() * 1e3;
    let shelf: HeaderShelf<'_> = headers.iter().collect();
    let query = compile();
    let start = Instant::now();
    let matcher = query.on(&shelf);
    let found: usize = (0..ROUNDS).map(|_| headers.iter().filter(|h| matcher.matches(h)).count()).sum();
    let each = start.elapsed().as_secs_f64() * 1e6 / (headers.len().max(1) as f64 * f64::from(ROUNDS));
    println!(
        "`{text}`: compile {compiled:.2} us, match {each:.3} us a header, {} of {}",
        found / ROUNDS as usize,
        headers.len()
    );
}

fn header(item: ItemKey, search: Vec<ParamValue>) -> Header {
    let meta = ItemMeta {
        category: Category::Ehr,
        class: String::new(),
        labels: vec![],
        period: None,
        receivers: vec![],
        sent_meta: r#"{"tag":[{"system":"a","code":"c"}]}"#.to_owned(),
        part_of: None,
        tables_release: String::new(),
    };
    Header {
        item,
        version: 1,
        deleted: false,
        position: 0,
        last_updated: 0,
        meta,
        author_organisation: "".into(),
        author_client: "".into(),
        author_practitioner: None,
        submission: SubmissionId([0; 16]),
        body: None,
        search,
    }
}

fn measure(sum: &mut Sum, resource_type: ResourceType, resource: &Node) -> Vec<ParamValue> {
    let start = Instant::now();
    let mut values = Vec::new();
    for _ in 0..ROUNDS {
        values = std::hint::black_box(extract(resource_type, std::hint::black_box(resource)));
    }
    sum.extract += start.elapsed();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(classify(resource_type, std::hint::black_box(resource)));
    }
    sum.classify += start.elapsed();
    sum.resources += 1;
    sum.json += resource.to_bytes().len();
    sum.values += values.len();
    sum.stored += schemas::codec::encode(&values).len();
    values
}
