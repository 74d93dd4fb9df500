//! The archives of a folder, told by their first line.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::address::{SIDES, canonical};
use super::blocks::{Blocks, Broken};
use super::{compact, error, source};
use crate::broker::address::Options;
use crate::broker::listing::{Cluster, Finds, Lister, Listing, Sign};
use crate::broker::{Address, Context, Error, Kind, Result};
use crate::message::archive::Parser;

/// Endings of what may be an archive.
const ENDINGS: [&str; 3] = [".ndjson", ".jsonl", ".zst"];

/// Finds archives.
pub(super) static LISTER: Lister =
    Lister { form: "file:DIR", understand, implied: &[], list: |address, ctx| Box::pin(list(address, ctx)) };

fn understand(base: &str, options: &Options) -> Result<Cluster> {
    if base == "-" {
        return Err(Error::new(Kind::Usage, "- is one archive, and no folder of archives")
            .hint("a folder is written file:DIR; dlq depth - measures what comes on standard input"));
    }
    let (shown, canonical) = super::address::understand(base, options)?;
    Ok(Cluster { typed: base.to_owned(), shown, canonical })
}

/// What a file turned out to be.
enum Kindred {
    /// An archive of messages from there; none where it is empty.
    Archive(Option<String>),
    /// Something else.
    Other,
}

async fn list(address: &Address, ctx: &Context) -> Result<Listing> {
    address.only_options(&[])?;
    let typed = address.typed.expose().to_owned();
    let folder = PathBuf::from(typed.strip_prefix("file:").unwrap_or(&typed));
    let looked_in = folder.clone();
    let (candidates, others) = error::blocking(move || candidates(&looked_in)).await?;
    let (mut finds, mut foreign) = (Finds::default(), others);
    let looked_at = candidates.len();
    for path in candidates {
        let look = path.clone();
        let kindred = error::blocking(move || kindred(&look)).await;
        let name = format!("file:{}", path.display());
        match kindred {
            Ok(Kindred::Other) => foreign += 1,
            Ok(Kindred::Archive(from)) => {
                let found = finds.at(&name);
                found.sources.extend(from);
                found.signs.insert(Sign::Archive);
                match measure(&name, ctx).await {
                    Ok(depth) => found.depth = Some(depth),
                    Err(e) => found.unknown = Some(e.to_string()),
                }
            }
            Err(e) => finds.at(&name).unknown = Some(e.to_string()),
        }
    }
    let of = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let looked_at = format!(
        "{} named *.ndjson, *.jsonl or *.zst in {}; {} there that {} no archive",
        of(looked_at, "file"),
        canonical(&folder).display(),
        of(foreign, "file"),
        if foreign == 1 { "is" } else { "are" },
    );
    Ok(Listing { found: finds.into_vec(), looked_at, ..Listing::default() })
}

async fn measure(address: &str, ctx: &Context) -> Result<crate::broker::Depth> {
    let source = source::open(&Address::parse(address, &[])?, ctx).await?;
    let mut depth = source.depth().await?;
    if depth.oldest.is_none() {
        // A damaged line leaves the age unknown; the count stands.
        depth.oldest = source.oldest().await.ok().and_then(|o| o.at);
    }
    Ok(depth)
}

/// The files that may be archives, and how many others there are.
fn candidates(folder: &Path) -> Result<(Vec<PathBuf>, usize)> {
    let about = fs::metadata(folder).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => absent(folder),
        _ => error::io("open", folder, e),
    })?;
    if !about.is_dir() {
        let text = format!("{} is a file, and archives are looked for in a folder", folder.display());
        return Err(Error::new(Kind::Usage, text).hint(format!("dlq depth file:{} measures it", folder.display())));
    }
    let (mut files, mut others) = (Vec::new(), 0);
    let entries = fs::read_dir(folder).map_err(|e| error::io("read", folder, e))?;
    for entry in entries {
        let path = entry.map_err(|e| error::io("read", folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if SIDES.iter().any(|side| name.ends_with(side)) || path.is_dir() {
            continue;
        }
        // A pipe would wait for whoever writes into it.
        if ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
            files.push(path);
        } else {
            others += 1;
        }
    }
    files.sort();
    Ok((files, others))
}

/// There is no such folder; names the nearest one there is.
fn absent(folder: &Path) -> Error {
    let e = Error::new(Kind::NotFound, format!("there is no folder {}", folder.display()));
    let parent = super::address::folder(folder);
    let Ok(entries) = parent.read_dir() else { return e };
    let folders = entries.flatten().filter(|e| e.path().is_dir());
    let names: Vec<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
    let typed = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match crate::broker::nearest(&typed, names.iter().map(String::as_str)) {
        Some(close) => e.hint(format!("did you mean file:{}?", folder.with_file_name(close).display())),
        None => e,
    }
}

fn kindred(path: &Path) -> Result<Kindred> {
    let file = File::open(path).map_err(|e| error::io("open", path, e))?;
    let mut blocks = Blocks::new(compact::decoded(file, path)?);
    loop {
        let block = match blocks.next() {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(Kindred::Archive(None)),
            Err(Broken::TooLong(_)) => return Ok(Kindred::Other),
            Err(Broken::Io(_, e)) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(error::io("read", path, e));
            }
            // Not compressed as its name says, or cut off before the first line ended.
            Err(Broken::Io(..)) => return Ok(Kindred::Other),
        };
        if let Some(line) = block.lines().find(|l| !l.is_blank()) {
            return Ok(match Parser::default().parse(line.text()) {
                Ok(line) => Kindred::Archive(Some(line.message.queue.to_string()).filter(|q| !q.is_empty())),
                Err(_) => Kindred::Other,
            });
        }
    }
}
