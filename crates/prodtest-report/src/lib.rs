//! The reports, made from a run record without any input or output.
//!
//! Every report is a pure function of the record: the same record gives the same bytes, and the time of writing is in
//! none of them, so that a verdict that is judged again from its record leaves the same reports. The texts of a
//! record may come from strangers, so each renderer cleans them (see [`text`]) and escapes them in its own way; that
//! no secret is among them is seen to before.

mod code_quality;
mod escape;
mod format;
mod html;
mod junit;
mod list;
mod markdown;
mod meanwhile;
mod page;
mod plot;
mod problem;
mod run_json;
mod sarif;
mod terminal;
pub mod text;
mod words;

#[cfg(test)]
mod fixture;

pub use format::{Format, RenderError, Report, render_all};
pub use list::list;
pub use markdown::{COMMENT_BYTES, SUMMARY_BYTES, render as markdown};
pub use problem::{Problem, anchor, plain, problems};
pub use run_json::{ParseError, parse, read};
pub use terminal::terminal;
