//! Parameters that shape the result: `_count _sort _include _revinclude _summary _elements _total _type _page`.

use std::collections::HashSet;

use super::include::Include;
use super::sort::SortBy;
use super::{Fault, Query};

/// `_summary`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Summary {
    True,
    Text,
    Data,
    Count,
    False,
}

/// `_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Total {
    None,
    Estimate,
    Accurate,
}

/// Takes a parameter of this kind; `None` if `name` is another. `once` holds those that were seen.
pub(super) fn take(
    query: &mut Query,
    once: &mut HashSet<&'static str>,
    name: &str,
    value: &str,
) -> Option<Result<(), Fault>> {
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    let known = ["_count", "_sort", "_summary", "_elements", "_total", "_page", "_type", "_contained"];
    if code == "_include" || code == "_revinclude" {
        return Some(include(query, code == "_revinclude", modifier, value));
    }
    if matches!(name, "_format" | "_pretty") {
        return Some(Ok(()));
    }
    let code = known.into_iter().find(|k| *k == code)?;
    if modifier.is_some() {
        return Some(Err(Fault::unsupported("this parameter takes no modifier")));
    }
    if !once.insert(code) {
        return Some(Err(Fault::value("this parameter may stand once")));
    }
    Some(set(query, code, value))
}

fn include(query: &mut Query, reverse: bool, modifier: Option<&str>, value: &str) -> Result<(), Fault> {
    let iterate = match modifier {
        None => false,
        Some("iterate") => true,
        Some(_) => return Err(Fault::unsupported("only the modifier :iterate is supported")),
    };
    let include = Include::parse(value, iterate, reverse)?;
    if reverse {
        query.revincludes.push(include)
    } else {
        query.includes.push(include)
    }
    Ok(())
}

fn set(query: &mut Query, code: &str, value: &str) -> Result<(), Fault> {
    if value.is_empty() {
        return Err(Fault::value("a value is missing"));
    }
    match code {
        "_count" => {
            let count = value.parse().map_err(|_| Fault::value("a whole number is wanted"))?;
            query.count = Some(count);
        }
        "_sort" => {
            query.sort =
                value.split(',').map(|key| SortBy::parse(query.resource_type, key)).collect::<Result<_, _>>()?;
        }
        "_summary" => {
            query.summary = Some(match value {
                "true" => Summary::True,
                "text" => Summary::Text,
                "data" => Summary::Data,
                "count" => Summary::Count,
                "false" => Summary::False,
                _ => return Err(Fault::value("true, text, data, count or false is wanted")),
            });
        }
        "_total" => {
            query.total = Some(match value {
                "none" => Total::None,
                "estimate" => Total::Estimate,
                "accurate" => Total::Accurate,
                _ => return Err(Fault::value("none, estimate or accurate is wanted")),
            });
        }
        "_elements" => {
            let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
            if !names.iter().all(|name| is_name(name)) {
                return Err(Fault::value("names of elements at the top of the resource are wanted, joined by commas"));
            }
            query.elements = names;
        }
        "_type" => {
            if query.resource_type.is_some() {
                return Err(Fault::unsupported("the path already gives the type"));
            }
            let types: Result<_, _> = value.split(',').map(str::parse).collect();
            query.types = types.map_err(|_| Fault::value("types that are kept here are wanted, joined by commas"))?;
        }
        "_contained" if value == "false" => {}
        "_contained" => return Err(Fault::unsupported("contained resources are not searched by themselves")),
        _ => query.page = Some(value.to_owned()),
    }
    Ok(())
}
