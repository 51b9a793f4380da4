//! How a connection's work ends: by itself, because it is late, because it has to give way, or because the service ends.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

use super::places::{Connection, Next};

/// The outcome of `work` on a connection, if it comes before the connection is late or has to give way. `end` is called
/// when the service is about to end, and when the connection was idle for long: it tells the client so.
pub(super) async fn until_over<F: Future>(
    place: &Connection,
    stop: &mut watch::Receiver<bool>,
    mut work: Pin<&mut F>,
    end: impl Fn(Pin<&mut F>),
) -> Option<F::Output> {
    let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
    let mut is_stopping = false;
    loop {
        let step = poll_fn(|context| {
            loop {
                if let Poll::Ready(output) = work.as_mut().poll(context) {
                    return Poll::Ready(Some(output));
                }
                // What has just happened may have changed what it is waited for.
                let at = match place.next() {
                    Next::Wait(None) => return Poll::Pending,
                    Next::Wait(Some(at)) => at,
                    Next::End => {
                        end(work.as_mut());
                        continue;
                    }
                    Next::Close => return Poll::Ready(None),
                };
                if alarm.deadline() != at {
                    alarm.as_mut().reset(at);
                }
                if alarm.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        });
        tokio::select! {
            output = step => return output,
            () = place.woken() => {}
            // Where nothing can say so any more, it is to stop as well.
            () = stopped(stop), if !is_stopping => {
                is_stopping = true;
                place.stop();
                end(work.as_mut());
            }
        }
    }
}

/// Returns when the service is about to end.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
