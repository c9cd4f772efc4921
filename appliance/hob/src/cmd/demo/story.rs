//! What happens, and what must come of it. A step that does not do what it must ends the demo with exit code 1.

use std::time::Duration;

use crate::cmd::demo::cast::{Cast, Played};
use crate::cmd::demo::log_view;
use crate::control::wire::{Compacted, Invited, StatusView};
use crate::failure::Failure;

const QUESTION: &str = "Supper at eight?";
const ANSWER: &str = "With pleasure. I bring bread.";

/// How often receipts are looked for before the demo gives up: they come within two seconds.
const RECEIPT_TRIES: usize = 20;

/// Time between two looks.
const RECEIPT_PAUSE: Duration = Duration::from_millis(500);

/// Tells the story.
///
/// # Errors
/// The step that failed, and what it said.
pub async fn tell(cast: &mut Cast) -> Result<(), Failure> {
    pair(cast).await?;
    send_while_away(cast).await?;
    let seen = show_log(cast).await?;
    kill_and_return(cast).await?;
    deliver(cast).await?;
    confirm(cast).await?;
    forget(cast, &seen).await?;
    cast.stage.chapter("The end. All of this was real; nothing of it is kept.").await;
    Ok(())
}

async fn pair(cast: &mut Cast) -> Result<(), Failure> {
    cast.stage.chapter("1. A box starts. It asks nothing, and makes an invitation for its first member.").await;
    let ready = cast.start_box().await?;
    let invitation = ready.invitation.ok_or_else(|| Failure::because("the first start made no invitation"))?;
    cast.stage.qr(&invitation);
    cast.chat("ada", &["join", &invitation, "--name", "ada"]).await?;

    cast.stage.chapter("2. The keeper invites Bob.").await;
    let invited: Invited = cast.keeper(&["invite"]).await?;
    cast.chat("bob", &["join", &invited.link, "--name", "bob"]).await?;

    cast.stage.chapter("3. Ada shows Bob her contact code; Bob's device scans it.").await;
    let code = contact_code(cast).await?;
    cast.stage.qr(&code);
    cast.chat("bob", &["contact", "add", &code, "--as", "ada"]).await?;
    Ok(())
}

async fn contact_code(cast: &Cast) -> Result<String, Failure> {
    let shown = cast.chat_unseen("ada", &["contact", "show", "--code"]).await?;
    Ok(shown.stdout.trim().to_owned())
}

async fn send_while_away(cast: &Cast) -> Result<(), Failure> {
    cast.stage.chapter("4. Ada's device is off. Bob writes all the same; the box keeps it, sealed.").await;
    let sent = cast.chat("bob", &["send", "ada", QUESTION]).await?;
    must(&sent, "kept", "the box keeps a message for somebody who is away")?;
    let status: StatusView = cast.keeper(&["status"]).await?;
    if status.pending == 0 {
        return Err(Failure::because("the box keeps nothing, though Ada is away"));
    }
    Ok(())
}

async fn show_log(cast: &Cast) -> Result<log_view::Seen, Failure> {
    cast.stage.chapter("5. This is all that the box has of it: sizes, deadlines, and bytes that it cannot open.").await;
    let seen = log_view::look(&cast.data(), cast.copies())?;
    cast.stage.say(&seen.text);
    log_view::must_not_hold(&cast.data(), QUESTION)?;
    cast.stage.say(&format!("The words {QUESTION:?} are in no file of the box."));
    Ok(seen)
}

async fn kill_and_return(cast: &mut Cast) -> Result<(), Failure> {
    cast.stage.chapter("6. The box dies: no warning, no goodbye. And comes back.").await;
    let id = cast.box_id().map_or_else(String::new, |id| id.to_string());
    cast.stage.command("keeper", &format!("kill -9 {id}"));
    cast.kill_box().await?;
    cast.stage.command("keeper", "hob serve");
    cast.start_box().await?;
    cast.keeper_shown(&["status"]).await?;
    let status: StatusView = cast.keeper(&["status"]).await?;
    if status.pending == 0 {
        return Err(Failure::because("the box lost what it had acknowledged"));
    }
    Ok(())
}

async fn deliver(cast: &Cast) -> Result<(), Failure> {
    cast.stage.chapter("7. Ada comes back. Her device fetches what was kept, and answers without a second code.").await;
    let received = cast.chat("ada", &["receive", "--wait", "10s"]).await?;
    must(&received, QUESTION, "what the box acknowledged is delivered after it was killed")?;
    // Who wrote is a contact by Bob's own proposal of a name.
    cast.chat("ada", &["send", "bob", ANSWER]).await?;
    let received = cast.chat("bob", &["receive", "--wait", "10s"]).await?;
    must(&received, ANSWER, "the answer is delivered")
}

async fn confirm(cast: &Cast) -> Result<(), Failure> {
    cast.stage.chapter("8. The receipt: Bob's device knows that Ada's has it.").await;
    for _ in 0..RECEIPT_TRIES {
        cast.chat_unseen("ada", &["receive"]).await?;
        cast.chat_unseen("bob", &["receive"]).await?;
        let history = cast.chat_unseen("bob", &["--json", "history", "ada"]).await?;
        if is_delivered(&history) && nothing_waits(cast).await? {
            cast.chat("bob", &["history", "ada"]).await?;
            return Ok(());
        }
        tokio::time::sleep(RECEIPT_PAUSE).await;
    }
    Err(Failure::because("no receipt came, or the box still keeps something"))
}

fn says(line: &serde_json::Value, field: &str, what: &str) -> bool {
    line.get(field).is_some_and(|said| said == what)
}

fn is_delivered(history: &Played) -> bool {
    history
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .any(|line| says(&line, "text", QUESTION) && says(&line, "status", "delivered"))
}

async fn nothing_waits(cast: &Cast) -> Result<bool, Failure> {
    let status: StatusView = cast.keeper(&["status"]).await?;
    Ok(status.pending == 0)
}

async fn forget(cast: &Cast, seen: &log_view::Seen) -> Result<(), Failure> {
    cast.stage.chapter("9. The box forgets: now, not in six hours, because the keeper says so.").await;
    cast.stage.command("keeper", "hob compact");
    let report: Compacted = cast.keeper(&["compact"]).await?;
    if report.windows_with_body_key != 0 {
        return Err(Failure::because("a body key is left, though nothing waits"));
    }
    log_view::must_be_unreadable(&cast.data(), cast.copies(), seen)?;
    cast.stage.output(&format!(
        "the window's body key is destroyed; ledger generation {}, {} of {} records kept",
        report.generation, report.records_after, report.records_before
    ));
    cast.stage.say("The same bytes, read again with every key that the box now has: they cannot be opened any more.");
    cast.keeper_shown(&["status"]).await?;
    Ok(())
}

fn must(played: &Played, holds: &str, promise: &str) -> Result<(), Failure> {
    if played.stdout.contains(holds) {
        return Ok(());
    }
    Err(Failure::because(format!("{promise}: {holds:?} was expected, and what came is {:?}", played.stdout)))
}

/// Stays, so that whoever watches can join in from a second terminal. Ends with Ctrl-C.
///
/// # Errors
/// No invitation or code can be made.
pub async fn stay(cast: &mut Cast) -> Result<(), Failure> {
    let invited: Invited = cast.keeper(&["invite"]).await?;
    let code = contact_code(cast).await?;
    let you = format!("{} --profile {}", quoted(&cast.chat), quoted(&cast.profile("you")));
    cast.stage.chapter("Join in: paste these into a second terminal. Ada's device shows here what it receives.").await;
    cast.stage.output(&format!(
        "{you} join '{}' --name you\n{you} contact add '{code}' --as ada\n{you} send ada 'Hello from the other terminal'",
        invited.link
    ));
    cast.stage.say("\nCtrl-C ends the demo and throws its data away.");
    let mut ada = cast.follow("ada")?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = ada.wait() => {
            // A Ctrl-C reaches Ada's process too, and it may be the faster one.
            let _ = tokio::time::timeout(Duration::from_secs(1), tokio::signal::ctrl_c()).await;
        }
    }
    let _ = ada.kill().await;
    Ok(())
}

/// A path that a shell takes as one word.
fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
