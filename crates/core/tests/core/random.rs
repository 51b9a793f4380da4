//! Random numbers that are the same in every run.

/// A small generator (xorshift): the same sequence in every run, natively and in wasm.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Another sequence.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn fork(&mut self) -> Random {
        self.below(usize::MAX);
        Random(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0.checked_rem(bound.max(1) as u64).unwrap()).unwrap()
    }
}
