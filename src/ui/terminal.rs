//! What the output goes to, found out once and then plain data.

use std::io::IsTerminal;

use crate::output::Look;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb says otherwise.
    #[default]
    Auto,
    /// Also in a pipe.
    Always,
    /// Not at all.
    Never,
}

/// Width of tables that do not go to a terminal: the same everywhere.
pub const PIPE_WIDTH: u16 = 120;

/// What is at the three standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input is a terminal: somebody can answer.
    pub stdin_tty: bool,
    /// Standard output is a terminal: data is for people.
    pub stdout_tty: bool,
    /// Standard error is a terminal: talk is for people.
    pub stderr_tty: bool,
    /// Columns; [`PIPE_WIDTH`] where standard output is no terminal. Never 0.
    pub width: u16,
    /// Colours on standard output.
    pub colour: bool,
    /// Colours on standard error.
    pub colour_err: bool,
    /// The locale is UTF-8.
    pub utf8: bool,
    /// The terminal cannot move its cursor.
    pub dumb: bool,
}

impl Terminal {
    /// Looks at this process.
    pub fn detect(colour: Colour) -> Terminal {
        let tty = (std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let size = terminal_size::terminal_size().map(|(w, _)| w.0);
        Terminal::from_parts(tty, size, colour, &|name| std::env::var(name).ok())
    }

    /// The decision itself: terminals (in, out, err), columns, `--color`, and the environment.
    pub fn from_parts(
        (stdin_tty, stdout_tty, stderr_tty): (bool, bool, bool),
        columns: Option<u16>,
        colour: Colour,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Terminal {
        let set = |name: &str| env(name).filter(|v| !v.is_empty());
        let dumb = set("TERM").is_some_and(|t| t == "dumb");
        let coloured = |tty: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR").is_some() => false,
            Colour::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Colour::Auto => tty && !dumb,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        let width = match columns {
            Some(w) if stdout_tty && w > 0 => w,
            _ if stdout_tty => set("COLUMNS").and_then(|c| c.parse().ok()).filter(|w| *w > 0).unwrap_or(80),
            _ => PIPE_WIDTH,
        };
        Terminal {
            stdin_tty,
            stdout_tty,
            stderr_tty,
            width,
            colour: coloured(stdout_tty),
            colour_err: coloured(stderr_tty),
            utf8: cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8"),
            dumb,
        }
    }

    /// What formats need to know of standard output.
    pub fn look(&self) -> Look {
        Look { tty: self.stdout_tty, colour: self.colour, utf8: self.utf8, width: self.width }
    }

    /// What texts on standard error need to know.
    pub fn look_err(&self) -> Look {
        Look { tty: self.stderr_tty, colour: self.colour_err, ..self.look() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(tty: bool, colour: Colour, vars: &[(&str, &str)]) -> Terminal {
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Terminal::from_parts((tty, tty, tty), Some(100), colour, &env)
    }

    #[test]
    fn colour_follows_flag_then_environment_then_terminal() {
        assert!(with(true, Colour::Auto, &[]).colour);
        assert!(!with(false, Colour::Auto, &[]).colour);
        assert!(!with(true, Colour::Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]).colour);
        assert!(with(true, Colour::Auto, &[("NO_COLOR", "")]).colour);
        assert!(with(false, Colour::Auto, &[("CLICOLOR_FORCE", "1")]).colour);
        assert!(!with(false, Colour::Auto, &[("CLICOLOR_FORCE", "0")]).colour);
        assert!(!with(true, Colour::Auto, &[("TERM", "dumb")]).colour_err);
        assert!(with(false, Colour::Always, &[("NO_COLOR", "1")]).colour);
        assert!(!with(true, Colour::Never, &[("CLICOLOR_FORCE", "1")]).colour);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(with(true, Colour::Auto, &[("LANG", "en_GB.UTF-8")]).utf8);
        assert!(with(true, Colour::Auto, &[("LC_CTYPE", "C.utf8"), ("LANG", "C")]).utf8);
        if !cfg!(windows) {
            assert!(!with(true, Colour::Auto, &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).utf8);
            assert!(!with(true, Colour::Auto, &[]).utf8);
        }
    }

    #[test]
    fn width_is_stable_in_a_pipe_and_never_zero() {
        assert_eq!(with(true, Colour::Auto, &[]).width, 100);
        assert_eq!(with(false, Colour::Auto, &[("COLUMNS", "33")]).width, PIPE_WIDTH);
        let env = |_: &str| None;
        assert_eq!(Terminal::from_parts((true, true, true), Some(0), Colour::Auto, &env).width, 80);
        assert_eq!(Terminal::from_parts((true, true, true), None, Colour::Auto, &env).width, 80);
    }
}
