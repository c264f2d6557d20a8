//! A client over reqwest.

use serde_json::Value;

pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Said {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that this is an OperationOutcome with that status; gives the code of its first issue.
    pub(crate) fn outcome(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/fhir+json; charset=utf-8");
        let body = self.json();
        assert_eq!(body["resourceType"], "OperationOutcome");
        assert_eq!(body["issue"][0]["severity"], "error");
        assert!(!self.header("x-request-id").is_empty());
        body["issue"][0]["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn get(url: String) -> Said {
    send(reqwest::Client::new().get(url)).await
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Said {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Said { status, headers, body: response.bytes().await.unwrap().to_vec() }
}
