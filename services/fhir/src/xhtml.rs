//! The narrative (`text.div`): well-formed XHTML of the few elements that R4 allows (invariants txt-1 and txt-2), nothing that
//! runs and nothing that is fetched from elsewhere when somebody reads a record.

use roxmltree::{Document, Node, ParsingOptions};
use schemas::ProblemCode;

/// What is wrong, without a word of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) code: ProblemCode,
    pub(crate) message: &'static str,
}

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
const NODES_MAX: u32 = 200_000;
/// The parser compares each attribute with those before it, each namespace with those around it: hostile thousands are
/// refused before it sees them.
const ATTRIBUTES_MAX: usize = 100;
const PREFIXES_MAX: usize = 8;

/// txt-1, sorted.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// txt-1, sorted.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
];

/// Checks the text of a `div`.
///
/// # Errors
/// `structure` for XML that is none, `security` for what could run or load, `invariant` for the rest.
pub(crate) fn check(text: &str) -> Result<(), Fault> {
    if has_crowd(text) || text.matches("xmlns:").count() > PREFIXES_MAX {
        return Err(fault(ProblemCode::TooLong, "must not have so many attributes or namespaces"));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|_| fault(ProblemCode::Structure, "must be well-formed XHTML, without DTD and named entities"))?;
    let root = document.root_element();
    if root.tag_name().name() != "div" || root.tag_name().namespace() != Some(NAMESPACE) {
        return Err(fault(ProblemCode::Invariant, "must be one div in the namespace of XHTML"));
    }
    let mut has_content = false;
    for node in document.root().descendants() {
        if node.is_pi() {
            return Err(fault(ProblemCode::Invariant, "must not have processing instructions"));
        }
        if node.is_element() {
            check_element(node)?;
        }
        has_content |= node.tag_name().name() == "img"
            || node.text().is_some_and(|text| node.is_text() && !text.trim().is_empty());
    }
    if has_content { Ok(()) } else { Err(fault(ProblemCode::Invariant, "must have some content (txt-2)")) }
}

/// Whether a tag has more than [`ATTRIBUTES_MAX`] attributes.
fn has_crowd(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let other = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .into_iter()
            .find(|(start, _)| rest.starts_with(start));
        if let Some((start, end)) = other {
            let inside = &rest[start.len()..];
            rest = inside.find(end).map_or("", |at| &inside[at..]);
            continue;
        }
        let (mut quote, mut count, mut end) = (None, 0, rest.len());
        for (at, byte) in rest.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => count += 1,
                (None, b'>') => {
                    end = at;
                    break;
                }
                (None, _) => {}
            }
        }
        if count > ATTRIBUTES_MAX {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

fn fault(code: ProblemCode, message: &'static str) -> Fault {
    Fault { code, message }
}

fn check_element(node: Node<'_, '_>) -> Result<(), Fault> {
    let name = node.tag_name().name();
    if ELEMENTS.binary_search(&name).is_err() || node.tag_name().namespace() != Some(NAMESPACE) {
        return Err(fault(ProblemCode::Security, "has an element that a narrative must not have (txt-1)"));
    }
    for attribute in node.attributes() {
        let (space, name, value) = (attribute.namespace(), attribute.name(), attribute.value());
        // xml:lang and xml:space.
        if space == Some("http://www.w3.org/XML/1998/namespace") {
            continue;
        }
        if space.is_some() || ATTRIBUTES.binary_search(&name).is_err() {
            return Err(fault(ProblemCode::Security, "has an attribute that a narrative must not have (txt-1)"));
        }
        check_value(name, value)?;
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<(), Fault> {
    let plain: String =
        value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>().to_ascii_lowercase();
    let is_safe = match name {
        // An image from elsewhere tells its server who reads; pictures travel inside the record.
        "src" => is_inside(&plain),
        "href" | "cite" | "longdesc" => is_link(&plain),
        "style" => {
            !["url(", "expression", "import", "behavior", "-moz-binding", "\\"].iter().any(|part| plain.contains(part))
        }
        _ => true,
    };
    if is_safe { Ok(()) } else { Err(fault(ProblemCode::Security, "has a link or style that runs or loads something")) }
}

fn is_inside(value: &str) -> bool {
    let image = ["data:image/png", "data:image/jpeg", "data:image/gif"].iter().any(|kind| value.starts_with(kind));
    image || value.starts_with('#') || (!value.contains(':') && !value.starts_with("//"))
}

fn is_link(value: &str) -> bool {
    let known = ["http://", "https://", "mailto:", "tel:", "urn:", "#"];
    known.iter().any(|start| value.starts_with(start)) || (!value.contains(':') && !value.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(inside: &str) -> Result<(), Fault> {
        check(&format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inside}</div>"))
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(ELEMENTS.is_sorted() && ATTRIBUTES.is_sorted());
    }

    #[test]
    fn ordinary_narrative_is_accepted() {
        for good in [
            "<p>体温 36.5</p>",
            "<a href=\"https://x.jp/a\">x</a>",
            "<table border=\"1\"><tr><td style=\"color: red\">&#160;x</td></tr></table>",
            "<img src=\"#pic\" alt=\"x\"/>",
            "<p xml:lang=\"ja\">x<!-- c --></p>",
            "<a name=\"x\"/>x &amp; y",
        ] {
            assert_eq!(div(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_runs_or_loads_is_refused() {
        for bad in [
            "<script>x</script>",
            "<p onclick=\"x\">x</p>",
            "<iframe src=\"x\"/>x",
            "<a href=\"java\nscript:x\">x</a>",
            "<a href=\" JavaScript:x\">x</a>",
            "<img src=\"http://x.jp/a.png\"/>",
            "<img src=\"//x.jp/a.png\"/>",
            "<form>x</form>",
            "<p style=\"background: url(http://x)\">x</p>",
            "<object>x</object>",
            "<svg xmlns=\"http://www.w3.org/2000/svg\">x</svg>",
            "<a href=\"data:text/html,x\">x</a>",
            "<p xmlns:x=\"http://www.w3.org/1999/xlink\" x:href=\"y\">x</p>",
            "<style>x</style>",
        ] {
            assert_eq!(div(bad).map_err(|fault| fault.code), Err(ProblemCode::Security), "{bad}");
        }
    }

    #[test]
    fn what_is_no_narrative_is_refused() {
        for bad in [
            "",
            "<p>x</p>",
            "<div>x</div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"> <br/></div>",
            "x",
            "<!DOCTYPE d [<!ENTITY a \"b\">]><div xmlns=\"http://www.w3.org/1999/xhtml\">&a;</div>",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(div("<p>x").is_err() && div("&unknown;").is_err() && div("<?php x ?>x").is_err());
        assert!(div(&"<b>".repeat(100_000)).is_err());
        let crowd: String = (0..100_000).map(|n| format!(" a{n}='>'")).collect();
        assert_eq!(div(&format!("<!-- ' --><p{crowd}>x</p>")).map_err(|fault| fault.code), Err(ProblemCode::TooLong));
        let spaces: String = (0..10_000).map(|n| format!("<b xmlns:a{n}='u{n}'>")).collect();
        assert_eq!(div(&spaces).map_err(|fault| fault.code), Err(ProblemCode::TooLong));
        let deep = format!("{}x{}", "<b>".repeat(50_000), "</b>".repeat(50_000));
        assert_eq!(div(&deep), Ok(()));
    }
}
