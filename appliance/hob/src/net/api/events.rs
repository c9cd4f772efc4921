//! Server-sent events (WHATWG HTML, section 9.2) for those who wait: what came, to be fetched by pages.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use futures_util::stream::unfold;
use hob_protocol::code::{Code, Refused, whole_seconds_up};
use hob_protocol::frame::ServerBody;
use hob_relay::web::Reply;
use hob_relay::{Body, ConnId};
use serde_json::json;

use crate::engine::Engine;
use crate::engine::outbox::{Out, Outbox};
use crate::net::api::Api;
use crate::net::api::problem::{Problem, ProblemDocument};
use crate::net::api::request::Owner;
use crate::net::api::sessions::Session;

/// How often something is written while nothing happens, and the session is looked at.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Wait for envelopes
///
/// Events: `waiting` first, with the number of envelopes that wait; `ready` with the id of each that came since, to be
/// fetched by a page; `online` with a whole envelope that is never kept; `restarting` before the box goes down; `end` with
/// the reason, last: when the access token is over, when a fifth stream of the device is opened (the oldest ends), when
/// the client reads too slowly, or when the device is removed. A WebSocket of the same device goes on.
#[utoipa::path(get, path = "/v1/events", tag = "mailbox", security(("session" = [])),
    responses((status = OK, description = "A stream of events", content_type = "text/event-stream", body = String),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn events(State(api): State<Api>, owner: Owner) -> Result<Response, Problem> {
    let outbox = Arc::new(Outbox::default());
    let conn = api.engine.next_conn();
    let expires_at = api.now() + owner.session.expires_in;
    let stream = Stream {
        outbox: Arc::clone(&outbox),
        waiting: VecDeque::new(),
        place: Place { engine: api.engine.clone(), conn },
        session: owner.session,
        expires_at,
        ended: false,
        api,
    };
    let watched = stream.place.engine.watch(conn, outbox, owner.session.device).await;
    watched.map_err(|_| Problem::new(Problem::restarting()))?;
    let events =
        unfold(stream, |mut stream| async { stream.next().await.map(|event| (Ok::<_, Infallible>(event), stream)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_EVERY)).into_response())
}

/// The place of a watcher; given back when the stream is dropped, however it ends.
struct Place {
    engine: Engine,
    conn: ConnId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (engine, conn) = (self.engine.clone(), self.conn);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { engine.closed(conn).await });
        }
    }
}

struct Stream {
    outbox: Arc<Outbox>,
    waiting: VecDeque<Out>,
    place: Place,
    session: Session,
    /// By the clock of sessions.
    expires_at: Duration,
    ended: bool,
    api: Api,
}

impl Stream {
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            while let Some(out) = self.waiting.pop_front() {
                if let Some(event) = self.event(out).await {
                    return Some(event);
                }
            }
            tokio::select! {
                outs = self.outbox.take() => self.waiting = outs,
                () = tokio::time::sleep(self.nap()) => {
                    if self.is_over() {
                        return Some(self.end(Refused::finally(Code::NoSession)));
                    }
                }
            }
        }
        None
    }

    /// Until the session is to be looked at again.
    fn nap(&self) -> Duration {
        let left = self.expires_at.saturating_sub(self.api.now());
        self.api.engine.clocks().real(left).min(KEEP_ALIVE_EVERY)
    }

    fn is_over(&self) -> bool {
        self.api.now() >= self.expires_at || !self.api.sessions.is_alive(&self.session.family)
    }

    async fn event(&mut self, out: Out) -> Option<Event> {
        match out {
            Out::Reply(reply) => match *reply {
                Reply::Me(standing) => Some(event("waiting", &json!({ "pending": standing.pending }))),
                _ => None,
            },
            Out::Ready { id, ttl } => {
                let id = id.to_string();
                Some(event("ready", &json!({ "id": id, "ttl_s": ttl.as_secs() })))
            }
            // A watcher is pushed nothing but what is never kept.
            Out::Push(push) => match push.body {
                Body::Here(bytes, _) => {
                    let envelope = BASE64.encode(&bytes);
                    Some(event("online", &json!({ "envelope": envelope, "ttl_s": push.ttl.as_secs() })))
                }
                Body::At(_) => None,
            },
            Out::Frame(frame) => match frame.body {
                ServerBody::Restarting { back_in } => {
                    Some(event("restarting", &json!({ "back_in_s": whole_seconds_up(back_in) })))
                }
                _ => None,
            },
            Out::Close(refused) => Some(self.end(refused)),
            Out::Goodbye => Some(self.end(Refused::finally(Code::Restarting))),
            Out::Established => None,
        }
    }

    fn end(&mut self, refused: Refused) -> Event {
        self.ended = true;
        if refused.code == Code::Revoked {
            self.api.sessions.forget(&self.session.device);
        }
        let code = refused.code;
        event("end", &json!({ "code": code.number(), "name": code.name(), "title": code.text() }))
    }
}

fn event(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
