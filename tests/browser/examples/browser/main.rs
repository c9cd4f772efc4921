//! The dashboard in a real Chromium: `tests/recipes/browser [--quick]`.

#![allow(clippy::expect_used, clippy::panic, reason = "a proof that cannot go on stops and says where")]

mod stories;

use std::path::PathBuf;

use hob_browser::driver::{Driver, Look};
use hob_browser::judges::Judges;

use crate::stories::Stage;

const HELP: &str = "\
Lives a keeper's first evening in a real Chromium: set-up, every page, somebody is let in by scanning the code off the
screen, and cut off again; at a desk, in the dark, on a phone, at 200 % zoom, and without JavaScript. axe-core looks at
every page, html-validate at every source.

  browser            everything
  browser --quick    the gate's: at a desk, and without JavaScript

HOB_TEST_JUDGES names the folder where npm put axe-core and html-validate.";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--quick"] => true,
        ["--help" | "-h"] => return println!("{HELP}"),
        _ => {
            println!("{HELP}");
            std::process::exit(2);
        }
    };
    let folder = PathBuf::from(std::env::var_os("HOB_TEST_JUDGES").expect("run tests/recipes/browser"));
    let stage = Stage { driver: Driver::start(), judges: Judges::new(&folder) };
    let looks = [Look::DESK, Look::SCRIPTLESS, Look::DARK, Look::PHONE, Look::ZOOMED];
    let looks = if is_quick { &looks[..2] } else { &looks[..] };
    let mut told = 0;
    for look in looks {
        stories::a_keepers_first_evening(&stage, *look).await;
        println!("   ok  a keeper's first evening, {}", look.name);
        told += 1;
    }
    if !is_quick {
        stories::somebody_guesses_the_password(&stage).await;
        println!("   ok  somebody guesses the password, and the owner gets in");
        stories::nothing_but_a_keyboard(&stage).await;
        println!("   ok  nothing but a keyboard");
        stories::a_session_ends_in_the_middle(&stage).await;
        println!("   ok  a session ends in the middle");
        told += 3;
    }
    stage.judges.validate();
    println!("browser: {told} stories, {} pages looked at by axe-core and html-validate: ok", stage.judges.seen());
}
