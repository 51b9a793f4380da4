//! What reading a path costs, counted: so that a request cannot ask for more than a worker can give.

/// The most readings of one path; one that has more counts as every path.
pub(super) const MAX_READINGS: usize = 256;

/// The most text that all readings of one path may hold together, in bytes: every rule looks at it.
pub(super) const MAX_READ_BYTES: usize = 64 * 1024;

/// How much may still be done for a request, in bytes that are looked at.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Work {
    left: usize,
}

/// There is no more of it: the path counts as every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

/// What is done once for each text, whatever its length: memory is taken, tables are looked at.
const OF_A_TEXT: usize = 32;

/// How much a byte beyond ASCII costs that is put into another form, and one of ASCII beside it.
const OF_A_FORM: usize = 64;

impl Work {
    /// As much as this.
    pub(in crate::policy) const fn of(left: usize) -> Work {
        Work { left }
    }

    /// So much more of it.
    pub(in crate::policy) fn add(&mut self, more: usize) {
        self.left = self.left.saturating_add(more);
    }

    /// Looks once at a text of so many bytes.
    pub(super) fn look(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(bytes.saturating_add(OF_A_TEXT))
    }

    /// Puts a text of so many bytes into another form of Unicode.
    pub(super) fn form(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(bytes.saturating_mul(OF_A_FORM))
    }

    fn spend(&mut self, much: usize) -> Result<(), Exhausted> {
        match self.left.checked_sub(much) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Exhausted)
            }
        }
    }

    /// What is left of it.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}
