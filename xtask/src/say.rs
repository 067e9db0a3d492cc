//! What the chores say of themselves: on stderr, so that stdout stays for data.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use crate::env;

/// A line.
pub fn line(text: impl fmt::Display) {
    // Nobody reading is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A line of data, on stdout.
pub fn data(text: impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The title of what comes next.
pub fn title(text: impl fmt::Display) {
    let coloured = io::stderr().is_terminal() && env::get("NO_COLOR").is_none();
    if coloured {
        line(format_args!("\n\x1b[1;36m== {text}\x1b[0m"));
    } else {
        line(format_args!("\n== {text}"));
    }
}

/// A duration as people read it: `0.4 s`, `52 s`, `3 min 20 s`.
#[must_use]
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..60.0 => format!("{seconds:.0} s"),
        _ => format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}
