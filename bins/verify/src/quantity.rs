//! Kubernetes' quantities as numbers: `500m`, `128Mi`, `1e3`.

/// What each suffix multiplies by.
const SUFFIXES: [(&str, f64); 14] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number that a quantity is; none, where it is none.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // `1E` is an exa, and `1E3` a thousand: what is a number as it stands is one.
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
    number.is_finite().then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_writes_is_read() {
        for (text, is) in [
            ("500m", 0.5),
            ("2", 2.0),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("128Mi", 134_217_728.0),
            ("1G", 1e9),
            ("3141592n", 0.003_141_592),
            ("-5", -5.0),
        ] {
            let seen = number(text).unwrap();
            assert!((seen - is).abs() <= is.abs() * 1e-9, "{text}: {seen}");
        }
        for text in ["", "Mi", "1Zi", "nan", "inf", "a"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
