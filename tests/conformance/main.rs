//! Programs and documents that others wrote, used as they are: their clients, the official validator, their example data.

mod clients;
mod examples;
mod judge;
mod real_input;
mod synthea;
mod tools;
mod world;
