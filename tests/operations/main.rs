//! What an operator does: load, check, rebuild, backup, restore, on a real folder.

mod damage;
mod folders;
mod loading;
mod restoring;
