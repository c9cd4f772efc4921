//! Single requests: asked once, answered once, with no connection of their own.

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ServerBody, ServerFrame};
use hob_relay::web::{ONLY_REQUEST, Reply};
use tokio::sync::oneshot;

/// What a request is answered.
#[derive(Debug)]
pub struct Answered {
    /// It showed a token or a proof that is good.
    pub established: bool,
    /// What the rules say.
    pub said: Result<Said, Refused>,
}

/// What the rules say to a request that they do not refuse.
#[derive(Debug)]
pub enum Said {
    /// To what has a frame.
    Frame(ServerBody),
    /// To what has none.
    Reply(Reply),
}

/// A request that waits for its answer.
pub(super) struct Asking {
    to: oneshot::Sender<Answered>,
    established: bool,
}

impl Asking {
    pub(super) const fn new(to: oneshot::Sender<Answered>) -> Self {
        Self { to, established: false }
    }

    pub(super) const fn establish(&mut self) {
        self.established = true;
    }

    /// Whether a frame is the answer: what the box says unasked is not.
    pub(super) const fn is_answered_by(frame: &ServerFrame) -> bool {
        frame.request == ONLY_REQUEST
    }

    pub(super) fn frame(self, body: ServerBody) {
        let said = match body {
            ServerBody::Error { code, retry_after, .. } => {
                Err(Refused { code: Code::from_number(code).unwrap_or(Code::BadFrame), retry_after })
            }
            body => Ok(Said::Frame(body)),
        };
        self.say(said);
    }

    pub(super) fn reply(self, reply: Reply) {
        self.say(match reply {
            Reply::Refused(refused) => Err(refused),
            reply => Ok(Said::Reply(reply)),
        });
    }

    pub(super) fn refuse(self, refused: Refused) {
        self.say(Err(refused));
    }

    fn say(self, said: Result<Said, Refused>) {
        // Whoever asked may have gone.
        let _ = self.to.send(Answered { established: self.established, said });
    }
}
