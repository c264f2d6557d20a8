//! One resource by id, random among the set.

use anyhow::{Result, ensure};

use super::super::drive::Job;
use super::super::http::{Answer, Connection, write_request};
use super::super::process::Server;
use super::super::token::Tokens;
use super::super::world::{Item, World};
use super::{ask, check_released, same_content};
use crate::population::Dice;

/// Reads of the items of a world.
pub struct Read {
    items: Vec<Item>,
    /// CRC of the whole answer, for items that the pass before compared with what was sent; 0 for the others.
    known: Vec<u32>,
}

impl Read {
    /// Compares about `sample` items in full, evenly spread over the set. Gives also one answer, for the bare endpoint.
    pub async fn verified(world: &World, server: &Server, tokens: &Tokens, sample: usize) -> Result<(Self, Vec<u8>)> {
        let items = world.items();
        let mut known = vec![0; items.len()];
        let mut connection = Connection::open(server.address).await?;
        let step = (items.len() / sample.max(1)).max(1);
        let (mut typical, mut person) = (Vec::new(), (usize::MAX, world.person(0)));
        for at in (0..items.len()).step_by(step) {
            let item = items[at];
            if person.0 != item.person {
                person = (item.person, world.person(item.person));
            }
            let (bytes, read) = ask(&mut connection, tokens, &path(&item)).await?;
            let sent = world.sent(&person.1, &world.shelves[item.person], item.k);
            ensure!(read["id"] == item.id.to_string().as_str(), "another resource was read than was asked for");
            ensure!(same_content(&sent, &read), "`{}` is not read as it was sent", item.resource_type);
            known[at] = crc32c::crc32c(&bytes);
            // About 2 kB: what the figures of the design were taken with.
            if typical.is_empty() || bytes.len().abs_diff(2_000) < typical.len().abs_diff(2_000) {
                typical = bytes;
            }
        }
        Ok((Self { items, known }, typical))
    }
}

fn path(item: &Item) -> String {
    format!("/fhir/{}/{}", item.resource_type, item.id)
}

impl Job for Read {
    fn write(&self, token: &str, dice: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let at = dice.below(self.items.len() as u64);
        write_request(out, ("GET", &path(&self.items[at as usize])), token, "", b"");
        at
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        check_released(answer, 200)?;
        let at = ticket as usize;
        match self.known[at] {
            0 => {
                let id = format!("\"id\":\"{}\"", self.items[at].id);
                let found = memchr::memmem::find(answer.body, id.as_bytes()).is_some() && answer.body.ends_with(b"}");
                if found { Ok(()) } else { Err("not the resource that was asked for".to_owned()) }
            }
            crc if crc == crc32c::crc32c(answer.body) => Ok(()),
            _ => Err("the resource changed since it was compared with what was sent".to_owned()),
        }
    }
}
