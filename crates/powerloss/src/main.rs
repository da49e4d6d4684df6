//! A file system whose power can be cut, for CairnDB's tests: `cairndb-powerloss <directory>` mounts it there, empty.
//!
//! It reads commands from its standard input, and prints `mounted` when programs may use it (again):
//! - `cut`: the power goes, and comes back. Only what was synced is there.
//! - `cut <seed>`: the same, but of the rest each page, length and name is there or not, as the seed has it.
//!
//! When its input ends it unmounts and ends.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "FUSE is used on Linux only"))]

mod disk;
#[cfg(target_os = "linux")]
mod mounted;

use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os().nth(1).ok_or("name a directory".into()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run(_: std::ffi::OsString) -> Result<(), Box<dyn Error>> {
    Err("this needs Linux".into())
}

#[cfg(target_os = "linux")]
fn run(directory: std::ffi::OsString) -> Result<(), Box<dyn Error>> {
    use std::sync::{Arc, Mutex, PoisonError};

    let disk = Arc::new(Mutex::new(disk::Disk::default()));
    let mut commands = std::io::stdin().lines();
    loop {
        // Mounted anew after each cut: the kernel remembers nothing of what it had cached.
        let mounted = fuser::spawn_mount(mounted::Mounted(Arc::clone(&disk)), &directory, &fuser::Config::default())?;
        println!("mounted");
        let command = commands.next().transpose()?;
        unmount(&directory)?;
        mounted.join()?;
        let Some(command) = command else { return Ok(()) };
        let mut disk = disk.lock().unwrap_or_else(PoisonError::into_inner);
        match command.split_once(' ') {
            Some(("cut", seed)) => disk.cut(coin(seed.parse()?)),
            None if command == "cut" => disk.cut(|| false),
            _ => return Err(format!("no such command: {command}").into()),
        }
    }
}

/// The kernel closes the files of a process that was killed a moment after it is gone.
#[cfg(target_os = "linux")]
fn unmount(directory: &std::ffi::OsStr) -> Result<(), Box<dyn Error>> {
    for _ in 0..500 {
        if std::process::Command::new("umount").arg("-c").arg(directory).output()?.status.success() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err("something still uses the directory".into())
}

/// Falls on either side, as the seed has it.
fn coin(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) >> 63 == 1
    }
}
