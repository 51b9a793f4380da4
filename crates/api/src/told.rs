//! Whether those who may answer a request were told of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Word;
use crate::words::words;

/// How many of those who may approve a pending request were reached. Reached means that the receiver took the message (the
/// person's mail server, or the channel of a group), not that a person has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// Whether all who may approve are known by name.
    #[schema(value_type = MembersKnown)]
    pub members: Word<MembersKnown>,
    /// How many approvers are known by name.
    pub known: u64,
    /// How many of these were reached: a letter to the person was delivered, or the channel of a group by which the person may
    /// approve took the message.
    pub reached: u64,
    /// How many of these were not reached yet, while it is still tried.
    pub waiting: u64,
    /// The channels of the groups whose members may approve.
    pub channels: Vec<ToldChannel>,
}

/// A sink that is the channel of a group of approvers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToldChannel {
    /// The sink.
    pub sink: String,
    /// What has become of the message.
    #[schema(value_type = ChannelState)]
    pub state: Word<ChannelState>,
}

words! {
    /// Whether those who may approve are known by name.
    MembersKnown {
        /// All of them are.
        Complete = "complete",
        /// Some are; there may be others, who have not signed in yet.
        Seen = "seen",
        /// None is, and there may be some.
        Unknown = "unknown",
    }
}

words! {
    /// What has become of the message to a channel.
    ChannelState {
        /// The channel took it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
        /// It is still tried.
        Waiting = "waiting",
    }
}

impl Told {
    /// Whether a person or a channel was reached.
    #[must_use]
    pub fn is_any_reached(&self) -> bool {
        self.reached > 0 || self.channels.iter().any(|one| one.state == ChannelState::Delivered)
    }
}
