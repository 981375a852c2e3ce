//! Splitting requests into chunks that take turns.

use netspec::ConvSpec;

/// The bytes of weights and activations of a convolution; 0 for an invalid one, which is not prepared.
pub(crate) fn bytes(spec: &ConvSpec) -> usize {
    if spec.validate().is_ok() { spec.bytes() } else { 0 }
}

/// The length of the next chunk of `specs`: as many as `most` and `most_bytes` of weights and activations allow, and at
/// least one, however large it is; 0 if there are none.
pub(crate) fn chunk_len<'s>(specs: impl Iterator<Item = &'s ConvSpec>, most: usize, most_bytes: usize) -> usize {
    let mut sum = 0_usize;
    let mut len = 0;
    for spec in specs.take(most.max(1)) {
        sum = sum.saturating_add(bytes(spec));
        if len > 0 && sum > most_bytes {
            break;
        }
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::chunk_len;
    use netspec::ConvSpec;

    #[test]
    fn a_chunk_ends_at_its_count_and_at_its_memory() {
        let spec = ConvSpec::new(1, 1, [1, 1], [1, 1]);
        // One element each of input, weights and output, of four bytes.
        assert_eq!(spec.bytes(), 12);
        let specs = vec![spec; 10];
        let check = |most, most_bytes, expect| {
            assert_eq!(chunk_len(specs.iter(), most, most_bytes), expect, "{most} {most_bytes}");
        };
        check(4, 1000, 4);
        check(20, 1000, 10);
        check(20, 36, 3);
        check(20, 35, 2);
        check(20, 0, 1);
        check(0, 1000, 1);
        assert_eq!(chunk_len([].iter(), 4, 1000), 0);
    }
}
