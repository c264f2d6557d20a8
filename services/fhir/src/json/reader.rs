//! Bytes to a tree, strictly.

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, Peek};
use schemas::{Problem, ProblemCode, Text};

use super::{Node, is_shown};

/// What an input may cost before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub bytes_max: usize,
    /// Arrays and objects inside one another.
    pub depth_max: usize,
    /// Values of any kind: 10 MiB of `[[],[],...` would otherwise take 30 times their size.
    pub nodes_max: usize,
}

impl Default for Limits {
    /// Those of `architecture.md`, "Limits and operation"; real records have a value for each 13 bytes, so a full
    /// submission stays below a million.
    fn default() -> Self {
        Self { bytes_max: 10 << 20, depth_max: 64, nodes_max: 1_000_000 }
    }
}

/// Reads `raw` as JSON (RFC 8259, UTF-8), strictly.
///
/// # Errors
/// `too-long` above `limits`, else `structure` or `duplicate`, with the path as far as it was read.
pub fn parse(raw: &[u8], limits: &Limits) -> Result<Node, Problem> {
    if raw.len() > limits.bytes_max {
        return Err(Problem::new(
            ProblemCode::TooLong,
            "",
            format!("the input is longer than {} bytes", limits.bytes_max),
        ));
    }
    let mut reader = Reader { jiter: Jiter::new(raw), left: limits.nodes_max, depth_max: limits.depth_max };
    reader.document().map_err(|fault| *fault)
}

struct Reader<'j> {
    jiter: Jiter<'j>,
    left: usize,
    depth_max: usize,
}

/// The path grows from its end while the recursion unwinds; boxed, for it is rare and large.
type Read<T> = Result<T, Box<Problem>>;

impl Reader<'_> {
    fn document(&mut self) -> Read<Node> {
        let peek = self.jiter.peek().map_err(syntax)?;
        let node = self.value(peek, 0)?;
        self.jiter.finish().map_err(syntax)?;
        Ok(node)
    }

    fn value(&mut self, peek: Peek, depth: usize) -> Read<Node> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Box::new(Problem::new(ProblemCode::TooLong, "", "the input has too many values")));
        };
        self.left = left;
        match peek {
            Peek::String => Ok(Node::String(self.jiter.known_str().map_err(syntax)?.into())),
            Peek::Object => self.object(depth + 1),
            Peek::Array => self.array(depth + 1),
            Peek::True | Peek::False => Ok(Node::Bool(self.jiter.known_bool(peek).map_err(syntax)?)),
            Peek::Null => self.jiter.known_null().map(|()| Node::Null).map_err(syntax),
            _ => {
                let bytes = self.jiter.known_number_bytes(peek).map_err(syntax)?;
                // jiter lets only the bytes of a JSON number through, all ASCII.
                Ok(Node::Number(Text::from_utf8_lossy(bytes)))
            }
        }
    }

    fn enter(&self, depth: usize) -> Read<()> {
        if depth <= self.depth_max {
            return Ok(());
        }
        let message = format!("values are nested more than {} deep", self.depth_max);
        Err(Box::new(Problem::new(ProblemCode::TooLong, "", message)))
    }

    fn array(&mut self, depth: usize) -> Read<Node> {
        self.enter(depth)?;
        let mut items = Vec::new();
        let mut next = self.jiter.known_array().map_err(syntax)?;
        while let Some(peek) = next {
            let item = self.value(peek, depth).map_err(|fault| within(fault, &format!("[{}]", items.len())))?;
            items.push(item);
            next = self.jiter.array_step().map_err(syntax)?;
        }
        Ok(Node::Array(items))
    }

    fn object(&mut self, depth: usize) -> Read<Node> {
        self.enter(depth)?;
        let mut members: Vec<(Text, Node)> = Vec::new();
        let mut key = self.jiter.known_object().map_err(syntax)?.map(Text::new);
        while let Some(name) = key {
            let value = self.jiter.peek().map_err(syntax).and_then(|peek| self.value(peek, depth));
            match value {
                Ok(value) => members.push((name, value)),
                Err(fault) => return Err(at_root(within(fault, shown(&name)), depth, &members)),
            }
            key = self.jiter.next_key().map_err(syntax)?.map(Text::new);
        }
        match duplicate(&members) {
            None => Ok(Node::Object(members)),
            Some(name) => {
                let fault = Problem::new(ProblemCode::Duplicate, shown(name), "the name stands twice in one object");
                Err(at_root(Box::new(fault), depth, &members))
            }
        }
    }
}

fn shown(name: &str) -> &str {
    if is_shown(name) { name } else { "?" }
}

/// The first name that stands twice. Small objects by comparison, large ones by sorting: a hostile one has a million.
fn duplicate(members: &[(Text, Node)]) -> Option<&str> {
    if members.len() <= 24 {
        let twice =
            members.iter().enumerate().find(|(at, (name, _))| members[..*at].iter().any(|(key, _)| key == name));
        return twice.map(|(_, (name, _))| name.as_str());
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn within(mut fault: Box<Problem>, step: &str) -> Box<Problem> {
    let dot = if fault.path.is_empty() || fault.path.starts_with('[') { "" } else { "." };
    fault.path = format!("{step}{dot}{}", fault.path);
    fault
}

/// At the root the path begins with the type, if that was read before.
fn at_root(fault: Box<Problem>, depth: usize, members: &[(Text, Node)]) -> Box<Problem> {
    if depth > 1 {
        return fault;
    }
    let named = members.iter().find(|(key, _)| key == "resourceType").and_then(|(_, value)| value.as_str());
    match named.and_then(|text| text.parse::<schemas::ResourceType>().ok()) {
        Some(known) => within(fault, known.as_str()),
        None => fault,
    }
}

/// jiter's texts name keys, so each kind gets one of ours.
fn syntax(error: JiterError) -> Box<Problem> {
    let what = match error.error_type {
        JiterErrorType::JsonError(JsonErrorType::LoneLeadingSurrogateInHexEscape)
        | JiterErrorType::JsonError(JsonErrorType::UnexpectedEndOfHexEscape) => "a lone surrogate in a string",
        JiterErrorType::JsonError(JsonErrorType::InvalidUnicodeCodePoint) => "bytes that are not UTF-8",
        JiterErrorType::JsonError(JsonErrorType::ControlCharacterWhileParsingString) => {
            "a control character in a string"
        }
        JiterErrorType::JsonError(JsonErrorType::InvalidEscape) => "an escape that JSON does not have",
        JiterErrorType::JsonError(JsonErrorType::InvalidNumber | JsonErrorType::NumberOutOfRange) => {
            "a number that JSON does not have"
        }
        JiterErrorType::JsonError(JsonErrorType::TrailingComma) => "a comma before the end",
        JiterErrorType::JsonError(JsonErrorType::TrailingCharacters) => "text after the end",
        JiterErrorType::JsonError(
            JsonErrorType::EofWhileParsingList
            | JsonErrorType::EofWhileParsingObject
            | JsonErrorType::EofWhileParsingString
            | JsonErrorType::EofWhileParsingValue,
        ) => "an end too early",
        _ => "something else than a JSON value",
    };
    let message = format!("not JSON: {what}, at byte {}", error.index);
    Box::new(Problem::new(ProblemCode::Structure, "", message))
}
