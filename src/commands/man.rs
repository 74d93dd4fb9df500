//! `dlq man`.

use clap::CommandFactory;

use crate::broker::{Error, Kind, Result};
use crate::cli::Cli;
use crate::exit::Exit;
use crate::ui::Ui;

/// Print the manual page.
///
/// To read it: dlq man | man -l -
#[derive(Debug, clap::Args)]
pub struct Args {}

/// The page of `dlq` and of each verb, one after the other in one roff file, as it is also committed under `completions/`.
///
/// # Errors
/// Writing to memory does not fail; the generator's signature says it may.
pub fn page() -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    let main = clap_mangen::Man::new(command.clone());
    main.render_title(&mut out)?;
    main.render_name_section(&mut out)?;
    main.render_synopsis_section(&mut out)?;
    main.render_description_section(&mut out)?;
    main.render_options_section(&mut out)?;
    for verb in command.get_subcommands() {
        let name = verb.get_name().to_owned();
        let man =
            clap_mangen::Man::new(verb.clone().display_name(format!("dlq {name}")).bin_name(format!("dlq {name}")));
        out.extend_from_slice(format!(".SH \"DLQ {}\"\n", name.to_uppercase()).as_bytes());
        man.render_description_section(&mut Section(&mut out))?;
        man.render_synopsis_section(&mut Section(&mut out))?;
        man.render_options_section(&mut Section(&mut out))?;
    }
    main.render_extra_section(&mut out)?;
    main.render_version_section(&mut out)?;
    Ok(out)
}

/// Turns the sections of a verb into subsections of one page.
struct Section<'a>(&'a mut Vec<u8>);

impl std::io::Write for Section<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(buf).replace(".SH ", ".SS ");
        self.0.extend_from_slice(text.as_bytes());
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Prints it.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(_: &Args, ui: &Ui) -> Result<Exit> {
    let page = page().map_err(|e| Error::new(Kind::Io, "the manual page could not be made").because(e))?;
    let mut data = ui.data();
    data.write(&page)?;
    data.finish()?;
    Ok(Exit::Done)
}
