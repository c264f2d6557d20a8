//! What a dying process must not leave behind.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off, for this process and its children (invariant 5): memory holds open records and keys. Also
/// keeps other processes of the same user from attaching to this one.
pub fn no_core_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Memory comes in small pages: a huge one (2 MiB) is zeroed whole when the first byte of it is written, and the requests of its
/// core wait for that. Where the system does not let itself be told, it is slower and nothing else.
pub fn no_huge_pages() {
    let _refused = rustix::thread::disable_transparent_huge_pages(true);
}

/// Panics are logged by their place only: the message may quote what was being worked on.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|info| {
        let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
        tracing::error!(file, line, "panic");
    }));
}
