//! Who is asking. Tokens after SMART Backend Services, sign-in of a person by card, and what every request asks of them.
//!
//! [`tokens::TokenService`] and [`person::PersonSignIn`] issue, [`verify::Verifier`] reads, [`caller::Caller`] is what is
//! known. Every check that can change while a token lives is made again at each request by
//! [`caller::Caller::check_registry`].

pub mod assertion;
pub mod caller;
pub mod client;
mod jose;
pub mod jwks;
mod mint;
pub mod person;
pub mod scopes;
mod token_error;
pub mod tokens;
pub mod verify;

pub use caller::{Assurance, AuthError, Caller, Standing};
pub use jose::Alg;
pub use mint::{Mint, TOKEN_LIFETIME_S};
pub use token_error::TokenError;

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        out.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        out
    })
}

/// The bytes of 64 hex digits in any case, with or without colons; `None` for anything else.
pub(crate) fn thumbprint(text: &str) -> Option<[u8; 32]> {
    let mut out = [0u8; 32];
    let mut digits = text.bytes().filter(|b| *b != b':');
    for byte in &mut out {
        let (high, low) = (digits.next()?, digits.next()?);
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(value(high)? << 4 | value(low)?).ok()?;
    }
    digits.next().is_none().then_some(out)
}
