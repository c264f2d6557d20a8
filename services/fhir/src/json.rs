//! A JSON tree that keeps decimals as they were written and refuses what JSON libraries let pass: duplicate keys, lone
//! surrogates, depth.

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, Peek};
use schemas::{Problem, ProblemCode};

/// One JSON value. Members keep their order; numbers keep their text.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    /// The text of the number as written (`1.50` stays `1.50`).
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

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

impl Node {
    /// Member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Member `name` of an object, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match self {
            Self::Object(members) => members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes member `name` out of an object; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Node> {
        match self {
            Self::Object(members) => {
                let at = members.iter().position(|(key, _)| key == name)?;
                Some(members.remove(at).1)
            }
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a number.
    pub fn as_number(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array; of anything else none.
    pub fn items(&self) -> &[Node] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The members of an object in their order; of anything else none.
    pub fn members(&self) -> &[(String, Node)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// Text of member `name`, if it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Node::as_str)
    }

    /// Appends the value as JSON without white space; numbers exactly as they were written.
    pub fn write_compact(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(text) => out.extend_from_slice(text.as_bytes()),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write_compact(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_string(key, out);
                    out.push(b':');
                    value.write_compact(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The value as compact JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.write_compact(&mut out);
        out
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// Whether `name` may be shown in a path. A name that is no FHIR element may hold anything, so only what looks like one is
/// shown: letters, beginning with a small one. The others become `?`.
pub fn is_shown(name: &str) -> bool {
    let letters = name.strip_prefix('_').unwrap_or(name);
    letters.len() <= 40
        && letters.starts_with(|c: char| c.is_ascii_lowercase())
        && letters.bytes().all(|b| b.is_ascii_alphabetic())
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
            Peek::String => Ok(Node::String(self.jiter.known_str().map_err(syntax)?.to_owned())),
            Peek::Object => self.object(depth + 1),
            Peek::Array => self.array(depth + 1),
            Peek::True | Peek::False => Ok(Node::Bool(self.jiter.known_bool(peek).map_err(syntax)?)),
            Peek::Null => self.jiter.known_null().map(|()| Node::Null).map_err(syntax),
            _ => {
                let bytes = self.jiter.known_number_bytes(peek).map_err(syntax)?;
                // jiter lets only the bytes of a JSON number through, all ASCII.
                Ok(Node::Number(String::from_utf8_lossy(bytes).into_owned()))
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
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut key = self.jiter.known_object().map_err(syntax)?.map(str::to_owned);
        while let Some(name) = key {
            let value = self.jiter.peek().map_err(syntax).and_then(|peek| self.value(peek, depth));
            match value {
                Ok(value) => members.push((name, value)),
                Err(fault) => return Err(at_root(within(fault, shown(&name)), depth, &members)),
            }
            key = self.jiter.next_key().map_err(syntax)?.map(str::to_owned);
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
fn duplicate(members: &[(String, Node)]) -> Option<&str> {
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
fn at_root(fault: Box<Problem>, depth: usize, members: &[(String, Node)]) -> Box<Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Problem> {
        parse(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn numbers_and_order_come_out_as_they_went_in() {
        let text = r#"{"b":1.50,"a":[1E5,-0.0,12345678901234567890123456789.0000],"c":{"d":null,"e":true,"f":false}}"#;
        assert_eq!(String::from_utf8(read(text).unwrap().to_bytes()).unwrap(), text);
    }

    #[test]
    fn strings_survive_escaping() {
        let text = "\"\\u0001\\n\\r\\t\\\"\\\\/\\ud83d\\ude00 \u{10ffff}\u{e000}漢字\"";
        let node = read(text).unwrap();
        assert_eq!(node.as_str().unwrap(), "\u{1}\n\r\t\"\\/\u{1f600} \u{10ffff}\u{e000}漢字");
        assert_eq!(parse(&node.to_bytes(), &Limits::default()).unwrap(), node);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "NaN",
            "Infinity",
            "-Infinity",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "'a'",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\x\"",
            "\"a",
            "\"\u{1}\"",
            "{} {}",
            "{a:1}",
            "[1 2]",
            "{\"a\" 1}",
            "\u{feff}{}",
            "// c\n{}",
            "{\"a\":NaN}",
            "1 2",
            "[",
            "{",
            "]",
            "\u{a0}1",
        ] {
            let problem = read(text).expect_err(text);
            assert_eq!(problem.code, ProblemCode::Structure, "{text}");
        }
        assert!(parse(b"\"\xff\"", &Limits::default()).is_err());
        assert!(parse(b"\"\xed\xa0\x80\"", &Limits::default()).is_err());
        assert!(parse(b"{\"\xc3\":1}", &Limits::default()).is_err());
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_path() {
        let problem =
            read(r#"{"resourceType":"Observation","component":[{},{"code":{"text":"x","text":"y"}}]}"#).unwrap_err();
        assert_eq!(
            (problem.code, problem.path.as_str()),
            (ProblemCode::Duplicate, "Observation.component[1].code.text")
        );
        let many: Vec<String> = (0..100).map(|n| format!("\"k{}\":1", n % 99)).collect();
        assert_eq!(read(&format!("{{{}}}", many.join(","))).unwrap_err().path, "?");
        assert_eq!(read("{\"a\":1,\"\\u0061\":2}").unwrap_err().code, ProblemCode::Duplicate);
    }

    #[test]
    fn depth_size_and_count_are_limited() {
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(64)).is_ok());
        assert_eq!(read(&nested(65)).unwrap_err().code, ProblemCode::TooLong);
        assert_eq!(read(&nested(1_000_000)).unwrap_err().code, ProblemCode::TooLong);
        let tight = Limits { bytes_max: 10, depth_max: 4, nodes_max: 3 };
        assert_eq!(parse(b"[1,2,3]", &tight).unwrap_err().code, ProblemCode::TooLong);
        assert_eq!(parse(b"[1,2]      ", &tight).unwrap_err().code, ProblemCode::TooLong);
    }
}
