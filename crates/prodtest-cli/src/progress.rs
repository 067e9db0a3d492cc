//! How far a run is: a live row on a terminal, plain lines elsewhere.

use std::{collections::HashMap, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize, Style};
use prodtest_gate::{CheckId, Outcome, Progress, Quantity};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use crate::output::Output;

/// How often the live row moves.
const TICK: Duration = Duration::from_millis(120);

/// Shows progress until the run is over.
pub(crate) async fn show(mut progress: UnboundedReceiver<Progress>, output: &Output, total: usize) {
    let bar = ProgressBar::with_draw_target(
        Some(total as u64),
        if output.live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    let mut began: HashMap<CheckId, Instant> = HashMap::new();
    while let Some(event) = progress.recv().await {
        match event {
            Progress::Started(id) => {
                bar.set_message(id.to_string());
                began.insert(id, Instant::now());
            }
            Progress::Note(id, note) => {
                if !output.live && output.verbose {
                    output.progress(&format!("  {id}: {note}"));
                }
                bar.set_message(format!("{id}: {}", output.clean(&note)));
            }
            Progress::Finished(id, outcome) => {
                let took = began.remove(&id).map_or(0.0, |began| began.elapsed().as_secs_f64() * 1000.0);
                let line = format!("  {} {id} ({})", mark(outcome, output.color), Quantity::milliseconds(took));
                if output.live {
                    bar.println(line);
                } else {
                    output.progress(&line);
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
}

fn mark(outcome: Outcome, color: bool) -> String {
    let style = match outcome {
        Outcome::Passed => Style::new().green(),
        Outcome::Failed => Style::new().red().bold(),
        Outcome::Undetermined => Style::new().yellow(),
        Outcome::Skipped => Style::new().dimmed(),
    };
    let word = format!("{outcome:<12}");
    if color { word.style(style).to_string() } else { word }
}
