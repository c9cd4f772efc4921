//! `home`, `home address HOST:PORT`: where the box is.

use hob_client::CommandError;
use hob_protocol::address::Address;
use serde_json::json;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::net;

/// Shows where the box is; with an address, notes it first and tries it.
pub async fn run(session: &Session, address: Option<&str>) -> Result<Ending, ChatError> {
    if let Some(address) = address.and_then(|address| Address::parse(address).ok()) {
        session.command(|client, now, random| Ok(((), client.name_home_addresses(now, random, vec![address])?)))?;
    }
    session.settle().await?;
    let home = session.ask(|client, _| client.home()).ok_or(CommandError::NotJoined)?;
    let online = session.ask(|client, _| client.is_online());
    let why_offline = (!online).then(|| session.why_offline().chain());
    if session.out.json() {
        let addresses: Vec<_> = home.addresses.iter().map(ToString::to_string).collect();
        session.out.object(&json!({
            "box": home.identity.to_string(),
            "addresses": addresses,
            "online": online,
            "why_offline": why_offline,
        }))?;
    } else {
        session.out.line(&format!("box         {}", home.identity))?;
        session.out.line(&format!("addresses   {}", net::list(&home.addresses)))?;
        session.out.line(&format!("connection  {}", why_offline.as_deref().unwrap_or("online")))?;
    }
    Ok(Ending::Fine)
}
