//! SHA-256 (FIPS 180-4), by which the page's security policy names its one script: no other runs.

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square
/// roots of the first 8.
fn constants() -> ([u32; 64], [u32; 8]) {
    let mut primes = (2_u32..).filter(|number| (2..*number).all(|divisor| number % divisor != 0));
    let (mut rounds, mut begin) = ([0; 64], [0; 8]);
    for (index, slot) in rounds.iter_mut().enumerate() {
        let prime = primes.next().unwrap_or(2);
        *slot = fraction(prime, 3);
        if let Some(slot) = begin.get_mut(index) {
            *slot = fraction(prime, 2);
        }
    }
    (rounds, begin)
}

/// The first 32 bits behind the point of a root: the largest number of 32 bits behind it whose power does
/// not exceed the prime.
fn fraction(prime: u32, root: u32) -> u32 {
    let fits = |candidate: u128| {
        // A cube of 36 bits has 108: it fits.
        candidate.pow(root) <= u128::from(prime) << (32 * root)
    };
    let found = (0..36).rev().fold(0_u128, |found, bit| {
        let candidate = found | (1 << bit);
        if fits(candidate) { candidate } else { found }
    });
    (found & u128::from(u32::MAX)) as u32
}

/// The digest of a text.
pub(super) fn sha256(text: &str) -> [u8; 32] {
    let (rounds, mut state) = constants();
    let mut message = text.as_bytes().to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    for block in message.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect();
        while words.len() < 64 {
            let at = |back: usize| words.get(words.len() - back).copied().unwrap_or(0);
            let (a, b) = (at(15), at(2));
            let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            words.push(at(16).wrapping_add(s0).wrapping_add(at(7)).wrapping_add(s1));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (word, constant) in words.iter().zip(rounds) {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let first = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(constant).wrapping_add(*word);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(first));
            (d, c, b, a) = (c, b, a, first.wrapping_add(s0.wrapping_add(majority)));
        }
        for (sum, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = sum.wrapping_add(word);
        }
    }
    let mut digest = [0; 32];
    for (slot, byte) in digest.iter_mut().zip(state.iter().flat_map(|word| word.to_be_bytes())) {
        *slot = byte;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        sha256(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_published_examples_have_their_digests() {
        // FIPS 180-4's example messages, and the empty one.
        assert_eq!(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two_blocks), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}
