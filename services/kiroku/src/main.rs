//! The server binary. All it does stands in the library.

/// A request makes hundreds of small values and some of a few kilobytes; the system's allocator took a fifth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kiroku::cli::main()
}
