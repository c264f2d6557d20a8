//! `Patient/{id}/$everything`: a whole shelf in one answer.

use std::collections::HashSet;

use anyhow::{Result, ensure};

use super::super::drive::Job;
use super::super::http::{Answer, Connection, write_request};
use super::super::process::Server;
use super::super::token::Tokens;
use super::super::world::World;
use super::{ask, check_released, count_of};
use crate::population::Dice;

/// One request per person.
pub struct Everything {
    paths: Vec<String>,
    /// Entries of each answer.
    counts: Vec<usize>,
}

impl Everything {
    /// Checks for up to `sample` persons that every item of the set is there; those are the persons asked in the run.
    pub async fn verified(world: &World, server: &Server, tokens: &Tokens, sample: usize) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        let mut it = Self { paths: Vec::new(), counts: Vec::new() };
        for (index, shelf) in world.shelves.iter().enumerate().take(sample) {
            let path = format!("/fhir/Patient/{}/$everything", shelf.patient_id());
            let (body, bundle) = ask(&mut connection, tokens, &path).await?;
            let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
            let read: HashSet<&str> = entries.iter().filter_map(|entry| entry["resource"]["id"].as_str()).collect();
            let missing = (0..shelf.items.len())
                .filter(|&k| !read.contains(shelf.item(index, k).id.to_string().as_str()))
                .count();
            ensure!(missing == 0, "{missing} of {} resources are missing in $everything", shelf.items.len());
            it.paths.push(path);
            it.counts.push(count_of(&body, b"\"mode\":\"match\""));
        }
        Ok(it)
    }
}

impl Job for Everything {
    fn write(&self, token: &str, dice: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let at = dice.below(self.paths.len() as u64);
        write_request(out, ("GET", &self.paths[at as usize]), token, "", b"");
        at
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        check_released(answer, 200)?;
        let entries = count_of(answer.body, b"\"mode\":\"match\"");
        if entries >= self.counts[ticket as usize] { Ok(()) } else { Err("entries are missing".to_owned()) }
    }
}
