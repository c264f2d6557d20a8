//! The server, the settings and the telemetry as a client, an operator and an auditor see them: over real sockets.
//! One binary; tests speak in sentences.

mod answers;
mod client;
mod fixture;
mod limits;
mod logs;
mod person;
mod refusals;
mod settings;
mod speed;
mod tls;
