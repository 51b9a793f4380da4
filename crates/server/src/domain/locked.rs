//! The two looks of a use case at its request.

use super::{Refused, find};
use crate::app::App;
use crate::clock::Moment;
use crate::store::{Change, Request};

/// Begins a change of the request with this id, if `check` lets it pass before the lock and under it.
pub(super) async fn request(
    app: &App,
    now: Moment,
    id: &str,
    check: impl Fn(&Request) -> Result<(), Refused>,
) -> Result<(Change, Request), Refused> {
    check(&find::request(app, now, id).await?)?;
    under(app, now, id, check).await
}

/// The second look alone, for a use case that has work to do between the two.
pub(super) async fn under(
    app: &App,
    now: Moment,
    id: &str,
    check: impl Fn(&Request) -> Result<(), Refused>,
) -> Result<(Change, Request), Refused> {
    let (change, request) = app.store().change_of(now, id).await?;
    let request = request.ok_or(Refused::RequestUnknown);
    match request.and_then(|request| check(&request).map(|()| request)) {
        Ok(request) => Ok((change, request)),
        Err(refused) => Err(refuse(change, refused).await),
    }
}

/// Ends a change with nothing done, and says why. After a failure of the database the change is dropped, which closes its
/// connection: the database may have ended the transaction by itself, and that failure is the one to tell of.
pub(super) async fn refuse(change: Change, refused: Refused) -> Refused {
    match refused {
        Refused::Store(_) => refused,
        refused => change.abandon().await.err().map_or(refused, Refused::from),
    }
}
