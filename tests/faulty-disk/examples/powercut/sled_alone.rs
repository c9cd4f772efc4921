//! sled alone with a plain `flush()`: what `sealing-and-storing`, section 3 measured, as a program of its own.

use std::io::Write;
use std::panic::catch_unwind;
use std::process::ExitCode;

/// `sled-writer FOLDER` or `sled-reader FOLDER ACKNOWLEDGED`.
pub fn run(words: &[String]) -> ExitCode {
    match words {
        [writer, folder] if writer == "sled-writer" => write(folder),
        [_, folder, acknowledged] => {
            let acknowledged = acknowledged.parse().unwrap();
            let read = catch_unwind(|| read(folder, acknowledged));
            println!("{}", read.unwrap_or_else(|_| "panicked".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    ExitCode::SUCCESS
}

fn value(number: u64) -> Vec<u8> {
    (0..128).flat_map(|step| (number * 1000 + step).to_le_bytes()).collect()
}

/// Inserts in batches of 1 to 64, flushes, and only then says up to where.
fn write(folder: &str) {
    let db = sled::open(folder).unwrap();
    let mut next = 0u64;
    loop {
        for _ in 0..=(next * 7) % 64 {
            db.insert(next.to_be_bytes(), value(next)).unwrap();
            next += 1;
        }
        db.flush().unwrap();
        println!("{next}");
        std::io::stdout().flush().unwrap();
    }
}

fn read(folder: &str, acknowledged: u64) -> String {
    let db = match sled::open(folder) {
        Ok(db) => db,
        Err(error) => return format!("refused: {error}"),
    };
    let mut lost = 0;
    for number in 0..acknowledged {
        match db.get(number.to_be_bytes()) {
            Ok(Some(found)) if *found == *value(number) => {}
            Ok(_) => lost += 1,
            Err(error) => return format!("refused: {error}"),
        }
    }
    if lost == 0 { "ok".to_owned() } else { format!("lost {lost} of {acknowledged}") }
}
