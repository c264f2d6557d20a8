//! Faults: the process is killed, the disk fills or fails, a byte flips. Nothing acknowledged is lost, nothing is half done,
//! nothing is done twice, and nothing wrong is ever told.

mod disk;
mod flipped;
mod kill;
