//! The server binary, as `services/kiroku/src/main.rs` has it: tests need its path, and cargo tells that of the own crate only.

fn main() -> std::process::ExitCode {
    kiroku::cli::main()
}
