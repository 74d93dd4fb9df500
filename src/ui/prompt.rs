//! The one question: may it be done?

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::stream::Input;
use super::{Ui, colour::Style, indented, lock};
use crate::broker::{Error, Kind, Result};

impl Ui {
    /// Somebody is there who could answer a question, and no answer was given beforehand.
    pub fn asks(&self) -> bool {
        !self.0.options.yes && self.0.terminal.stderr_tty && self.0.terminal.stdin_tty
    }

    /// Somebody sits at a terminal.
    pub fn has_terminal(&self) -> bool {
        self.0.terminal.stderr_tty && self.0.terminal.stdin_tty
    }

    /// Asks; only `y` or `yes` is yes. `--yes` has answered already. A stop while waiting is a no.
    ///
    /// # Errors
    /// `Guard` where there is no terminal to ask on.
    pub async fn ask(&self, question: &str, stop: &CancellationToken) -> Result<bool> {
        if self.0.options.yes {
            self.event("answer", serde_json::json!({ "question": question, "yes": true, "by": "--yes" }));
            return Ok(true);
        }
        let hint = "to answer yes beforehand, add --yes; to see the plan alone, add --dry-run";
        let is_yes = |answer: &str| matches!(answer.to_lowercase().as_str(), "y" | "yes");
        self.answered(question, "[y/N]", hint, is_yes, stop).await
    }

    /// Asks for a name; nothing else is yes.
    ///
    /// # Errors
    /// As [`Ui::ask`].
    pub async fn ask_for(&self, question: &str, name: &str, stop: &CancellationToken) -> Result<bool> {
        let hint = format!("to answer beforehand, add --confirm {name}; to see the plan alone, add --dry-run");
        let wanted = format!("It is protected: type its name, {name}, to go on:");
        self.answered(question, &wanted, &hint, |answer| answer == name, stop).await
    }

    async fn answered(
        &self,
        question: &str,
        wanted: &str,
        hint: &str,
        is_yes: impl Fn(&str) -> bool,
        stop: &CancellationToken,
    ) -> Result<bool> {
        let no_terminal =
            || Error::new(Kind::Guard, format!("no terminal to ask on: {question}")).hint(hint.to_owned());
        if !self.0.terminal.stderr_tty {
            return Err(no_terminal());
        }
        let Some(mut input) = self.take_input() else { return Err(no_terminal()) };
        let head = Style::Head.paint(&indented(question), self.0.terminal.colour_err);
        self.above_bar(|| {
            let mut err = lock(&self.0.err);
            _ = write!(err, "{head} {wanted} ").and_then(|()| err.flush());
        });
        // A thread of its own, which nobody waits for: a read from a terminal cannot be called off.
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            let mut answer = String::new();
            // An end of input, or a terminal that went away, is no answer, and that is a no.
            let read = input.read_line(&mut answer);
            _ = tell.send((read.is_ok_and(|n| n > 0).then_some(answer), input));
        });
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            told = told => told.ok().and_then(|(answer, input)| {
                *lock(&self.0.input) = Input::Given(input);
                answer
            }),
        };
        if answer.is_none() {
            self.lines("");
        }
        let yes = answer.is_some_and(|a| is_yes(a.trim()));
        self.event("answer", serde_json::json!({ "question": question, "yes": yes, "by": "terminal" }));
        Ok(yes)
    }

    fn take_input(&self) -> Option<Box<dyn BufRead + Send>> {
        match std::mem::replace(&mut *lock(&self.0.input), Input::Terminal) {
            Input::Given(input) => Some(input),
            Input::Terminal if self.0.terminal.stdin_tty => Some(Box::new(BufReader::new(std::io::stdin()))),
            // Standard input may be the data.
            Input::Terminal => {
                let tty = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
                Some(Box::new(BufReader::new(File::open(tty).ok()?)))
            }
        }
    }
}
