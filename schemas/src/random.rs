//! Random bytes from OpenSSL, drawn ahead: a draw costs a microsecond whatever its length, and a request needs several.

use std::cell::RefCell;

/// Bytes drawn at once for a thread.
const POOL: usize = 1024;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static POOL_OF_THREAD: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// Fills `out` with bytes that nobody can guess and that were given to nobody else.
pub fn fill(out: &mut [u8]) {
    if out.len() > POOL / 8 {
        return draw(out);
    }
    POOL_OF_THREAD.with_borrow_mut(|pool| {
        if POOL - pool.used < out.len() {
            draw(&mut pool.bytes);
            pool.used = 0;
        }
        let given = &mut pool.bytes[pool.used..pool.used + out.len()];
        out.copy_from_slice(given);
        given.fill(0);
        pool.used += out.len();
    });
}

fn draw(out: &mut [u8]) {
    openssl::rand::rand_bytes(out).expect("the system's random source works");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_draw_repeats_another_and_each_length_is_filled() {
        let mut seen = HashSet::new();
        for length in (12..200).cycle().take(2_000) {
            let mut out = vec![0; length];
            super::fill(&mut out);
            assert!(out.iter().any(|b| *b != 0) && seen.insert(out[..12].to_vec()), "length {length}");
        }
    }
}
