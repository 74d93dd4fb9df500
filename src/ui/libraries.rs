//! What libraries log goes where details go: shown with `-v`, and nowhere else.

use super::Ui;

struct Log(Ui);

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.detail(&format!("{}: {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// Shows them from now on. Kafka's client alone has something to say.
pub fn show(ui: &Ui) {
    // Where there is one already, a second run in this process, it stays.
    if log::set_boxed_logger(Box::new(Log(ui.clone()))).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}
