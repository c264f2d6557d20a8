//! The server binary. All it does stands in the library.

fn main() -> std::process::ExitCode {
    kiroku::cli::main()
}
