use super::*;

fn series(values: Vec<f64>, limit: Option<f64>) -> Series {
    Series::new("duration", Unit::Milliseconds, values).limited(limit)
}

#[test]
fn ticks_are_round_numbers_that_cover_values_and_limit() {
    let plot = Plot::of("smoke/burst", &series(vec![80.0, 212.5], Some(500.0))).unwrap();
    let labels: Vec<&str> = plot.ticks.iter().map(|tick| tick.label.as_str()).collect();
    assert_eq!(labels, ["0 ms", "200 ms", "400 ms", "600 ms"]);
    assert_eq!(plot.summary, "2 values, lowest 80 ms, median 212 ms, highest 212 ms; limit 500 ms, 0 above it");
}

#[test]
fn what_is_above_the_limit_is_marked() {
    let plot = Plot::of("smoke/burst", &series(vec![1.0, 3.0], Some(2.0))).unwrap();
    assert_eq!(plot.bars.iter().map(|bar| bar.over).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn many_values_keep_their_peak() {
    let mut values = vec![10.0; 10_000];
    values[6_543] = 900.0;
    let plot = Plot::of("perf/latency", &series(values, None)).unwrap();
    assert!(plot.bars.is_empty());
    assert!(plot.line.split(' ').count() <= 2 * MAX_COLUMNS);
    let highest = plot.line.split([' ', ',']).skip(1).step_by(2).map(|y| y.parse().unwrap()).fold(1e9, f64::min);
    assert!(highest < HEIGHT / 3.0, "{highest}");
}

#[test]
fn what_cannot_be_drawn_is_not() {
    assert!(Plot::of("a/b", &series(vec![], Some(1.0))).is_none());
    assert!(Plot::of("a/b", &series(vec![f64::NAN, f64::INFINITY], None)).is_none());
    for values in [vec![0.0], vec![-5.0, -1.0], vec![1e-300], vec![1e300, 2.0]] {
        let plot = Plot::of("a/b", &series(values.clone(), None)).unwrap();
        assert!(plot.ticks.len() < 12, "{values:?}: {}", plot.ticks.len());
        assert!(plot.bars.iter().all(|bar| bar.height.is_finite() && bar.height >= 0.0), "{values:?}");
    }
}

fn timed(values: Vec<f64>, times: Vec<f64>, limit: Option<f64>) -> Series {
    series(values, limit).over_time(times, vec![prodtest_gate::Mark { at_ms: 11_400.0, label: "change".into() }])
}

#[test]
fn what_is_counted_has_whole_ticks() {
    let plot = Plot::of("a/b", &Series::new("failed", Unit::Count, vec![0.0, 2.0]).limited(Some(0.0))).unwrap();
    assert_eq!(plot.ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn values_stand_at_their_times() {
    let seconds = (0..20).map(|i| 500.0 + f64::from(i) * 1000.0).filter(|at| *at != 5500.0).collect::<Vec<_>>();
    let values = (0..19).map(|i| if (12..14).contains(&i) { 3.0 } else { 0.0 }).collect();
    let plot = Plot::of("deploy/served-throughout", &timed(values, seconds, Some(0.0))).unwrap();
    assert_eq!(
        plot.summary,
        "19 values, lowest 0 ms, median 0 ms, highest 3.0 ms; limit 0 ms, 2 above it, from 13.5 s to 14.5 s"
    );
    let gap = plot.bars[5].x - plot.bars[4].x;
    let slot = plot.bars[1].x - plot.bars[0].x;
    assert!((gap - 2.0 * slot).abs() < 0.3, "a second without a value has its room: {gap} {slot}");
    assert_eq!(plot.words.iter().map(|word| word.label.as_str()).collect::<Vec<_>>(), ["5 s", "10 s", "15 s", "20 s"]);
    assert!(plot.flags[0].x > plot.bars[9].x && plot.flags[0].x < plot.bars[11].x, "{:?}", plot.flags);
    assert!(plot.bars.iter().all(|bar| bar.x >= LEFT && bar.x + bar.width <= WIDTH - RIGHT));
}

#[test]
fn of_many_values_those_above_the_limit_are_still_marked() {
    let times = (0..3600).map(|i| f64::from(i) * 1000.0).collect();
    let values = (0..3600).map(|i| if i == 1800 { 1.0 } else { 0.0 }).collect();
    let plot = Plot::of("deploy/served-throughout", &timed(values, times, Some(0.0))).unwrap();
    let [bar] = &plot.bars[..] else { panic!("{} bars", plot.bars.len()) };
    assert!(bar.over && bar.width >= THINNEST && bar.value == "1800 s: 1.0 ms", "{bar:?}");
    assert!((bar.x - plot.words.iter().find(|word| word.label == "2000 s").unwrap().x).abs() < 60.0);
}

#[test]
fn times_that_fit_no_axis_leave_a_row() {
    for times in [vec![1.0], vec![f64::NAN, 1.0], vec![1e300, 1e300], vec![-1.7e308, 1.7e308]] {
        let plot = Plot::of("a/b", &timed(vec![1.0, 2.0], times.clone(), None)).unwrap();
        assert_eq!((plot.words.len(), plot.flags.len(), plot.more_flags), (2, 0, 1), "{times:?}");
    }
}
