//! Files, folders and archives as documents, one after the other, never all in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

use super::document::Document;

/// Largest document that is read; the server refuses far smaller ones.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a visit met.
#[derive(Default)]
pub(super) struct Visited {
    pub(super) files: u64,
    /// Files whose name ends in nothing that is read here.
    pub(super) passed_over: u64,
}

/// Gets each document; `false` ends the visit.
type Each<'a> = dyn FnMut(Document) -> bool + 'a;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Tar,
}

/// Form and whether it is packed, by the end of the name.
fn form_of(name: &str) -> Option<(Form, bool)> {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        return Some((Form::Tar, true));
    }
    let (name, packed) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => Some((Form::Json, packed)),
        Some("ndjson" | "jsonl") => Some((Form::Lines, packed)),
        Some("tar") => Some((Form::Tar, packed)),
        _ => None,
    }
}

/// Reads all paths, folders in the order of names.
pub(super) fn visit(paths: &[PathBuf], each: &mut Each<'_>) -> Result<Visited> {
    let mut visited = Visited::default();
    for path in paths {
        let named = std::fs::metadata(path).with_context(|| format!("reading `{}`", path.display()))?;
        if named.is_file() && form_of(&path.to_string_lossy()).is_none() {
            bail!("`{}` is none of .json, .ndjson, .jsonl, .gz of these, .tar, .tar.gz", path.display());
        }
        if !visit_path(path, &mut visited, each)? {
            break;
        }
    }
    Ok(visited)
}

fn visit_path(path: &Path, visited: &mut Visited, each: &mut Each<'_>) -> Result<bool> {
    let reading = || format!("reading `{}`", path.display());
    if path.is_dir() {
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).with_context(reading)? {
            inside.push(entry.with_context(reading)?.path());
        }
        inside.sort();
        for path in inside {
            if !visit_path(&path, visited, each)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let name = path.to_string_lossy().into_owned();
    let Some((form, packed)) = form_of(&name) else {
        visited.passed_over += 1;
        return Ok(true);
    };
    visited.files += 1;
    let file = BufReader::new(File::open(path).with_context(reading)?);
    let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    visit_reader(&name, form, reader, visited, each).with_context(reading)
}

fn visit_reader(
    name: &str,
    form: Form,
    reader: Box<dyn Read + '_>,
    visited: &mut Visited,
    each: &mut Each<'_>,
) -> Result<bool> {
    match form {
        Form::Json => Ok(each(Document::new(name.to_owned(), read_whole(reader)?.into(), false))),
        Form::Lines => visit_lines(name, reader, each),
        Form::Tar => {
            let mut archive = tar::Archive::new(reader);
            for entry in archive.entries()? {
                let entry = entry?;
                let inside = format!("{name}!{}", entry.path()?.display());
                match form_of(&inside) {
                    _ if !entry.header().entry_type().is_file() => {}
                    None | Some((Form::Tar, _)) => visited.passed_over += 1,
                    Some((form, packed)) => {
                        visited.files += 1;
                        let reader: Box<dyn Read> =
                            if packed { Box::new(MultiGzDecoder::new(entry)) } else { Box::new(entry) };
                        if !visit_reader(&inside, form, reader, visited, each)? {
                            return Ok(false);
                        }
                    }
                }
            }
            Ok(true)
        }
    }
}

fn read_whole(reader: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        bail!("it is larger than {} MiB", BYTES_MAX >> 20);
    }
    Ok(bytes)
}

fn visit_lines(name: &str, reader: impl Read, each: &mut Each<'_>) -> Result<bool> {
    let mut reader = BufReader::new(reader);
    for number in 1u64.. {
        let mut line = Vec::new();
        if reader.by_ref().take(BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let line = line.trim_ascii().to_vec();
        if !line.is_empty() && !each(Document::new(format!("{name}:{number}"), line.into(), true)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Groups lines that are about the same person.
pub(super) struct Batcher {
    size: usize,
    /// By the reference to the person.
    open: BTreeMap<String, Vec<Document>>,
    held: usize,
}

/// Lines held back over all persons; beyond that all groups are sent as they are.
const HELD_MAX: usize = 4096;
/// A group is at most so large: far below the server's limit.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Batcher {
    pub(super) fn new(size: usize) -> Self {
        Self { size, open: BTreeMap::new(), held: 0 }
    }

    /// What is ready to be sent after this document.
    pub(super) fn push(&mut self, document: Document) -> Vec<Document> {
        if self.size < 2 || !document.is_line || document.subject().is_empty() {
            return vec![document];
        }
        let group = self.open.entry(document.subject().to_owned()).or_default();
        let key = document.subject().to_owned();
        group.push(document);
        self.held += 1;
        let bytes: usize = group.iter().map(|part| part.bytes.len()).sum();
        if group.len() >= self.size || bytes > GROUP_BYTES_MAX {
            let group = self.open.remove(&key).unwrap_or_default();
            self.held -= group.len();
            return vec![grouped(&group)];
        }
        if self.held >= HELD_MAX { self.finish() } else { Vec::new() }
    }

    /// The groups that are not full.
    pub(super) fn finish(&mut self) -> Vec<Document> {
        self.held = 0;
        std::mem::take(&mut self.open).into_values().map(|group| grouped(&group)).collect()
    }
}

fn grouped(group: &[Document]) -> Document {
    match group {
        [one] => one.clone(),
        many => Document::transaction(many),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_person_are_grouped_and_none_is_lost() {
        let line = |n: usize| {
            let text = format!(r#"{{"resourceType":"Observation","subject":{{"reference":"Patient/{}"}}}}"#, n % 2);
            Document::new(format!("f:{n}"), text.into(), true)
        };
        let mut batcher = Batcher::new(3);
        let mut out: Vec<Document> = (0..7).flat_map(|n| batcher.push(line(n))).collect();
        out.extend(batcher.finish());
        assert_eq!(out.iter().map(|d| d.lines).sum::<u64>(), 7);
        assert_eq!(out.iter().map(Document::resources).collect::<Vec<_>>(), [3, 3, 1]);
    }

    #[test]
    fn names_say_how_a_file_is_read() {
        assert!(matches!(form_of("A.JSON"), Some((Form::Json, false))));
        assert!(matches!(form_of("a.ndjson.gz"), Some((Form::Lines, true))));
        assert!(matches!(form_of("a.tgz"), Some((Form::Tar, true))));
        assert!(form_of("README.md").is_none());
    }
}
