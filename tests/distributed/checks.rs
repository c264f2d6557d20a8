//! What must hold after each fault, of every person that was written for: nothing acknowledged lost, nothing twice, in order, and
//! nothing released without an entry.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use chassis::clock::{Clock, SystemClock};
use kiroku::api::Api;
use serde_json::{Value, json};
use tests::wire::{Ask, until};

use crate::load::{Writer, until_answered};

/// Birth and registration come before a writer begins; clocks of one machine are the same.
const CLOCKS_MS: i64 = 60_000;
/// Pages asked for.
const COUNT: usize = 500;

/// Checks everything that a writer was told.
pub(crate) async fn person(writer: &Writer) -> Result<()> {
    let name = |what: &'static str| move || format!("person {}, {what}", writer.citizen.index);
    retried(writer).await.with_context(name("a retry with its key"))?;
    versions(writer).await.with_context(name("the history"))?;
    records(writer).await.with_context(name("the records"))?;
    accesses(writer).await.with_context(name("the list of accesses"))
}

/// The last record and the one before, sent again under their keys, are told as before.
async fn retried(writer: &Writer) -> Result<()> {
    let count = writer.written.len();
    for n in count.saturating_sub(2)..count {
        let again = writer.write(n).await?;
        ensure!(again == writer.written[n], "{} was {:?} and is now {again:?}", writer.key(n), writer.written[n]);
    }
    Ok(())
}

/// Each acknowledged change is a version of its own, dense from 1, in the order of the acknowledgements.
async fn versions(writer: &Writer) -> Result<()> {
    let first = &writer.written.first().context("nothing was written")?.place;
    let history = pages(writer, &format!("/fhir/{first}/_history?_count={COUNT}")).await?;
    let found: BTreeMap<u64, String> = history.iter().map(|found| (version(found), text(found))).collect();
    let told = (0..writer.written.len()).step_by(2).map(|n| writer.key(n));
    let wanted: BTreeMap<u64, String> = (1..).zip(told).collect();
    ensure!(history.len() == found.len(), "a version stands there twice: {:?}", history.iter().map(version));
    ensure!(found == wanted, "versions are {found:?} and must be {wanted:?}");
    in_order(writer, history.iter().map(|found| (version(found), updated(found))).collect())
}

/// Each acknowledged record is there once, none beside them.
async fn records(writer: &Writer) -> Result<()> {
    let path = format!("/fhir/Observation?patient={}&_count={COUNT}", writer.citizen.patient);
    let found = pages(writer, &path).await?;
    let number: BTreeMap<&str, usize> = writer.written.iter().enumerate().map(|(n, w)| (w.place.as_str(), n)).collect();
    let place = |record: &Value| format!("Observation/{}", record["id"].as_str().unwrap_or_default());
    let there: BTreeSet<(String, String)> = found.iter().map(|record| (place(record), text(record))).collect();
    let wanted = number.iter().map(|(place, n)| ((*place).to_owned(), writer.key(*n))).collect();
    ensure!(found.len() == there.len(), "a record stands there twice");
    ensure!(there == wanted, "records are {there:?} and must be {wanted:?}");
    let made = found.iter().filter(|record| version(record) == 1);
    in_order(writer, made.map(|record| (number[place(record).as_str()] as u64, updated(record))).collect())
}

/// The person finds each release among the accesses, once, with what was released; the numbers have no gap.
async fn accesses(writer: &Writer) -> Result<()> {
    let own = own_token(writer).await?;
    let mut entries: Vec<Value> = Vec::new();
    let mut next = Some(format!("/me/accesses?lang=en&_count={COUNT}"));
    while let Some(path) = next {
        let page = until("the list is numbered to its end", async || {
            let page = ask(writer, &own, &path).await?;
            Ok(page.get("behind").is_none().then_some(page))
        });
        let page = page.await?;
        entries.extend(page["entries"].as_array().into_iter().flatten().cloned());
        next = page["next"].as_str().map(str::to_owned);
    }
    let logged = entries.iter().map(|entry| (entry["no"].as_u64().unwrap_or_default(), instant(&entry["logged_at"])));
    in_order(writer, logged.collect())?;
    let numbers: Vec<u64> = entries.iter().filter_map(|entry| entry["no"].as_u64()).collect();
    let dense: Vec<u64> = (1..=entries.len() as u64).rev().collect();
    ensure!(numbers == dense, "the list is not dense: {numbers:?}");
    for (id, place) in &writer.released {
        let found: Vec<&Value> = entries.iter().filter(|entry| entry["proof"]["entry"] == json!(id)).collect();
        ensure!(found.len() == 1, "the release of {place} has {} entries", found.len());
        let named = found[0]["items"][0]["reference"] == json!(place);
        ensure!(named, "the entry of {place} names {}", found[0]["items"]);
    }
    Ok(())
}

async fn own_token(writer: &Writer) -> Result<String> {
    let api = Api::new(&writer.line.url);
    until("the person's token", async || Ok(api.sign_in(&writer.citizen.card).await.ok())).await
}

async fn ask(writer: &Writer, token: &str, path: &str) -> Result<Value> {
    let told = until_answered(&writer.line, token, &Ask::get(path)).await?;
    ensure!(told.status == 200, "{} {}", told.status, told.text);
    Ok(told.json())
}

/// All resources of a Bundle and of the pages that follow.
async fn pages(writer: &Writer, path: &str) -> Result<Vec<Value>> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = ask(writer, &writer.doctor, &path).await?;
        let entries = page["entry"].as_array().into_iter().flatten();
        let records = entries.map(|entry| &entry["resource"]).filter(|record| record["resourceType"] == "Observation");
        found.extend(records.cloned());
        let links = page["link"].as_array().into_iter().flatten();
        let link =
            links.filter(|link| link["relation"] == "next").find_map(|link| link["url"].as_str()?.split_once("/fhir"));
        next = link.map(|(_, rest)| format!("/fhir{rest}"));
    }
    Ok(found)
}

fn version(record: &Value) -> u64 {
    record["meta"]["versionId"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn text(record: &Value) -> String {
    record["code"]["text"].as_str().unwrap_or_default().to_owned()
}

fn updated(record: &Value) -> String {
    instant(&record["meta"]["lastUpdated"])
}

fn instant(text: &Value) -> String {
    text.as_str().unwrap_or_default().to_owned()
}

/// Times, by the number of what they belong to, never run backwards, and they are the log's: none lies outside of the test, however
/// wrong the clock of a process is.
fn in_order(writer: &Writer, mut times: Vec<(u64, String)>) -> Result<()> {
    times.sort_by_key(|(number, _)| *number);
    ensure!(times.windows(2).all(|two| two[0].1 <= two[1].1), "times run backwards: {times:?}");
    let (first, last) = (writer.began - CLOCKS_MS, SystemClock.now() + CLOCKS_MS);
    let (first, last) = (fhir::dates::instant(first), fhir::dates::instant(last));
    ensure!(times.iter().all(|(_, time)| (&first..=&last).contains(&time)), "not all of {first} to {last}: {times:?}");
    Ok(())
}
