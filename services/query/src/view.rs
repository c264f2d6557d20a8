//! One person as one reader may see her in one request: the state, the decision, and the headers that its filter admits.
//! INVARIANT: every item that leaves comes out of a [`View`]; what the filter withholds does not exist in it.

use std::sync::Arc;

use chassis::ports::keys::KeysError;
use chassis::session::Session;
use chassis::shelf;
use chassis::shelves::ShelfError;
use policies::Decision;
use schemas::header::{Bucket, Header};
use schemas::shelf::PersonState;
use schemas::vocab::{Action, LinkState};
use schemas::{ItemKey, Pid};

use crate::Query;

/// A person as this reader may see her. Somebody unknown is seen as somebody known of whom nothing may be seen: the same
/// decision, the same work, the same answer; only the entry stands in the facility's list.
pub(crate) struct View {
    pub(crate) pid: Pid,
    pub(crate) known: bool,
    pub(crate) state: Arc<PersonState>,
    pub(crate) decision: Arc<Decision>,
}

impl Query {
    /// The person's state as of this request; `None` if nobody has this pid.
    pub(crate) async fn state(&self, pid: Pid) -> Result<Option<Arc<PersonState>>, ShelfError> {
        let Some(row) = self.shelves.state_row(pid).await? else { return Ok(None) };
        // An erased person is like somebody unknown, whatever of them still lies in a cache.
        match self.shelves.keys.record_key(pid, Bucket::Long).await {
            Err(KeysError::NoKey) => return Ok(None),
            found => found?,
        };
        let position =
            shelf::state_position(&row).map_err(|e| ShelfError::row(chassis::ports::store::Table::State, e))?;
        if let Some(state) = self.cache.state(pid, position) {
            return Ok(Some(state));
        }
        let state = Arc::new(self.shelves.open_state(pid, &row).await?);
        self.cache.keep_state(state.clone());
        Ok(Some(state))
    }

    /// State and decision for one (actor, person, purpose, action). `None`, a pid that nobody has and a person that the token
    /// is not for are all somebody unknown.
    pub(crate) async fn view(&self, session: &Session, pid: Option<Pid>, action: Action) -> Result<View, ShelfError> {
        self.view_by(session, pid, |state| self.decide(session, state, action)).await
    }

    /// [`Query::view`] with a decision that depends on more than the action.
    pub(crate) async fn view_by(
        &self,
        session: &Session,
        pid: Option<Pid>,
        decide: impl FnOnce(&PersonState) -> Arc<Decision>,
    ) -> Result<View, ShelfError> {
        let asked = pid.filter(|pid| pid.is_person() && session.caller.may_ask_about(*pid));
        let found = match asked {
            Some(pid) => self.state(pid).await?,
            None => None,
        };
        let known = found.is_some();
        let state = found.unwrap_or_else(|| Arc::new(nobody(pid.unwrap_or_else(Pid::random))));
        let decision = decide(&state);
        // Nothing lies on the shelf of a fresh pid, whoever was asked for.
        let pid = if known { state.pid } else { Pid::random() };
        Ok(View { pid, known, state, decision })
    }

    /// The newest header of an item, if the filter admits it. Deleted ones are returned too: the caller tells 410 from 404.
    pub(crate) async fn admitted(&self, view: &View, item: &ItemKey) -> Result<Option<Arc<Header>>, ShelfError> {
        let header = match self.cache.headers(view.pid, item.resource_type, view.state.position) {
            Some(entry) => {
                entry.headers.binary_search_by_key(item, |h| h.item).ok().map(|at| entry.headers[at].clone())
            }
            None => self.shelves.header(view.pid, item).await?.map(Arc::new),
        };
        Ok(header.filter(|h| view.decision.filter.admits(h)))
    }
}

/// The state of somebody of whom nothing is known.
fn nobody(pid: Pid) -> PersonState {
    PersonState {
        pid,
        position: 0,
        clock: 0,
        link: LinkState::Ok,
        link_kind: String::new(),
        birth_date: "1970-01-01".to_owned(),
        consents: Vec::new(),
        visits: Vec::new(),
        objections: Vec::new(),
        emergency_switch: "normal".to_owned(),
        checks_cancelled: Vec::new(),
        submissions: 0,
    }
}
