//! Looks at the clock.

use crate::app::App;
use crate::domain::{lapse, owe_reviews, owe_rotations, tell_ends, tell_overdue_reviews};

/// How often the clock is looked at, if nobody asks for the time.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// Looks at the clock once, and does what follows from the time alone.
pub async fn tick(app: &App) {
    let keeper = app.timekeeper();
    let now = keeper.now();
    // Each is tried, whatever became of the others.
    let renewed = keeper.renew_feed(app.store(), app.feed()).await;
    let saved = keeper.save(app.store(), false).await;
    let lapsed = lapse(app, now).await;
    let told = tell_ends(app, now).await;
    let owed = owe_rotations(app, now).await;
    let reviews = owe_reviews(app, now).await;
    let overdue = tell_overdue_reviews(app, now).await;
    let done = lapsed.and(told).and(owed).and(reviews).and(overdue);
    keeper.tell(renewed.and(saved).and(done.map(|_| ())));
}

/// Looks at the clock for as long as the service runs.
pub async fn keep_time(app: App) {
    loop {
        tick(&app).await;
        tokio::time::sleep(LOOK).await;
    }
}

/// Writes down what is believed, because the service ends.
pub async fn stop(app: &App) {
    let keeper = app.timekeeper();
    keeper.tell(keeper.save(app.store(), true).await);
}
