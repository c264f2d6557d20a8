//! One page of a list: what the decision opens and the conditions match, newest first.

use policies::LogScope;
use schemas::access::{Access, AccessList};
use schemas::shelf::{Visit, VisitProof};
use schemas::vocab::AccessKind;

use crate::LedgerRole;
use crate::filter::Asked;
use crate::list::ListError;
use crate::reader::Entry;
use crate::words::{self, Voice};

/// Rows read at once.
const READ: usize = 256;
/// Entries opened in one request: a search that matches little goes on with the next page.
const OPENED_MAX: usize = 5_000;

/// What is shown, and how to go on.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Entries of the list in all.
    pub(crate) count: u64,
    /// `_page` of the following page.
    pub(crate) next: Option<u64>,
    /// Entries of the last moments are not numbered yet and not shown.
    pub(crate) is_behind: bool,
}

/// What part of a list the reader may see.
pub(crate) struct Part<'a> {
    pub(crate) scope: LogScope,
    /// The person's visits, for a scope of own visits.
    pub(crate) visits: &'a [Visit],
}

impl Part<'_> {
    /// The entry as the reader may see it; `None` if not at all.
    pub(crate) fn show(&self, mut access: Access) -> Option<Access> {
        match &self.scope {
            LogScope::None => None,
            LogScope::All => Some(access),
            LogScope::OwnCardVisits => self.visits.iter().any(|v| is_of_visit(v, &access)).then_some(access),
            LogScope::NoClinicalContent { organisations } => {
                if !organisations.is_empty() && !organisations.contains(&access.organisation) {
                    return None;
                }
                if access.kind != AccessKind::LogRead {
                    // What was tried is no clinical content; what was asked about is.
                    access.subject =
                        words::action(&access).map_or_else(String::new, |action| action.as_str().to_owned());
                }
                access.categories.clear();
                access.items.clear();
                access.query.clear();
                Some(access)
            }
        }
    }

    /// Whether entries whose key was destroyed are shown as such.
    fn shows_lost(&self) -> bool {
        match &self.scope {
            LogScope::All => true,
            LogScope::NoClinicalContent { organisations } => organisations.is_empty(),
            _ => false,
        }
    }
}

/// A visit that was proven by the person's card, where and while the entry was made.
fn is_of_visit(visit: &Visit, access: &Access) -> bool {
    visit.proof == VisitProof::Card
        && visit.facility == access.organisation
        && visit.opened_at <= access.released_at
        && visit.closed_at.is_none_or(|closed| access.released_at <= closed)
}

impl LedgerRole {
    /// Collects a page. Everything read is checked; the first damaged entry ends it.
    #[tracing::instrument(name = "list", level = "debug", skip_all)]
    pub(crate) async fn page(
        &self,
        list: AccessList,
        part: &Part<'_>,
        asked: &Asked,
        voice: Voice,
    ) -> Result<Page, ListError> {
        let is_behind = !self.catch_up(&list).await?;
        let mut page = Page { is_behind, ..Page::default() };
        let Some(mut opened) = self.reader.list(list).await? else { return Ok(page) };
        let count = opened.head.count;
        page.count = count;
        let mut before = asked.before.unwrap_or(u64::MAX).min(count + 1);
        let mut read = 0;
        while before > 1 {
            let rows = opened.rows(before, READ).await?;
            for row in rows {
                let (number, logged_at) = (row.person_seq, row.logged_at);
                if asked.conditions.ends_before(logged_at) {
                    return Ok(page);
                }
                if page.entries.len() == asked.count || read == OPENED_MAX {
                    page.next = Some(number + 1);
                    return Ok(page);
                }
                read += 1;
                before = number;
                let entry = opened.open(row).await?;
                page.entries.extend(keep(entry, part, asked, voice));
            }
        }
        Ok(page)
    }
}

fn keep(entry: Entry, part: &Part<'_>, asked: &Asked, voice: Voice) -> Option<Entry> {
    let Some(access) = entry.access else {
        return (part.shows_lost() && asked.conditions.is_open()).then_some(Entry { access: None, ..entry });
    };
    let access = part.show(access)?;
    let matches = asked.conditions.match_entry(&access, || words::sentence(&access, voice));
    matches.then_some(Entry { access: Some(access), row: entry.row })
}
