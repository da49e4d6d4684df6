//! Looking at a directory without touching it, whoever else writes there.
//!
//! A view is opened as a crash is recovered from: the newest manifest, its stones, and the journal from its first segment
//! on. But nothing is locked, so what is read may be replaced and removed meanwhile. Removing begins with the manifest of
//! the generation: if it is still there at the end, so was all that it names.

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::inner::{Generations, Inner};
use crate::journal::{ReplayFrom, ReplayedFrame, Tail, claims};
use crate::manifest::{Manifest, manifest_path};
use crate::options::Options;
use crate::recover::{Opening, Replayed, Usable, said_durable};
use crate::verify::Report;

/// How many generations may be put in place and removed again while one is read.
const TRIES: u32 = 20;

/// Opens a directory to be read only.
pub(crate) fn open(env: Arc<dyn Env>, directory: &Path, options: Options) -> Result<Arc<Inner>> {
    let opening = || Opening { env: Arc::clone(&env), directory, options: options.clone(), sharing: None };
    let inner = with_newest(&*env, directory, |newest| look(opening(), newest))?;
    // Nothing is held; but what is open counts as such.
    *inner.lock.lock() = Some(Box::new(()));
    Ok(inner)
}

/// The newest generation that is whole.
pub(crate) struct Newest {
    pub(crate) manifest: Manifest,
    /// How far the journal was on the disk, as this manifest and newer ones say.
    durable: (u64, u64),
}

impl Newest {
    fn find(env: &dyn Env, directory: &Path, files: &Files) -> Result<Self> {
        let Usable { mut manifests, said, refused } = Usable::find(env, directory, files, 1)?;
        match (manifests.pop(), refused) {
            (Some(manifest), _) => Ok(Newest { durable: said_durable(&said, &manifest), manifest }),
            (None, Some(refused)) => Err(refused),
            (None, None) => {
                files.refuse_unnamed(directory)?;
                Err(no_database(directory, "it is not one"))
            }
        }
    }
}

/// What `read` makes of the newest generation. If that is replaced and removed meanwhile, it is done again with the next.
pub(crate) fn with_newest<T>(env: &dyn Env, directory: &Path, read: impl Fn(&Newest) -> Result<T>) -> Result<T> {
    let list = || env.list(directory).map(Files::of).map_err(|error| unreadable(directory, &error));
    let mut tries = 1;
    loop {
        let files = list()?;
        let done = Newest::find(env, directory, &files).and_then(|newest| {
            let done = read(&newest)?;
            if is_there(env, directory, newest.manifest.generation)? { Ok(done) } else { Err(replaced(directory)) }
        });
        let Err(error) = done else { return done };
        // Of a generation that a dead process left, the manifest goes last; so even if it is there, it is looked at twice.
        let may_pass =
            tries == 1 || error.code() == Code::Behind || list()?.generations.last() != files.generations.last();
        if tries == TRIES || !may_pass {
            return Err(error);
        }
        tries += 1;
    }
}

fn look(opening: Opening<'_>, newest: &Newest) -> Result<Arc<Inner>> {
    let (env, directory, manifest) = (&opening.env, opening.directory, &newest.manifest);
    let access = opening.access()?;
    let mut state = Replayed::new(env, directory, manifest, &access);
    for stone in state.stones.values().filter_map(Weak::upgrade) {
        // An open file stays, whoever removes it. Of a damaged one those are told who read it.
        stone.touch().or_else(|error| if error.code() == Code::Corrupt { Ok(()) } else { Err(error) })?;
    }
    let mut apply = |frame: &ReplayedFrame<'_>| {
        state.sequence += 1;
        state.apply(frame)
    };
    let end = newest.read_journal(env, directory, &mut apply)?.reached();
    let manifest = manifest.clone();
    let next_stone = manifest.next_stone;
    let generations =
        Generations { next_generation: manifest.generation + 1, current: manifest, superseded: Vec::new() };
    Ok(state.into_inner(opening, access, generations, next_stone, end))
}

impl Newest {
    /// Gives every frame of the journal to `visit`, as far as it goes at present.
    pub(crate) fn read_journal(
        &self,
        env: &Arc<dyn Env>,
        directory: &Path,
        visit: &mut dyn FnMut(&ReplayedFrame<'_>) -> Result<()>,
    ) -> Result<Tail> {
        let Manifest { database, first_segment: first, .. } = self.manifest;
        let mut tail = Tail::new(Arc::clone(env), directory.to_path_buf(), database, first);
        tail.read(usize::MAX, visit)?;
        let segments = Files::list(&**env, directory)?.segments;
        let from = ReplayFrom { database, first, durable: self.durable };
        let claims = claims(&**env, directory, &segments, from, tail.reached())?;
        // Also of what was appended since the first reading; but that is there now, unless it is damaged.
        tail.read(usize::MAX, visit)?;
        claims.refuse_damage(directory, tail.reached())?;
        Ok(tail)
    }
}

impl Inner {
    /// Takes back what was reported of files that a writer has replaced and removed.
    pub(crate) fn forget_replaced(&self, report: &mut Report) -> Result<()> {
        if !is_there(&*self.env, &self.directory, self.generation())? {
            report.damage.retain(|damage| self.env.file_len(&damage.path).is_ok());
        }
        Ok(())
    }
}

fn is_there(env: &dyn Env, directory: &Path, generation: u64) -> Result<bool> {
    let path = manifest_path(directory, generation);
    match env.file_len(&path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(&path, "look at the manifest", &error)),
    }
}

fn replaced(directory: &Path) -> Error {
    let what = "the files of the database were replaced again and again while they were read; try again";
    Error::new(Code::Behind, what).about(directory)
}

fn unreadable(directory: &Path, error: &io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_string(),
        io::ErrorKind::NotADirectory => "it is a file".to_string(),
        _ => error.to_string(),
    };
    no_database(directory, &what)
}

fn no_database(directory: &Path, why: &str) -> Error {
    let what =
        format!("there is no database to read ({why}); name the directory of one, or open it to write to make one");
    Error::new(Code::Directory, what).about(directory)
}
