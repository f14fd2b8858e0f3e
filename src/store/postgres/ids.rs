//! What accounts, leases and replicas are called in the tables. The ids are keyed hashes of what they
//! stand for, so that every replica knows them without asking.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::event::Account;

/// The lease of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub(super) i64);

impl LeaseId {
    #[cfg(test)]
    pub fn test(number: i64) -> Self {
        Self(number)
    }

    pub fn number(self) -> i64 {
        self.0
    }

    /// How much this replica is preferred as the holder, against others: the highest has it. Each change
    /// of who lives moves only the leases of those who came or went.
    pub fn preference(self, replica: &str) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write_i64(self.0);
        hasher.write(replica.as_bytes());
        hasher.finish()
    }
}

/// An account in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(super) i64);

impl AccountId {
    #[cfg(test)]
    pub fn test(number: i64) -> Self {
        Self(number)
    }
}

/// Makes ids by the key of the state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids([u8; 16]);

impl Ids {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    pub(super) fn account(self, account: &Account) -> AccountId {
        AccountId(self.hash("account", account.as_str().as_bytes()))
    }

    /// The lease of what writes this.
    pub(super) fn lease(self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> LeaseId {
        let mut hasher = self.hasher("lease");
        write(&mut |bytes| hasher.write(bytes));
        LeaseId(hasher.finish().cast_signed())
    }

    /// The epoch that follows another one: replicas that notice a loss at the same time name the same.
    pub(super) fn next_epoch(self, epoch: &str) -> String {
        format!("{:016x}", self.hash("epoch", epoch.as_bytes()))
    }

    fn hash(self, kind: &str, bytes: &[u8]) -> i64 {
        let mut hasher = self.hasher(kind);
        hasher.write(bytes);
        hasher.finish().cast_signed()
    }

    fn hasher(self, kind: &str) -> SipHasher13 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(kind.as_bytes());
        hasher.write_u8(0);
        hasher
    }
}
