//! The chapters.

use crate::stage::Stage;

const ADAS: &[&str] = &["ada-phone", "ada-laptop"];
const BOBS: &[&str] = &["bob-phone", "bob-tablet"];
/// Since his tablet was wiped.
const BOBS_SINCE: &[&str] = &["bob-phone", "new-tablet"];

pub fn play(stage: &mut Stage) {
    beginning(stage);
    a_day_of_talk(stage);
    absence(stage);
    a_wiped_device(stage);
    a_moved_box(stage);
    a_removed_device(stage);
}

fn beginning(stage: &mut Stage) {
    stage.chapter("Two boxes, three members, five devices");
    stage.open_box("home");
    stage.open_box("cleos");
    stage.join("ada-phone", "home", "ada");
    stage.join("bob-phone", "home", "bob");
    stage.join("cleo", "cleos", "cleo");
    let code = stage.person("ada-phone").code();
    stage.person("bob-phone").add(&code, "ada");
    let code = stage.person("ada-phone").code();
    stage.person("cleo").add(&code, "ada");
    stage.pair("ada-phone", "ada-laptop", "laptop");
    stage.pair("bob-phone", "bob-tablet", "tablet");
    stage.write("bob-phone", "ada", "good morning", ADAS);
    stage.write("cleo", "ada", "hello from my own box", ADAS);
    stage.wake_all();
}

fn a_day_of_talk(stage: &mut Stage) {
    stage.pass(1.0);
    stage.chapter("A message goes to all devices of both sides");
    stage.write("ada-laptop", "bob", "written on the laptop", BOBS);
    stage.wake_all();
    let standing = stage.standing("ada-laptop", "bob", "written on the laptop");
    stage.tell(&format!("the laptop says: {standing}"));
    assert_eq!(standing, "delivered");
    stage.write("ada-phone", "cleo", "written on the phone", &["cleo"]);
    stage.write("bob-tablet", "ada", "written on the tablet", ADAS);
    stage.wake_all();
}

fn absence(stage: &mut Stage) {
    stage.pass(1.0);
    stage.chapter("Ada goes away for two days, with both devices");
    stage.write("bob-phone", "ada", "the first of four", ADAS);
    stage.pass(7.0);
    stage.chapter("The box has forgotten; Bob's phone has not");
    let standing = stage.standing("bob-phone", "ada", "the first of four");
    stage.tell(&format!("bob-phone says of the first: {standing}"));
    assert_ne!(standing, "delivered");
    stage.write("bob-phone", "ada", "the second of four", ADAS);
    stage.pass(16.0);
    stage.chapter("Bob is online for a moment");
    stage.wake("bob-phone");
    stage.write("bob-tablet", "ada", "the third of four, from the tablet", ADAS);
    stage.pass(12.0);
    stage.write("cleo", "ada", "the fourth, from another box", ADAS);
    stage.pass(10.0);
    stage.chapter("Ada is back: what nobody keeps any more comes from those who wrote it");
    stage.wake("ada-phone");
    stage.wake("ada-laptop");
    stage.wake_all();
    stage.pass(0.1);
    stage.wake_all();
    for text in ["the first of four", "the second of four"] {
        assert_eq!(stage.standing("bob-phone", "ada", text), "delivered", "{text}");
    }
}

fn a_wiped_device(stage: &mut Stage) {
    stage.pass(2.0);
    stage.chapter("Bob's tablet is wiped, and comes back from a copy of his phone");
    stage.person("bob-tablet").ok(&["forget", "--yes"]);
    stage.person("bob-phone").ok(&["device", "remove", "tablet", "--yes"]);
    stage.removed("bob-tablet");
    stage.pair("bob-phone", "new-tablet", "tablet");
    stage.wake_all();
    let remembered = stage.person("new-tablet").json(&["history", "ada", "--last", "100"]).len();
    stage.tell(&format!("the new tablet knows {remembered} messages of before"));
    assert!(remembered > 0);
    stage.write("ada-phone", "bob", "do you hear me on both?", BOBS_SINCE);
    stage.wake_all();
    stage.write("new-tablet", "ada", "on both", ADAS);
    stage.wake_all();
}

fn a_moved_box(stage: &mut Stage) {
    stage.pass(2.0);
    stage.chapter("Cleo's box moves to another port");
    let address = stage.move_box("cleos");
    stage.write("ada-phone", "cleo", "where are you?", &["cleo"]);
    stage.tell(&format!("Cleo is told by her keeper that it is at {address} now"));
    stage.person("cleo").ok(&["home", "address", &address]);
    stage.wake("cleo");
    stage.pass(0.2);
    stage.wake_all();
    stage.pass(0.2);
    stage.wake_all();
    stage.write("cleo", "ada", "here, around the corner", ADAS);
    stage.write("ada-laptop", "cleo", "found you", &["cleo"]);
    stage.wake_all();
    stage.pass(0.2);
    stage.wake_all();
}

fn a_removed_device(stage: &mut Stage) {
    stage.pass(2.0);
    stage.chapter("Ada's laptop is stolen: she removes it");
    let said = stage.person("ada-phone").ok(&["device", "remove", "laptop", "--yes"]);
    stage.tell(said.lines().next().unwrap_or_default());
    stage.wake("bob-phone");
    stage.wake("new-tablet");
    stage.wake("cleo");
    stage.removed("ada-laptop");
    stage.write("bob-phone", "ada", "not for the laptop", &["ada-phone"]);
    stage.write("cleo", "ada", "nor this", &["ada-phone"]);
    let thief = stage.person("ada-laptop").command(&["receive", "--json"]).output().unwrap();
    let read = String::from_utf8_lossy(&thief.stdout).into_owned();
    let told = String::from_utf8_lossy(&thief.stderr).into_owned();
    assert!(!read.contains("not for the laptop") && !read.contains("nor this"), "{read}");
    stage.tell(&format!("the laptop says: {}", told.lines().next().unwrap_or("nothing")));
    stage.wake_all();
    stage.write("ada-phone", "bob", "good night", BOBS_SINCE);
    stage.wake_all();
}
