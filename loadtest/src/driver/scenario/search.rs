//! The ten newest laboratory results of one person.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use schemas::ResourceType;
use serde_json::Value;

use super::super::drive::Job;
use super::super::http::{Answer, Connection, write_request};
use super::super::process::Server;
use super::super::token::Tokens;
use super::super::world::{Shelf, World};
use super::{ask, check_released, count_of};
use crate::population::Dice;

const PAGE: usize = 10;
const MATCH: &[u8] = b"\"mode\":\"match\"";

/// One search per person.
pub struct Search {
    paths: Vec<String>,
    /// What stands in every `fullUrl` of the answer.
    owners: Vec<String>,
    /// Ids of the page in order, for persons whose answer was compared with what was sent.
    pages: Vec<Vec<String>>,
}

impl Search {
    /// Checks the answers for up to `sample` persons against what was sent: right results, right order, right number.
    /// Persons with fewer than ten laboratory results are left out.
    pub async fn verified(world: &World, server: &Server, tokens: &Tokens, sample: usize) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        let mut it = Self { paths: Vec::new(), owners: Vec::new(), pages: Vec::new() };
        let step = (world.shelves.len() / sample.max(1)).max(1);
        for (index, shelf) in world.shelves.iter().enumerate() {
            let path = path(shelf);
            let mut page = Vec::new();
            if index % step == 0 {
                let dates = laboratory_dates(world, index, shelf);
                if dates.len() < PAGE {
                    continue;
                }
                let (_, bundle) = ask(&mut connection, tokens, &path).await?;
                page = checked_page(&bundle, &dates)?;
            }
            it.paths.push(path);
            it.owners.push(format!("/fhir/Observation/{}-", shelf.pid));
            it.pages.push(page);
        }
        ensure!(!it.paths.is_empty(), "nobody has ten laboratory results");
        Ok(it)
    }
}

fn path(shelf: &Shelf) -> String {
    format!("/fhir/Observation?patient={}&category=laboratory&_sort=-date&_count={PAGE}", shelf.patient_id())
}

/// Date of every laboratory result of a person, by id.
fn laboratory_dates(world: &World, index: usize, shelf: &Shelf) -> HashMap<String, String> {
    let person = world.person(index);
    let observations = (0..shelf.items.len()).filter(|&k| shelf.items[k].0 == ResourceType::Observation);
    observations
        .filter_map(|k| {
            let sent = world.sent(&person, shelf, k);
            let is_laboratory = sent["category"][0]["coding"][0]["code"] == "laboratory";
            let date = sent["effectiveDateTime"].as_str()?.to_owned();
            is_laboratory.then(|| (shelf.item(index, k).id.to_string(), date))
        })
        .collect()
}

/// The ids of a page that holds the newest results, newest first. All dates are in one zone, so they sort as text.
fn checked_page(bundle: &Value, dates: &HashMap<String, String>) -> Result<Vec<String>> {
    let mut newest: Vec<&String> = dates.values().collect();
    newest.sort_unstable_by(|a, b| b.cmp(a));
    // The notice that the answer may be incomplete is an entry too, of mode `outcome`.
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let matches = entries.filter(|entry| entry["search"]["mode"] == "match");
    let ids: Vec<String> =
        matches.filter_map(|entry| entry["resource"]["id"].as_str().map(ToOwned::to_owned)).collect();
    ensure!(ids.len() == PAGE, "a page of {} results instead of {PAGE}", ids.len());
    let found: Vec<Option<&String>> = ids.iter().map(|id| dates.get(id)).collect();
    let wanted: Vec<Option<&String>> = newest.into_iter().take(PAGE).map(Some).collect();
    ensure!(found == wanted, "the page does not hold the newest results in order");
    Ok(ids)
}

impl Job for Search {
    fn write(&self, token: &str, dice: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let at = dice.below(self.paths.len() as u64);
        write_request(out, ("GET", &self.paths[at as usize]), token, "", b"");
        at
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        check_released(answer, 200)?;
        let at = ticket as usize;
        if count_of(answer.body, MATCH) != PAGE || count_of(answer.body, self.owners[at].as_bytes()) < PAGE {
            return Err("not ten results of the person".to_owned());
        }
        let mut rest = answer.body;
        for id in &self.pages[at] {
            let Some(found) = memchr::memmem::find(rest, id.as_bytes()) else {
                return Err("the page changed".to_owned());
            };
            rest = &rest[found + id.len()..];
        }
        Ok(())
    }
}
