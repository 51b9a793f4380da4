//! `/requests/{id}`: where the link of a message leads. The page looks nothing up, and says the same for every id: it does not
//! know who reads it, and so shows no data and tells no one whether there is such a request.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{plain, titled};
use crate::random::is_request_id;

pub(super) async fn show(id: Result<Path<String>, PathRejection>) -> Response {
    match id {
        Ok(Path(id)) if is_request_id(&id) => plain("A request for access", &body(&id)),
        _ => {
            let text = "A link to a request ends with its id: req_ and 26 letters and digits. Open the link as it was sent.";
            titled(StatusCode::NOT_FOUND, "No such page", text)
        }
    }
}

/// An id of its shape has no character that HTML or a shell gives a meaning to.
fn body(id: &str) -> String {
    format!(
        "<p>This page shows nothing of the request, because it does not know who you are. Run one of these commands where you \
         have <code>breakglass</code>:</p><dl><dt>To read the request</dt><dd><code>breakglass status {id}</code></dd><dt>To \
         approve it</dt><dd><code>breakglass approve {id}</code></dd><dt>To ask its requester something</dt><dd><code>breakglass \
         question {id} '..'</code></dd><dt>To deny it</dt><dd><code>breakglass deny {id} --reason '..'</code></dd></dl>\
         <p>A command says what it is about to do, and asks before it approves. If you did not expect this link, run the first \
         one alone.</p>"
    )
}
