//! A simulated machine for CairnDB's tests: a disk that loses, tears and lies, a clock that only the test moves, and
//! background jobs that only the test runs. No threads, no sleeps, no randomness but a seed's: a run that failed once
//! fails again.
//!
//! # The disk
//!
//! It is kept twice: as the operating system sees it, and as it would be found after a power loss. Between the two is
//! a list of *pending changes*: the bytes of a write, a file's length, a new name, a removed name. Each is made durable
//! by one thing only, as POSIX has it at its strictest: bytes and length by a sync of the file, names by a sync of the
//! directory. [`SimEnv::reboot`] crashes the machine and starts another on what is left, as a [`CrashPlan`] says;
//! [`SimEnv::crashed`] shows the same without the crash; [`SimEnv::plans`] enumerates the plans that make a difference.
//!
//! A crash of the process alone loses nothing that the operating system had, and makes nothing durable either: what
//! was pending still is, and a power loss after it can take it.
//!
//! # Crashing everywhere
//!
//! Run a workload once to count its changes, then once for each number with [`SimEnv::crash_at`]:
//!
//! ```
//! use cairndb::env::{Env, Mode};
//! use cairndb_sim::SimEnv;
//! use std::{io, path::Path};
//!
//! /// Replaces a file as a whole, or not at all.
//! fn replace(env: &dyn Env, bytes: &[u8]) -> io::Result<()> {
//!     let file = env.open(Path::new("db/new"), Mode::Create)?;
//!     file.write_all_at(bytes, 0)?;
//!     file.sync()?;
//!     env.rename(Path::new("db/new"), Path::new("db/state"))?;
//!     env.sync_dir(Path::new("db"))
//! }
//!
//! fn machine() -> SimEnv {
//!     let env = SimEnv::new(1);
//!     env.create_dir(Path::new("db")).unwrap();
//!     env.put_file("db/state", b"old").unwrap();
//!     env
//! }
//!
//! let env = machine();
//! replace(&env, b"young").unwrap();
//! let mut states = 0;
//! for changes in 0..=env.changes() {
//!     let env = machine();
//!     env.crash_at(changes);
//!     let acknowledged = replace(&env, b"young").is_ok();
//!     for plan in env.plans(16) {
//!         let found = &env.crashed(plan).files()[Path::new("db/state")];
//!         let right = if acknowledged { found == b"young" } else { found == b"young" || found == b"old" };
//!         assert!(right, "{plan:?} left {found:?}\n{}", env.history());
//!         states += 1;
//!     }
//! }
//! assert!(states > 50);
//! ```
//!
//! # What goes wrong besides
//!
//! [`SimEnv::inject`]: the nth operation fails, is cut short, reads a wrong bit, or loses the pages that it should
//! have synced. [`SimEnv::set_quota`]: the disk is full. [`SimEnv::set_lie`]: it acknowledges what it has not done.
//! [`SimEnv::put_file`]: bytes rot. [`SimEnv::other_process`] and [`SimEnv::kill`]: somebody else has the lock, or
//! had it. [`obfuscated()`] proves that nothing goes around the seam.
//!
//! # What is right
//!
//! [`workload::Workload`] makes up a history from a seed, [`model::Model`] says what each step must answer, and
//! [`model::Timeline`] which states a crash may leave. [`driver::Driver`] does the history to a database and compares.

mod content;
mod crash;
mod disk;
pub mod driver;
mod env;
pub mod explore;
mod faults;
mod file;
pub mod histories;
mod history;
mod jobs;
pub mod layers;
pub mod listing;
mod locks;
pub mod members;
pub mod model;
mod moment;
mod obfuscated;
mod opening;
pub mod reads;
pub mod recovery;
mod rng;
pub mod seeds;
pub mod shrink;
pub mod suffering;
pub mod workload;
mod world;

pub use crash::{CrashPlan, Gaps, Kept, Tears};
pub use env::SimEnv;
pub use faults::{Failure, Fault, Op};
pub use history::{Event, History};
pub use moment::Moment;
pub use obfuscated::obfuscated;
pub use opening::{Interruption, interrupted};
pub use rng::Rng;
