//! Sizes and times as people write and read them.

use std::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// `64MiB`, `500k`, `1.5G`: bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        "expected a number of bytes with k, M, G (thousands) or KiB, MiB, GiB (1024s)".to_owned()
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, unit) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    if let Ok(number) = number.parse::<u64>() {
        return number
            .checked_mul(*unit)
            .ok_or_else(|| "more bytes than can be counted".to_owned());
    }
    let (whole, fraction) = number.split_once('.').ok_or_else(wrong)?;
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let scale = 10u64.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let whole = whole
        .parse::<u64>()
        .map_err(|_| wrong())?
        .checked_mul(*unit);
    let fraction = fraction
        .parse::<u64>()
        .unwrap_or(0)
        .checked_mul(*unit)
        .map(|f| f / scale);
    whole
        .zip(fraction)
        .and_then(|(whole, fraction)| whole.checked_add(fraction))
        .ok_or_else(|| "more bytes than can be counted".to_owned())
}

/// `60`, `0.5`: seconds, more than none.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

/// `512 MB`, `1.5 GB`, `17 bytes`: three figures at most.
#[allow(clippy::cast_precision_loss)] // Three figures are shown.
pub fn show_size(bytes: u64) -> String {
    const STEPS: &[(&str, f64)] = &[("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let value = bytes as f64;
    match STEPS.iter().find(|(_, step)| value >= step * 0.9995) {
        Some((unit, step)) if value / step < 9.95 => format!("{:.1} {unit}", value / step),
        Some((unit, step)) => format!("{:.0} {unit}", value / step),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

/// `2.1 s`, `12:07`, `1:02:03`.
pub fn show_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:.1} s", time.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("64mib", 64 << 20),
            ("500k", 500_000),
            ("500kB", 500_000),
            ("2M", 2_000_000),
            ("1.5G", 1_500_000_000),
            ("0.5KiB", 512),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "k",
            "-1",
            "1.k.2",
            "5 X",
            "1e6",
            "99999999999999999999",
            "99999999T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_times_are_shown_in_few_figures() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (9949, "9.9 kB"),
            (536_870_912, "537 MB"),
            (999_999, "1.0 MB"),
            (1_500_000_000, "1.5 GB"),
        ] {
            assert_eq!(show_size(bytes), text);
        }
        for (millis, text) in [(2100, "2.1 s"), (727_000, "12:07"), (3_723_000, "1:02:03")] {
            assert_eq!(show_time(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn no_time_is_no_time_out() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "x", "inf", "NaN", ""] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
