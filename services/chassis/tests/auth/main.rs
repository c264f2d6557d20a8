//! Who is asking: tokens, sign-in and the registry, as sentences.

mod acting;
mod jwks;
mod person;
mod registry;
mod requests;
mod tokens;
mod world;
