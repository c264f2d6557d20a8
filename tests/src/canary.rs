//! A word that stands for everything personal: planted in requests, and looked for where nothing of a person may be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The word.
pub const CANARY: &str = "Kanarienvogelzwitschern";

/// The forms in which `word` could lie somewhere: as it is, in capitals, in small letters, as base64 at its three offsets, in
/// hex.
pub fn forms(word: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![word.as_bytes().to_vec(), word.to_uppercase().into_bytes(), word.to_lowercase().into_bytes()];
    for offset in 0..3 {
        let text = STANDARD_NO_PAD.encode(format!("{}{word}", &"xx"[..offset % 3]));
        // Without the letters that depend on what stands before and behind.
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    let hex: String = word.bytes().map(|b| format!("{b:02x}")).collect();
    forms.push(hex.into_bytes());
    forms
}

/// Whether `bytes` hold the canary in any form.
pub fn found_in(bytes: &[u8]) -> bool {
    holds(bytes, CANARY)
}

/// Whether `bytes` hold `word` in any form.
pub fn holds(bytes: &[u8], word: &str) -> bool {
    forms(word).iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}
