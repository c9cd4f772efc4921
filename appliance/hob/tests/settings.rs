//! Everything that can be wrong with settings: file, line, key and what is allowed; exit 2; nothing touched.

use std::path::Path;

use crate::typed::{ended, hob, run};

/// What a file says, and what must be said about it. Lines count from 1.
const WRONG: [(&str, &str); 14] = [
    (
        "# one\n\n[quota]\nmailbox_bytes = 32\n",
        "4: quota.mailbox_bytes = 32: a size needs a unit, for example \"32MiB\" (1MiB to 1GiB)",
    ),
    (
        "[quota]\nmailbox_bytes = \"32MB\"\n",
        "2: quota.mailbox_bytes = \"32MB\": a size needs a unit, for example \"32MiB\" (1MiB to 1GiB)",
    ),
    ("[quota]\nmailbox_bytes = \"2GiB\"\n", "2: quota.mailbox_bytes = \"2GiB\": allowed is a size, 1MiB to 1GiB"),
    ("retention = 6\n", "1: retention = 6: a time needs a unit, for example \"6h\" (1h to 6h)"),
    ("retention = \"7h\"\n", "1: retention = \"7h\": allowed is a time, 1h to 6h"),
    ("retention = true\n", "1: retention = true: this is true or false; allowed is a time, 1h to 6h"),
    ("retention = [\"6h\"]\n", "1: retention = [\"6h\"]: this is a list; allowed is a time, 1h to 6h"),
    ("quota.members = \"many\"\n", "1: quota.members = \"many\": allowed is a whole number, 1 to 100000"),
    ("quota.members = 0\n", "1: quota.members = 0: allowed is a whole number, 1 to 100000"),
    ("quota.members = 1.5\n", "1: quota.members = 1.5: this is a fraction; allowed is a whole number, 1 to 100000"),
    (
        "[quota]\nmember = 5\n",
        "2: there is no setting quota.member (did you mean quota.members?); `hob config example` lists them all",
    ),
    ("\n\n[qouta]\n", "3: there is no setting qouta (did you mean quota?); `hob config example` lists them all"),
    (
        "[metrics]\nlisten = \"0.0.0.0:9443\"\n",
        "2: metrics.listen = \"0.0.0.0:9443\": these figures are not for the network, put a proxy before them; \
         allowed is \"off\", or a loopback address and a port, for example \"127.0.0.1:9443\"",
    ),
    (
        "[log]\nlevel = \"loud\"\n",
        "2: log.level = \"loud\": one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
    ),
];

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("hob.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_wrong_setting_is_told_with_file_line_key_and_what_is_allowed_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (text, error) in WRONG {
        let file = write(folder.path(), text);
        for command in [&["serve"][..], &["config", "check"]] {
            let args = [command, &["--config", &file, "--data", data.to_str().unwrap()]].concat();
            let typed = run(&args);
            assert_eq!(typed.stderr, format!("hob: {file}:{error}\n"), "{text}");
            assert_eq!(typed.code, Some(2), "{text}");
            assert_eq!(typed.stdout, "");
        }
    }
    assert!(!data.exists());
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for (text, line) in [("retention = \"2h\"\nlisten =\n", 2), ("[quota\n", 1), ("a\u{0}b", 1)] {
        let file = write(folder.path(), text);
        let typed = run(&["config", "check", "--config", &file]);
        assert!(typed.stderr.starts_with(&format!("hob: {file}:{line}: ")), "{}", typed.stderr);
        assert_eq!(typed.stderr.lines().count(), 1, "{}", typed.stderr);
        assert_eq!(typed.code, Some(2));
    }
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let typed = run(&["serve", "--config", "/nowhere/hob.toml"]);
    assert!(typed.stderr.starts_with("hob: cannot read the settings in /nowhere/hob.toml: "), "{}", typed.stderr);
    assert_eq!(typed.code, Some(2));
}

#[test]
fn a_wrong_variable_and_a_wrong_flag_are_told_by_their_names() {
    let mut command = hob();
    command.env("HOB_QUOTA_MEMBERS", "0").args(["config", "check"]);
    let typed = ended(command);
    assert_eq!(typed.stderr, "hob: HOB_QUOTA_MEMBERS = \"0\": allowed is a whole number, 1 to 100000\n");
    assert_eq!(typed.code, Some(2));

    let mut command = hob();
    command.env("HOB_RETENTON", "2h").args(["config", "check"]);
    let typed = ended(command);
    assert!(typed.stderr.contains("HOB_RETENTON (did you mean HOB_RETENTION?)"), "{}", typed.stderr);
    assert_eq!(typed.code, Some(2));

    let typed = run(&["config", "check", "--retention", "90s"]);
    assert_eq!(typed.stderr, "hob: --retention = \"90s\": allowed is a time, 1h to 6h\n");
    let typed = run(&["config", "check", "--address", "box"]);
    assert!(typed.stderr.starts_with("hob: --address = \"box\": "), "{}", typed.stderr);
    let four = ["--address", "a:1", "--address", "b:1", "--address", "c:1", "--address", "d:1"];
    let typed = run(&[&["config", "check"][..], &four].concat());
    assert!(typed.stderr.contains("these are 4"), "{}", typed.stderr);
    assert_eq!(typed.code, Some(2));
}

#[test]
fn the_example_file_checks_out_and_is_the_one_in_the_repository() {
    let example = run(&["config", "example"]);
    assert_eq!(example.code, Some(0));
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hob.example.toml");
    assert_eq!(example.stdout, std::fs::read_to_string(repository).unwrap());
    let typed = run(&["config", "check", "--config", repository, "--data", "/srv/hob"]);
    assert_eq!((typed.code, &*typed.stdout), (Some(0), "good; the data folder is /srv/hob\n"));
}

#[test]
fn the_data_folder_is_the_service_managers_or_the_users() {
    let check = |name: &str, value: &str| {
        let mut command = hob();
        command.env_remove("XDG_DATA_HOME").env("HOME", "/home/ada").env(name, value);
        command.args(["config", "check"]);
        ended(command).stdout
    };
    assert_eq!(check("STATE_DIRECTORY", "/var/lib/hob:/var/lib/b"), "good; the data folder is /var/lib/hob\n");
    assert_eq!(check("XDG_DATA_HOME", "/x"), "good; the data folder is /x/hob\n");
    assert_eq!(check("HOB_DATA", "/y"), "good; the data folder is /y\n");
}
