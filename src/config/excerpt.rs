//! A line of a file, with marks beneath what is meant. Secrets that stand in it are not shown.

use std::ops::Range;

/// Characters of a line that are shown, before and after the mark.
const AROUND: usize = 60;
/// What is shown of a secret.
const MASK: &str = "***";

/// Where in a text something is: line and column from 1, and the line with marks beneath it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) excerpt: String,
}

/// What must not be shown of a line, besides values of variables that [`looks_secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hide {
    /// Nothing.
    Nothing,
    /// What is there.
    Span(Range<usize>),
    /// The text is not TOML: what could be the rest of a value that began further up.
    Doubtful,
}

/// The place of `span`. A slip beside a passphrase does not print it.
pub(super) fn place(text: &str, span: &Range<usize>, hide: &Hide) -> Place {
    let start = floor(text, span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let number = text[..line_start].matches('\n').count() + 1;
    let here = |at: usize| at.saturating_sub(line_start);
    let hidden: Vec<Range<usize>> = match hide {
        Hide::Span(range) => Some(here(range.start)..here(range.end)),
        Hide::Doubtful => rest(&text[..line_start], line),
        Hide::Nothing => None,
    }
    .into_iter()
    .chain(value(line))
    .collect();

    let marked = start - line_start..floor(text, span.end).saturating_sub(line_start);
    let mut shown = Vec::new();
    let mut mark: Option<Range<usize>> = None;
    let mut inside = None;
    for (at, c) in line.char_indices() {
        let before = shown.len();
        match hidden.iter().position(|range| range.contains(&at)) {
            Some(which) if inside == Some(which) => {}
            Some(which) => {
                inside = Some(which);
                shown.extend(MASK.chars());
            }
            None if c == '\t' => shown.push(' '),
            None if c == '"' || c == '\'' || c == '\\' => shown.push(c),
            None => shown.extend(c.escape_debug()),
        }
        if marked.contains(&at) {
            let from = mark.map_or(before, |mark| mark.start);
            mark = Some(from..shown.len());
        }
    }
    // Beyond its end, where something is missing, or beneath a secret that has been shown already.
    let end = shown.len();
    let mark = mark.unwrap_or(end..end);
    let first = mark.start.saturating_sub(AROUND);
    let last = end.min(mark.start + AROUND);
    let dots = |there: bool| if there { "…" } else { "" };
    let window: String = shown[first..last].iter().collect();
    let margin = number.to_string();
    let blank = " ".repeat(margin.len());
    let indent = " ".repeat(mark.start - first + dots(first > 0).chars().count());
    let carets = "^".repeat(mark.end.min(last).saturating_sub(mark.start).max(1));
    let (before, after) = (dots(first > 0), dots(last < end));
    Place {
        line: number,
        column: text[line_start..start].chars().count() + 1,
        excerpt: format!(
            "{blank} |\n{margin} | {before}{window}{after}\n{blank} | {indent}{carets}"
        ),
    }
}

/// Whether a variable of that name holds what nobody is to see.
pub(super) fn looks_secret(name: &str) -> bool {
    const PARTS: &[&str] = &["PASS", "SECRET", "TOKEN", "CREDENTIAL", "CONNECTION_STRING"];
    let name = name.to_uppercase();
    PARTS.iter().any(|part| name.contains(part)) || name.ends_with("KEY") || name.ends_with("PW")
}

/// What follows the key of a secret in a line, unless it says where to find it. By the looks of it: the
/// line need not be TOML.
fn value(line: &str) -> Option<Range<usize>> {
    line.match_indices('=').find_map(|(at, _)| {
        let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let key = key.rsplit([' ', '\t', '{', ',', '"', '\'']).next()?;
        let value = line[at + 1..].trim_start();
        (looks_secret(key) && !value.starts_with('{')).then(|| line.len() - value.len()..line.len())
    })
}

/// What in a line may be the rest of a string or a list that began `before`.
fn rest(before: &str, line: &str) -> Option<Range<usize>> {
    let inside = |quotes| before.matches(quotes).count() % 2 == 1;
    if inside("\"\"\"") || inside("'''") {
        return Some(0..line.len());
    }
    let quote = line.find(['"', '\''])?;
    (!line[..quote].contains(['=', '['])).then_some(quote..line.len())
}

/// The start of the character that `at` is in, and no further than the end.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, what: &str) -> String {
        let at = text.find(what).unwrap();
        place(text, &(at..at + what.len()), &Hide::Nothing).excerpt
    }

    #[test]
    fn the_mark_is_beneath_what_is_meant() {
        assert_eq!(
            of("k = 2\ncodek = 'rs'\r\n", "codek"),
            "  |\n2 | codek = 'rs'\n  | ^^^^^"
        );
        assert_eq!(
            of("\tä = \"ö\" # ü", "# ü"),
            "  |\n1 |  ä = \"ö\" # ü\n  |          ^^^"
        );
        let end = place("a =", &(3..3), &Hide::Doubtful);
        assert_eq!((end.line, end.column), (1, 4));
        assert_eq!(end.excerpt, "  |\n1 | a =\n  |    ^");
        let beyond = place("a = 1\n", &(100..200), &Hide::Nothing);
        assert_eq!((beyond.line, beyond.column), (2, 1));
    }

    #[test]
    fn what_spans_lines_is_marked_on_its_first() {
        assert_eq!(of("a = [1,\n2]", "[1,\n2"), "  |\n1 | a = [1,\n  |     ^^^");
    }

    #[test]
    fn long_lines_are_cut_and_terminals_are_safe() {
        let line = format!("{}here{}", "x".repeat(500), "y".repeat(500));
        let shown = of(&line, "here");
        assert!(shown.lines().all(|line| line.chars().count() < 140));
        let mut lines = shown.lines().skip(1);
        let (text, mark) = (lines.next().unwrap(), lines.next().unwrap());
        let column = mark.find('^').unwrap();
        assert!(
            text.chars()
                .skip(column)
                .collect::<String>()
                .starts_with("here")
        );
        assert_eq!(
            of("a\x1b[31m = 1", "= 1"),
            "  |\n1 | a\\u{1b}[31m = 1\n  |             ^^^"
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        for text in [
            "PASSPHRASE = \"hunter2\"",
            "passphrase = 'hunter2",
            "[duplicity]\nenvironment.SIGN_PASSPHRASE=hunter2",
            "environment = { A = 'b', \"FTP_PASSWORD\" = \"hunter2\" }",
            "PASSPHRASE = \"\"\"\nhunter2\n\"\"\"",
            "PASSPHRASE = [\n  'hunter2'\n]",
        ] {
            for at in 0..text.len() {
                let shown = place(text, &(at..at + 1), &Hide::Doubtful).excerpt;
                assert!(!shown.contains("hunter"), "{text}\n{shown}");
            }
        }
        let shown = of("PASSPHRASE = { fil = 'pass.txt' }", "fil");
        assert!(shown.contains("pass.txt"), "{shown}");
        let text = "all = ['--gpg-options', '--passphrase hunter2'] # why";
        let span = 24..46;
        let shown = place(text, &span, &Hide::Span(span.clone())).excerpt;
        assert_eq!(
            shown,
            "  |\n1 | all = ['--gpg-options', ***] # why\n  |                         ^^^"
        );
    }
}
