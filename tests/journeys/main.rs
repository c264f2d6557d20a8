//! Journeys over real HTTP: what people and systems do with the whole.

mod story;
mod writing;
