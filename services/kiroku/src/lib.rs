//! The server binary as a library, so that tests start what users start.

pub mod api;
mod app;
pub mod cli;
pub mod commands;
pub mod demo;
pub mod engine;
mod lag;
pub mod node;
pub mod openapi;

pub use node::Node;
