//! What an operator does: load, check, rebuild, backup, restore, on a real folder.

mod collector;
mod copying;
mod damage;
mod dying;
mod folders;
mod health;
mod loading;
mod registry;
mod restoring;
mod traces;
