//! Client systems: they write, lose patience, try again at another edge with the same key, and remember all that they were told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::test::TestRequest;
use futures_util::future::join;
use schemas::{ClientId, SubmissionId};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;
use crate::ground::Ground;
use crate::persons::Person;
use crate::trace::Call;

/// Writes of one client.
const WRITES: u64 = 3;
/// After so long without an answer the connection is given up.
const PATIENCE: Duration = Duration::from_secs(4);
const AGAIN: Duration = Duration::from_millis(200);

/// One request, to be sent as often as needed.
#[derive(Clone)]
pub(crate) struct Ask {
    site: usize,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    key: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    pub(crate) location: String,
    pub(crate) receipt: String,
    pub(crate) body: String,
}

/// An answer that says what became of a submission.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) key: String,
    pub(crate) submission: SubmissionId,
    pub(crate) process: usize,
    pub(crate) answer: Answer,
    pub(crate) by_url: bool,
}

impl Answer {
    pub(crate) fn of_status(status: u16) -> Self {
        Self { status, etag: String::new(), location: String::new(), receipt: String::new(), body: String::new() }
    }

    /// Whether it says what became of the submission: not "later" and not "try again".
    fn is_final(&self) -> bool {
        matches!(self.status, 200..=499) && !matches!(self.status, 202 | 429)
    }

    /// `Type/id` of what was written.
    fn item(&self) -> Option<String> {
        let path = self.location.split("/fhir/").nth(1)?;
        Some(path.split("/_history/").next()?.to_owned())
    }
}

impl Ask {
    fn submission(&self) -> SubmissionId {
        SubmissionId::of_key(&ClientId(Ground::shared().sites[self.site].client.clone()), &self.key)
    }

    pub(crate) fn request(&self) -> TestRequest {
        let request = match self.method {
            "POST" => TestRequest::post(),
            "PUT" => TestRequest::put(),
            "DELETE" => TestRequest::delete(),
            _ => TestRequest::get(),
        };
        let token = format!("Bearer {}", Ground::shared().sites[self.site].token);
        let request = request.uri(&self.path).insert_header(("authorization", token));
        let request = request.insert_header(("idempotency-key", self.key.as_str()));
        let request = self.headers.iter().fold(request, |r, (name, value)| r.insert_header((*name, value.as_str())));
        match &self.body {
            Some(body) => {
                request.insert_header(("content-type", "application/fhir+json")).set_payload(body.to_string())
            }
            None => request,
        }
    }

    /// The question for the verdict by URL.
    fn by_url(&self) -> Self {
        let path = format!("/submissions/{}", self.submission());
        Self { method: "GET", path, headers: Vec::new(), body: None, ..self.clone() }
    }
}

/// A facility's items as its clients know them: the person's number, `Type/id`, and the version last seen.
type Items = RefCell<Vec<(usize, String, u32, String)>>;

/// The clients of one facility.
pub(crate) struct Facility {
    site: usize,
    items: Items,
}

impl Facility {
    pub(crate) fn new(site: usize) -> Rc<Self> {
        Rc::new(Self { site, items: RefCell::default() })
    }
}

/// Writes some records, one after the other.
pub(crate) async fn client(cluster: Rc<Cluster>, facility: Rc<Facility>, persons: Rc<Vec<Person>>, number: usize) {
    for write in 0..WRITES {
        sleep(Duration::from_millis(cluster.world.dice.below(cluster.world.rates.pace))).await;
        let (person, ask) = next(&cluster, &facility, &persons, &format!("client {number} write {write}"));
        let answer = until_final(&cluster, &ask).await;
        let version = answer.etag.trim_start_matches("W/\"").trim_end_matches('"').parse().unwrap_or(0);
        if let (Some(item), Some(body)) = (answer.item(), &ask.body) {
            let name = body["identifier"][0]["value"].as_str().unwrap_or_default().to_owned();
            let mut items = facility.items.borrow_mut();
            items.retain(|(_, known, ..)| *known != item);
            items.push((person, item, version, name));
        }
    }
}

/// What to write next: something new, or a change of what the facility wrote.
fn next(cluster: &Cluster, facility: &Facility, persons: &[Person], key: &str) -> (usize, Ask) {
    let dice = &cluster.world.dice;
    let items = facility.items.borrow();
    let ask =
        |method, path, headers, body| Ask { site: facility.site, method, path, headers, body, key: key.to_owned() };
    let known = (!items.is_empty() && dice.chance(6000)).then(|| dice.pick(&items));
    if let Some((person, item, version, name)) = known {
        let path = format!("/fhir/{item}");
        let mut headers = Vec::new();
        if dice.chance(5000) {
            headers.push(("if-match", format!("W/\"{version}\"")));
        }
        if dice.chance(2000) {
            return (*person, ask("DELETE", path, headers, None));
        }
        let mut body = record(&persons[*person], name, key);
        body["id"] = item.split('/').nth(1).into();
        return (*person, ask("PUT", path, headers, Some(body)));
    }
    let person = dice.below(persons.len() as u64) as usize;
    let name = format!("{}", dice.below(3));
    let body = Some(record(&persons[person], &name, key));
    let mut headers = Vec::new();
    if dice.chance(5000) {
        headers.push(("if-none-exist", format!("identifier=urn:simulated|{name}")));
    }
    (person, ask("POST", "/fhir/AllergyIntolerance".to_owned(), headers, body))
}

fn record(person: &Person, name: &str, note: &str) -> Value {
    json!({
        "resourceType": "AllergyIntolerance",
        "identifier": [{"system": "urn:simulated", "value": name}],
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "code": {"text": "buckwheat"},
        "patient": {"reference": format!("Patient/{}", person.patient())},
        "note": [{"text": note}],
    })
}

/// Sends until it is said what became of it; now and then at two edges at once, and now and then it asks by URL in between.
async fn until_final(cluster: &Cluster, ask: &Ask) -> Answer {
    let dice = &cluster.world.dice;
    loop {
        let second = async {
            if !dice.chance(2500) {
                return None;
            }
            sleep(Duration::from_millis(dice.below(600))).await;
            send(cluster, ask, false).await
        };
        let (first, second) = join(send(cluster, ask, false), second).await;
        if let Some(answer) = first.or(second) {
            return answer;
        }
        if dice.chance(5000) {
            send(cluster, ask, true).await;
        }
        sleep(AGAIN).await;
    }
}

/// One try at one edge. What became of the submission, if the answer says so; that is remembered as told.
async fn send(cluster: &Cluster, ask: &Ask, by_url: bool) -> Option<Answer> {
    let running = cluster.door()?;
    let asked = if by_url { ask.by_url() } else { ask.clone() };
    let answering = timeout(PATIENCE, running.door.as_ref()?.call(&asked));
    // Without an answer: no patience any more, or the connection broke.
    let answer = running.incarnation.unless_it_dies(answering).await?.ok()?;
    // A process that is held up sends nothing.
    running.incarnation.unless_it_dies(running.incarnation.go_on()).await?;
    let is_told = if by_url { answer.status == 200 } else { answer.is_final() };
    if !is_told {
        return None;
    }
    let (key, submission, process) = (ask.key.clone(), ask.submission(), running.incarnation.process);
    cluster.world.note(process, running.incarnation.number, Call::of("told", usize::from(answer.status)), "");
    cluster.told.borrow_mut().push(Told { key, submission, process, answer: answer.clone(), by_url });
    Some(answer)
}
