//! `verify bob [--confirm]`: the safety number, and the note that it was compared.

use hob_client::display::escape_line;
use serde_json::json;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::qr::Qr;

/// Shows the number; with `confirm`, notes that it is the same on both sides.
pub async fn run(session: &Session, name: &str, confirm: bool) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    if confirm {
        session.command(|client, now, random| Ok(((), client.confirm_verified(now, random, name)?)))?;
    }
    let number = session.ask(|client, _| client.safety_number(name))?;
    let verified = session.ask(|client, _| client.contact(name).is_some_and(|contact| contact.verified));
    if session.out.json() {
        session.out.object(&json!({ "name": name, "digits": number.digits, "verified": verified }))?;
        return Ok(Ending::Fine);
    }
    let shown_name = escape_line(name);
    if confirm {
        session.out.line(&format!("{shown_name} is verified"))?;
        return Ok(Ending::Fine);
    }
    session.out.line(&number.grouped())?;
    let qr = session.out.terminal().zip(Qr::of(&number.qr));
    if let Some((_, qr)) = qr.filter(|(terminal, qr)| qr.fits(*terminal)) {
        session.out.line(&qr.text())?;
    }
    session.out.notice(&if verified {
        format!("{shown_name} is verified already")
    } else {
        format!(
            "{shown_name} sees the same 60 digits if nobody is in between: compare them face to face or by telephone, \
             then `hob-chat verify {shown_name} --confirm`"
        )
    });
    Ok(Ending::Fine)
}
