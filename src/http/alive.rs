//! Proof of life, for the case of a proxy that holds its side open (section 7).

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Doors;
use super::auth::Peer;
use super::problem::Problem;

/// `POST …/alive`
pub(super) async fn alive(doors: Data<Doors>, Peer(caller): Peer) -> Result<HttpResponse, Problem> {
    doors.hub.alive(&caller).await?;
    Ok(HttpResponse::NoContent().finish())
}
