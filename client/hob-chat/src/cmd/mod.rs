//! One file a command. Each first lets the engine flush what waits, then does its own, and says how it ended.

mod contact;
mod contacts;
pub mod device;
mod export;
pub mod first_run;
pub mod forget;
mod history;
mod home;
mod join;
pub mod paper;
pub mod people;
mod receive;
mod requests;
mod send;
mod status;
mod verify;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::job::Job;

/// Does a job and says on its stderr what went wrong; returns the exit code.
pub async fn run(session: &Session, job: Job) -> u8 {
    let ended = dispatch(session, job).await;
    session.tell();
    match ended {
        Ok(ending) => ending.exit_code(),
        Err(error) => {
            session.out.notice(&format!("hob-chat: {}", error.chain()));
            error.exit_code()
        }
    }
}

async fn dispatch(session: &Session, job: Job) -> Result<Ending, ChatError> {
    match job {
        Job::Join { link, name } => join::run(session, &link, &name).await,
        Job::ContactShow { bare } => contact::show(session, bare).await,
        Job::ContactAdd { code, name, replace } => contact::add(session, &code, &name, replace).await,
        Job::Home { address } => home::run(session, address.as_deref()).await,
        Job::Codes => people::codes(session).await,
        Job::RevokeCode { which } => people::revoke_code(session, &which).await,
        Job::ContactRevoked { certificate } => people::revoked(session, &certificate).await,
        Job::Rename { name, new_name } => people::rename(session, &name, &new_name).await,
        Job::Remove { name } => people::remove(session, &name).await,
        Job::Block { name } => people::block(session, &name).await,
        Job::Unblock { name } => people::unblock(session, &name).await,
        Job::DeviceAdd { bare } => device::add(session, bare).await,
        Job::DeviceJoin { code, name } => device::join(session, &code, &name).await,
        Job::DeviceList => device::list(session).await,
        Job::DeviceRename { name, new_name } => device::rename(session, &name, &new_name).await,
        Job::DeviceSheet { to } => device::sheet(session, to.as_deref()).await,
        Job::DeviceRecover { sheet } => device::recover(session, &sheet).await,
        Job::DeviceRemove { name } => device::remove(session, &name).await,
        Job::Contacts => contacts::run(session).await,
        Job::Requests => requests::list(session).await,
        Job::Accept { id, name } => requests::accept(session, &id, name.as_deref()).await,
        Job::Refuse { id } => requests::refuse(session, &id).await,
        Job::Verify { name, confirm } => verify::run(session, &name, confirm).await,
        Job::Send { to, text, ttl, view_once, strict, reply_to, wait } => {
            let reply_to = reply_to.as_deref().and_then(hob_client::MessageId::from_hex);
            send::run(session, &to, &text, hob_client::SendOptions { ttl, view_once, reply_to, strict }, wait).await
        }
        Job::Receive { follow, notify, wait } => receive::run(session, follow, notify, wait).await,
        Job::History { name, last } => history::run(session, &name, last).await,
        Job::Export { name } => export::run(session, &name).await,
        Job::Status => status::run(session).await,
        Job::Forget => forget::run(session),
        // It is served where it is taken: see `handover::screen`.
        Job::Screen => Ok(Ending::Fine),
    }
}
