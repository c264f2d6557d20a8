//! The routes of the edge, called without a socket.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::{Extensions, Service, ServiceRequest};
use actix_web::web::{Data, resource};
use actix_web::{App, HttpMessage, test};
use edge::{Edge, shared as write};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::clients::{Answer, Ask};

type Routes = Box<dyn Fn(Data<Edge>, &Ask) -> LocalBoxFuture<'static, Answer>>;

thread_local! {
    /// Made once for a thread, for their patterns take longer to compile than all else of a seed; and never dropped, for the framework
    /// cannot be dropped while its thread ends.
    static ROUTES: Cell<Option<&'static Routes>> = const { Cell::new(None) };
}

/// The door of one process.
pub(crate) struct Door {
    edge: Data<Edge>,
    routes: &'static Routes,
}

impl Door {
    pub(crate) async fn open(edge: Arc<Edge>) -> Self {
        let routes = match ROUTES.get() {
            Some(routes) => routes,
            None => &*Box::leak(Box::new(routes().await)),
        };
        ROUTES.set(Some(routes));
        Self { edge: Data::from(edge), routes }
    }

    pub(crate) fn call(&self, ask: &Ask) -> LocalBoxFuture<'static, Answer> {
        (self.routes)(self.edge.clone(), ask)
    }
}

/// The state of the process that a request is for stands in the request, not in the routes.
fn take_state(request: &mut ServiceRequest) {
    let edge = request.extensions_mut().remove::<Data<Edge>>();
    let mut state = Extensions::new();
    if let Some(edge) = edge {
        state.insert(edge);
    }
    request.add_data_container(Rc::new(state));
}

async fn routes() -> Routes {
    let app = App::new()
        .wrap_fn(|mut request, service| {
            take_state(&mut request);
            service.call(request)
        })
        .service(resource("/fhir/{type}").route(write::create()).route(write::update_match()))
        .service(resource("/fhir/{type}/{id}").route(write::update()).route(write::delete()))
        .configure(edge::configure);
    let service = Rc::new(test::init_service(app).await);
    Box::new(move |edge: Data<Edge>, ask: &Ask| {
        let (service, request) = (service.clone(), ask.request().to_request());
        request.extensions_mut().insert(edge);
        async move {
            match service.call(request).await {
                Ok(response) => {
                    let (status, headers) = (response.status().as_u16(), response.headers().clone());
                    let header =
                        |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
                    let (etag, location, receipt) = (header("etag"), header("location"), header("kiroku-receipt"));
                    let body = test::read_body(response).await;
                    Answer { status, etag, location, receipt, body: String::from_utf8_lossy(&body).into_owned() }
                }
                Err(error) => Answer::of_status(error.as_response_error().status_code().as_u16()),
            }
        }
        .boxed_local()
    })
}
