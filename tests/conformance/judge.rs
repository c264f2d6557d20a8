//! The official validator finds no error in what is served that was not in what was sent.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chassis::auth::scopes;
use loadtest::population::fhir::Kind;
use loadtest::population::Subject;
use serde_json::Value;
use tests::{Citizen, Harness, Site};

use crate::examples::Folder;
use crate::tools;
