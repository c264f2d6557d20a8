//! One module for each noun of the API.

pub(crate) mod batch;
pub(crate) mod check;
pub(crate) mod resource;
pub(crate) mod submission;
pub(crate) mod token;
pub(crate) mod visit;

use actix_web::HttpRequest;
use chassis::http::Refusal;
use openssl::sha::Sha256;
use schemas::{ClientId, Pid, Problem, ProblemCode, SubmissionId};

use crate::Edge;
use crate::submit::RequestId;

/// Header with the client's own key of a request, so that a retry is told apart from a second one.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Header with the signature of the person's card over a challenge, taken by a desk's reader.
const CARD: &str = "kiroku-card";

/// Submission id and hash of a request: method, path, conditions and body.
pub(crate) async fn request_id(
    edge: &Edge,
    request: &HttpRequest,
    client: &ClientId,
    body: &[u8],
) -> Result<RequestId, Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    let mut hash = Sha256::new();
    for part in [request.method().as_str(), request.path(), request.query_string()] {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    for name in ["if-match", "if-none-exist"] {
        hash.update(header(name).unwrap_or_default().as_bytes());
        hash.update(b"\0");
    }
    hash.update(body);
    let key = header(IDEMPOTENCY_KEY);
    let submission = match key {
        None => SubmissionId::random(),
        Some(key) if (1..=256).contains(&key.len()) => SubmissionId::of_key(client, key),
        Some(_) => {
            let problem = Problem::new(ProblemCode::Value, "Idempotency-Key", "must have 1 to 256 characters");
            return Err(Refusal::bad_request(vec![problem]));
        }
    };
    let card = match header(CARD) {
        Some(proof) => Some(attest(edge, proof).await?),
        None => None,
    };
    Ok(RequestId { submission, hash: hash.finish(), card, is_fresh: key.is_none() })
}

/// Checks the proof of the person's card that a desk's reader took: base64url of the JSON that `/auth/person/token` takes.
async fn attest(edge: &Edge, proof: &str) -> Result<(Pid, i64), Refusal> {
    use base64::Engine;
    let refused = || {
        let text = "the proof of the card does not hold; take a fresh challenge and let the card sign it";
        Refusal::forbidden(Problem::new(ProblemCode::Security, "Kiroku-Card", text).with_rule("R03"))
    };
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(proof).map_err(|_| refused())?;
    let signed = serde_json::from_slice(&json).map_err(|_| refused())?;
    edge.deps.sign_in.attest(&signed).await.map_err(|_| refused())
}

/// `If-Match` as a version.
pub(crate) fn if_match(request: &HttpRequest) -> Result<Option<u32>, Refusal> {
    let Some(value) = request.headers().get("if-match") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    crate::draft::parse_etag(text).map(Some).map_err(|()| {
        Refusal::bad_request(vec![Problem::new(ProblemCode::Value, "If-Match", "must be a version like W/\"1\"")])
    })
}
