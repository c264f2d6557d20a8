//! What the generator promises: determinism, valid numbers, whole Bundles, plausible people.

use std::collections::{HashMap, HashSet};

use loadtest::population::check_digit::{holds, individual_number, institution, insurer};
use loadtest::population::{ClinsType, FacilityKind, Kind, Person, Population, Profession, Subject, drugs, fhir};
use serde_json::Value;

const SEED: u64 = 20_261_121;

fn population() -> Population {
    Population::new(SEED)
}

/// Calls `visit` for every object in the tree.
fn walk<'v>(value: &'v Value, visit: &mut impl FnMut(&'v serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|inner| walk(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
        _ => {}
    }
}

fn everything_of(population: &Population, person: &Person) -> Vec<Value> {
    let (from, to) = (population.facility_near(person, 0), population.facility_near(person, 1));
    let when = (population.today(), 1);
    let mut all = vec![
        population.transaction(person, 40),
        population.referral_document(person, &from, &to, when),
        population.discharge_summary(person, &from, when),
    ];
    for clins_type in [ClinsType::AllergyIntolerance, ClinsType::Condition, ClinsType::Observation] {
        all.push(population.clins_collection(person, clins_type, &from, when));
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_any_order_of_asking() {
    let (one, other) = (population(), population());
    let forward: Vec<Vec<u8>> = (0..5).map(|i| bytes_of(&one, i)).collect();
    let backward: Vec<Vec<u8>> = (0..5).rev().map(|i| bytes_of(&other, i)).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
    assert_ne!(bytes_of(&Population::new(SEED + 1), 0), forward[0]);
}

fn bytes_of(population: &Population, index: u64) -> Vec<u8> {
    let person = population.person(index);
    let mut all = everything_of(population, &person);
    all.extend(population.history(index, 30));
    serde_json::to_vec(&all).expect("values serialise")
}

#[test]
fn a_history_item_is_the_same_alone_and_in_the_row() {
    let person = population().person(7);
    let subject = Subject::Member(person.member_id());
    let row: Vec<Value> = population().history(7, 50).collect();
    assert_eq!(row[41], population().history_item(&person, &subject, 41));
}

#[test]
fn every_number_with_a_check_digit_is_valid() {
    let population = population();
    for i in 0..5_000 {
        let person = population.person(i);
        assert!(holds(insurer, &person.insurer.number) && person.insurer.number.len() == 8, "seed {SEED} person {i}");
        assert!(holds(individual_number, &person.individual_number), "seed {SEED} person {i}");
        let facility = population.facility(i);
        assert!(holds(institution, &facility.code) && facility.code.len() == 10, "seed {SEED} facility {i}");
    }
}

#[test]
fn codes_of_facilities_insurers_and_licences_are_distinct() {
    let population = population();
    let facilities: HashSet<_> = (0..20_000).map(|i| population.facility(i).code).collect();
    let licences: HashSet<_> = (0..20_000).map(|i| population.professional(i).licence).collect();
    let insurers: HashSet<_> = (0..population.insurer_count()).map(|i| population.insurer(i).number).collect();
    assert_eq!((facilities.len(), licences.len()), (20_000, 20_000));
    assert_eq!(insurers.len() as u64, population.insurer_count());
}

#[test]
fn member_ids_of_a_hundred_thousand_persons_are_distinct_and_well_formed() {
    let population = population();
    let mut seen = HashSet::new();
    for i in 0..100_000 {
        let id = population.person(i).member_id();
        let parts: Vec<&str> = id.split(':').collect();
        assert_eq!(parts.len(), 4, "seed {SEED} person {i}");
        let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits(parts[0], 8) && digits(parts[3], 2), "seed {SEED} person {i}");
        assert!(parts.iter().all(|part| part.len() <= 38 && !part.contains([' ', '　'])), "seed {SEED} person {i}");
        assert!(seen.insert(id), "seed {SEED} person {i}");
    }
}

#[test]
fn ages_and_sexes_look_like_a_country() {
    let population = population();
    let today = population.today();
    let ages: Vec<i32> = (0..10_000).map(|i| population.person(i).age(today)).collect();
    assert!(ages.iter().all(|age| (0..=110).contains(age)), "seed {SEED}");
    let share = |from: i32, to: i32| ages.iter().filter(|age| (from..to).contains(age)).count() as f64 / 10_000.0;
    assert!((0.09..0.15).contains(&share(0, 15)), "seed {SEED}: {}", share(0, 15));
    assert!((0.25..0.34).contains(&share(65, 120)), "seed {SEED}: {}", share(65, 120));
    let women = (0..10_000).filter(|i| population.person(*i).sex.as_fhir() == "female").count();
    assert!((4_800..5_400).contains(&women), "seed {SEED}: {women}");
}

#[test]
fn the_old_are_with_the_elderly_insurer_and_nobody_else() {
    let population = population();
    for i in 0..3_000 {
        let person = population.person(i);
        let elderly = person.insurer.number.starts_with("39");
        match person.age(population.today()) {
            ..74 => assert!(!elderly, "seed {SEED} person {i}"),
            76.. => assert!(elderly && person.symbol.is_empty(), "seed {SEED} person {i}"),
            _ => {}
        }
    }
}

#[test]
fn every_reference_resolves_inside_its_bundle_or_resource_or_names_an_identifier() {
    let population = population();
    for i in 0..40 {
        for bundle in everything_of(&population, &population.person(i)) {
            let entries = bundle["entry"].as_array().expect("entries");
            let urls: HashSet<&str> = entries.iter().filter_map(|entry| entry["fullUrl"].as_str()).collect();
            assert_eq!(urls.len(), entries.len(), "a fullUrl stands twice, seed {SEED} person {i}");
            for entry in entries {
                check_references(&entry["resource"], &urls, i);
            }
        }
    }
}

fn check_references(resource: &Value, urls: &HashSet<&str>, person: u64) {
    let contained: HashSet<&str> =
        resource["contained"].as_array().into_iter().flatten().filter_map(|inner| inner["id"].as_str()).collect();
    let mut used = HashSet::new();
    walk(resource, &mut |object| {
        if let Some(reference) = object.get("reference").and_then(Value::as_str) {
            let known = match reference.strip_prefix('#') {
                Some(id) => {
                    used.insert(id);
                    contained.contains(id)
                }
                None => urls.contains(reference),
            };
            assert!(known, "`{reference}`, seed {SEED} person {person}");
        }
    });
    assert_eq!(used, contained, "contained but never referred to (dom-3), seed {SEED} person {person}");
}

#[test]
fn clins_bundles_pass_the_rules_of_the_receiver() {
    let population = population();
    for i in 0..50 {
        let person = population.person(i);
        let clinic = population.clinic(i);
        for clins_type in [ClinsType::AllergyIntolerance, ClinsType::Condition, ClinsType::Observation] {
            let bundle = population.clins_collection(&person, clins_type, &clinic, (population.today(), i));
            check_bundle_frame(&bundle, &clinic.code, clins_type.as_str());
            let entries = bundle["entry"].as_array().expect("entries");
            let patient_url = &entries[0]["fullUrl"];
            check_patient(&entries[0]["resource"]);
            for entry in &entries[1..] {
                check_item(&entry["resource"], clins_type, patient_url, &clinic.code);
            }
        }
    }
}

fn check_bundle_frame(bundle: &Value, code: &str, tag: &str) {
    assert_eq!(bundle["type"], "collection");
    assert_eq!(bundle["meta"]["tag"][0]["code"], tag);
    assert_eq!(bundle["meta"]["profile"][0], "http://jpfhir.jp/fhir/clins/StructureDefinition/JP_Bundle_CLINS|1");
    assert!(bundle["meta"]["lastUpdated"].is_string() && bundle["timestamp"].is_string());
    let value = bundle["identifier"]["value"].as_str().expect("an identifier");
    let parts: Vec<&str> = value.split('^').collect();
    assert_eq!((parts.len(), parts[0]), (3, code));
    assert!(('1'..='3').contains(&parts[0].chars().nth(2).expect("ten digits")), "{value}");
    assert!(parts[1].starts_with("202") && parts[1].len() == 4, "{value}");
    assert!((1..=36).contains(&parts[2].len()), "{value}");
    assert!(parts[2].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{value}");
}

fn check_patient(patient: &Value) {
    assert_eq!(patient["resourceType"], "Patient");
    let member = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID";
    let identifiers = patient["identifier"].as_array().expect("identifiers");
    assert_eq!(identifiers.iter().filter(|identifier| identifier["system"] == member).count(), 1);
    let forms: Vec<&Value> =
        patient["name"].as_array().expect("names").iter().map(|name| &name["extension"][0]["valueCode"]).collect();
    assert_eq!(forms, ["IDE", "SYL", "ABC"]);
    for name in patient["name"].as_array().expect("names") {
        assert!(!name["text"].as_str().expect("text").contains('　') && name["family"].is_string());
    }
    for part in ["text", "city", "state"] {
        assert!(patient["address"][0][part].is_string(), "{part}");
    }
}

fn check_item(item: &Value, clins_type: ClinsType, patient_url: &Value, code: &str) {
    assert_eq!(item["resourceType"], clins_type.as_str());
    assert!(item["meta"]["lastUpdated"].is_string() && item["meta"]["profile"][0].is_string());
    assert_eq!(item["extension"][0]["valueIdentifier"]["value"], code);
    let subject = if clins_type == ClinsType::AllergyIntolerance { "patient" } else { "subject" };
    assert_eq!(&item[subject]["reference"], patient_url);
    let needed: &[&str] = match clins_type {
        ClinsType::AllergyIntolerance => &["identifier", "clinicalStatus", "code", "criticality"],
        ClinsType::Condition => &["identifier", "verificationStatus", "category", "encounter", "onsetDateTime"],
        ClinsType::Observation => {
            &["status", "category", "effectiveDateTime", "specimen", "encounter", "performer", "valueQuantity"]
        }
    };
    for element in needed {
        assert!(!item[element].is_null(), "{element}");
    }
    if clins_type == ClinsType::Observation {
        let systems: Vec<&str> =
            item["code"]["coding"].as_array().expect("codings").iter().filter_map(|c| c["system"].as_str()).collect();
        assert!(
            systems.iter().any(|system| system.ends_with("LocalCode_CS"))
                && systems.iter().any(|system| system.contains("JLAC10"))
        );
    }
    if clins_type == ClinsType::AllergyIntolerance && item["category"][0] == "medication" {
        assert_eq!(item["criticality"], "high");
    }
}

#[test]
fn documents_start_with_their_composition_and_have_the_required_sections() {
    let population = population();
    let person = population.person(3);
    let (from, to) = (population.hospital(1), population.clinic(2));
    let when = (population.today(), 4);
    let referral = population.referral_document(&person, &from, &to, when);
    assert_sections(&referral, "57133-1", &["920", "910", "300", "950", "340", "360"]);
    let summary = population.discharge_summary(&person, &from, when);
    assert_sections(&summary, "18842-5", &["300", "322", "342", "352", "312", "362", "333", "324", "344", "444"]);
    assert_ne!(referral, population.referral_document(&person, &from, &to, (when.0, 5)));
}

fn assert_sections(document: &Value, type_code: &str, wanted: &[&str]) {
    assert_eq!(document["type"], "document");
    let composition = &document["entry"][0]["resource"];
    assert_eq!(composition["resourceType"], "Composition");
    assert_eq!(composition["type"]["coding"][0]["code"], type_code);
    let mut codes = HashSet::new();
    walk(&composition["section"], &mut |object| {
        if let Some(code) = object.get("code").and_then(|code| code["coding"][0]["code"].as_str()) {
            codes.insert(code);
        }
    });
    for code in wanted {
        assert!(codes.contains(code), "section {code}");
    }
}

#[test]
fn a_history_has_the_mix_of_a_real_shelf_and_stays_within_life_and_ten_years() {
    let population = population();
    let person = population.person(11);
    let mut counts: HashMap<String, usize> = HashMap::new();
    for item in population.history(11, 4_000) {
        let resource_type = item["resourceType"].as_str().expect("a type").to_owned();
        *counts.entry(resource_type).or_default() += 1;
        let date = item["meta"]["lastUpdated"].as_str().expect("a date").to_owned();
        assert!(date.as_str() > "2016-11-2" && date.as_str() < "2026-11-22", "seed {SEED}: {date}");
        assert!(date >= person.birth_date.to_string(), "seed {SEED}: {date}");
    }
    let share = counts["Observation"] as f64 / 4_000.0;
    assert!((0.42..0.48).contains(&share), "seed {SEED}: {share}");
    assert_eq!(counts.len(), 14, "{counts:?}");
}

#[test]
fn nothing_happens_before_birth_or_after_today() {
    let population = population();
    let today = population.today().to_string();
    for i in 0..60 {
        let born = population.person(i).birth_date.to_string();
        let mut all = everything_of(&population, &population.person(i));
        all.extend(population.history(i, 60));
        for resource in &all {
            walk(resource, &mut |object| {
                let period = object.get("class").and(object.get("period"));
                let parts = ["start", "end"].map(|end| period.and_then(|period| period.get(end)));
                let dates = ["onsetDateTime", "abatementDateTime", "effectiveDateTime", "authoredOn", "whenHandedOver"];
                for date in dates.map(|name| object.get(name)).into_iter().chain(parts).flatten() {
                    let day = &date.as_str().expect("a date")[..10];
                    assert!(day >= born.as_str() && day <= today.as_str(), "{day}, seed {SEED} person {i}");
                }
            });
        }
    }
}

#[test]
fn histories_hold_duplicates_and_forbidden_pairs_to_be_found() {
    let population = population();
    let (mut duplicates, mut forbidden) = (0, 0);
    for i in 0..20 {
        let codes: HashSet<String> = population
            .history(i, 400)
            .filter_map(|item| item["medicationCodeableConcept"]["coding"][0]["code"].as_str().map(str::to_owned))
            .collect();
        let ingredients: HashSet<&str> = codes.iter().map(|code| &code[..7]).collect();
        duplicates += codes.len() - ingredients.len();
        let pairs = drugs::contraindications();
        forbidden +=
            pairs.iter().filter(|pair| ingredients.contains(pair.one) && ingredients.contains(pair.other)).count();
    }
    assert!(duplicates > 0 && forbidden > 0, "seed {SEED}: {duplicates} {forbidden}");
}

#[test]
fn a_laboratory_result_is_a_few_kilobytes() {
    let population = population();
    let person = population.person(1);
    let subject = Subject::Member(person.member_id());
    for k in 0..100 {
        let size = population.item(Kind::Laboratory, &person, &subject, k).to_string().len();
        assert!((2_000..3_900).contains(&size), "seed {SEED}: {size} bytes");
    }
}

#[test]
fn the_individual_number_never_enters_fhir() {
    let population = population();
    for i in 0..10 {
        let person = population.person(i);
        let mut all = everything_of(&population, &person);
        all.extend(population.history(i, 100));
        assert!(!Value::from(all).to_string().contains(&person.individual_number), "seed {SEED} person {i}");
    }
}

#[test]
fn signers_have_the_profession_of_their_facility() {
    let population = population();
    for k in 0..100 {
        assert_eq!(population.hospital(k).kind, FacilityKind::Hospital);
        assert_eq!(population.clinic(k).kind, FacilityKind::Clinic);
        let pharmacy = population.pharmacy(k);
        assert_eq!((pharmacy.kind, &pharmacy.code[2..3]), (FacilityKind::Pharmacy, "4"));
        assert_eq!(population.signer_of(&pharmacy).profession, Profession::Pharmacist);
        assert_eq!(population.signer_of(&population.clinic(k)).profession, Profession::Doctor);
    }
    let organization = fhir::organization(&population.hospital(0), population.today());
    assert_eq!(organization["identifier"][0]["value"], population.hospital(0).code.as_str());
}
