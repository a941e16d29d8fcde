//! The page that `distdup compare --html` writes, as a browser shows it.
//!
//! Chromium shows it without a screen. What is asked of the page is asked by a script that the test
//! adds to a copy; the page itself has none.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod desk;

use std::process::{Command, Output};

use desk::Desk;
use serde_json::Value;

/// Goes through the page, and leaves what it found in it.
const PROBE: &str = r#"
<script>
addEventListener('load', () => {
  const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const meets = (a, b) => Math.min(a[2], b[2]) - Math.max(a[0], b[0]) > 1
    && Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 2.5;
  const shown = [...document.querySelectorAll('svg.chart')].filter(e => e.clientWidth > 0);
  const overlaps = [], clipped = [];
  for (const chart of shown) {
    const frame = box(chart);
    const texts = [...chart.querySelectorAll('text')].map(e => [e.textContent, box(e)]);
    texts.forEach(([text, at], i) => {
      if (at[0] < frame[0] - 1 || at[1] < frame[1] - 1 || at[2] > frame[2] + 1 || at[3] > frame[3] + 1)
        clipped.push(text);
      for (const [other, there] of texts.slice(i + 1)) if (meets(at, there)) overlaps.push([text, other]);
    });
  }
  for (const cell of document.querySelectorAll('td, th, dd, p, h1'))
    if (cell.scrollWidth > cell.clientWidth + 1) clipped.push(cell.textContent);
  const marks = [...shown[0].querySelectorAll('[data-field="/readable/unavailability"]')].map(e => {
    const [left, top, right, bottom] = box(e);
    return { row: +e.dataset.row, x: (left + right) / 2, y: (top + bottom) / 2, shape: e.innerHTML.split(' ')[0]
      + ' ' + e.firstChild.className.baseVal };
  });
  const bars = [...shown[1].querySelectorAll('[data-field]')].map(e =>
    ({ value: +e.dataset.value, width: e.querySelector('rect').getBoundingClientRect().width }));
  const style = getComputedStyle(document.body);
  const found = {
    width: innerWidth, page: document.documentElement.scrollWidth, charts: shown.length,
    fetched: performance.getEntriesByType('resource').map(e => e.name),
    overlaps, clipped, marks, bars, ink: style.color, paper: style.backgroundColor,
    described: shown.every(e => e.getAttribute('role') === 'img'
      && document.getElementById(e.getAttribute('aria-labelledby')).textContent
      && document.getElementById(e.getAttribute('aria-describedby')).textContent),
    figures: [...document.querySelectorAll('[data-field]')].map(e =>
      ({ row: +e.dataset.row, field: e.dataset.field, value: +e.dataset.value, text: e.textContent, tag: e.tagName })),
  };
  const script = document.createElement('script');
  script.type = 'application/json';
  script.id = 'probe' + innerWidth;
  script.textContent = JSON.stringify(found).replaceAll('<', '\\u003c');
  parent.document.body.append(parent.document.importNode(script, true));
});
</script>"#;

fn chromium(desk: &Desk, page: &str, options: &[&str]) -> Output {
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
        ])
        .args(["--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", desk.at("profile").display()))
        .args(options)
        .arg(format!("file://{}", desk.at(page).display()))
        .env("HOME", desk.at("home"))
        .output()
        .expect("chromium is not installed: run scripts/test.sh --setup");
    assert!(output.status.success(), "{output:?}");
    output
}

/// What stands in the page's script with that id.
fn script(page: &str, id: &str) -> Value {
    let start = format!("<script type=\"application/json\" id=\"{id}\">");
    let rest = page
        .split(&start)
        .nth(1)
        .unwrap_or_else(|| panic!("no {id} in:\n{page}"));
    serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap()
}

/// The page of `options`, and what the program said at the same time.
fn report(desk: &Desk, options: &str) -> (String, Value) {
    let line = format!("distdup compare {options} --runs 2 --size 300k --json --html report.html");
    let json = desk.exits(0, &line).json();
    (String::from_utf8(desk.read("report.html")).unwrap(), json)
}

/// What the probe finds in it, in frames of these widths: windows are never as narrow as a phone.
fn probe(desk: &Desk, page: &str, widths: &[u32], options: &[&str]) -> Vec<Value> {
    let (head, rest) = page.split_once("style-src 'unsafe-inline'").unwrap();
    let page = format!("{head}script-src 'unsafe-inline'; style-src 'unsafe-inline'{rest}{PROBE}");
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = |width: &u32| {
        let style = format!("border: 0; width: {width}px; height: 4000px");
        format!("<iframe style='{style}' srcdoc=\"{page}\"></iframe>")
    };
    let head = "<!DOCTYPE html><meta charset=utf-8><meta name=color-scheme content='light dark'>";
    let frames: String = widths.iter().map(frame).collect();
    let frames = format!("{head}{frames}");
    desk.write("probe.html", frames.as_bytes());
    let output = chromium(desk, "probe.html", options);
    let page = std::str::from_utf8(&output.stdout).unwrap();
    widths
        .iter()
        .map(|width| script(page, &format!("probe{width}")))
        .collect()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn the_page_shows_the_figures_of_the_json() {
    let desk = Desk::new();
    let (page, json) = report(&desk, "--hosts 10 --host-speed 1MB");
    assert_eq!(script(&page, "figures"), json);
    let found = &probe(&desk, &page, &[1280], &[])[0];

    let rows = array(&json["rows"]);
    let mut shown = vec![0; rows.len()];
    for figure in array(&found["figures"]) {
        let row = usize::try_from(figure["row"].as_u64().unwrap()).unwrap();
        let field = figure["field"].as_str().unwrap();
        let expected = rows[row].pointer(field).and_then(Value::as_f64);
        assert_eq!(figure["value"].as_f64(), expected, "{figure}");
        shown[row] += 1;
    }
    // 10 in the table, 4 and 6 in two drawings each, and the losses.
    assert!(shown.iter().all(|count| *count > 20), "{shown:?}");

    // Texts, one for one: what a reader sees.
    let row = rows
        .iter()
        .position(|row| row["name"] == "rs16" && row["k"] == 6)
        .unwrap();
    let text = |field: &str| {
        let figures = array(&found["figures"]).iter();
        let mut cells =
            figures.filter(|one| one["tag"] == "TD" && one["row"] == row && one["field"] == field);
        cells.next().unwrap()["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(text("/readable/unavailability"), "7.23e-7");
    assert_eq!(text("/readable/minutes_a_year"), "23 s");
    assert_eq!(
        (text("/storage"), text("/always"), text("/losses/4/share")),
        ("1.67".into(), "4".into(), "all".into())
    );
    let median = rows[row]["encode"]["median"].as_f64().unwrap();
    assert!(text("/encode/median").starts_with(&format!("{:.0}", median / 1e6)));
    for sentence in array(&json["advice"]) {
        let escaped = sentence["text"].as_str().unwrap().replace('"', "&quot;");
        assert!(page.contains(&escaped), "{escaped}");
    }

    // More unreadable is higher, more space is further to the right, and speed is length.
    let marks = array(&found["marks"]);
    assert_eq!(marks.len(), rows.len());
    let at = |mark: &Value, axis: &str| mark[axis].as_f64().unwrap();
    let of = |mark: &Value, at: &str| {
        let row = usize::try_from(mark["row"].as_u64().unwrap()).unwrap();
        rows[row].pointer(at).unwrap().as_f64().unwrap()
    };
    for (a, b) in marks.iter().flat_map(|a| marks.iter().map(move |b| (a, b))) {
        if of(a, "/readable/unavailability") > 1.01 * of(b, "/readable/unavailability") {
            assert!(at(a, "y") < at(b, "y"), "{a} {b}");
        }
        if of(a, "/storage") > 1.01 * of(b, "/storage") {
            assert!(at(a, "x") > at(b, "x"), "{a} {b}");
        }
        let (same, alike) = (a["shape"] == b["shape"], {
            let name = |mark: &Value| {
                rows[usize::try_from(mark["row"].as_u64().unwrap()).unwrap()]["name"].clone()
            };
            name(a) == name(b)
        });
        assert_eq!(same, alike, "a shape for each code, {a} {b}");
    }
    let bars = array(&found["bars"]);
    let scale = |bar: &Value| at(bar, "width") / at(bar, "value");
    let longest = bars
        .iter()
        .max_by(|a, b| at(a, "width").total_cmp(&at(b, "width")))
        .unwrap();
    for bar in bars {
        let wanted = at(bar, "value") * scale(longest);
        assert!((at(bar, "width") - wanted).abs() < 1.5, "{bar} {longest}");
    }
}

#[test]
fn the_page_can_be_read_on_a_screen_on_a_phone_and_at_night() {
    // Many at nearly one place, names of all lengths, one that is never unreadable, and one row.
    let crowded = "--geometry 6,10 --geometry 7,11 --geometry 8,12 --geometry 7,10 --geometry 9,13 \
                   --geometry 1,3 --geometry 9,10 --codec rs,xor,xor:matland,copy --host-speed 10GB";
    let own = "--host nas=1 --host the-disk-in-the-cellar=0.9 --host cloud=0.999/0.9999 \
               --group home=nas,the-disk-in-the-cellar:1 --group away=cloud:1";
    for options in [
        "--hosts 10",
        crowded,
        own,
        "-k 2 -n 3 --codec rs",
        "--hosts 3 -a 1",
    ] {
        let desk = Desk::new();
        let (page, _) = report(&desk, options);
        for found in probe(&desk, &page, &[1280, 390], &[]) {
            let what = format!("{options}: {found}");
            assert!(array(&found["fetched"]).is_empty(), "{what}");
            assert_eq!(found["charts"], 2, "{what}");
            assert_eq!(found["described"], true, "{what}");
            assert!(
                found["page"].as_u64().unwrap() <= found["width"].as_u64().unwrap(),
                "{what}"
            );
            for fault in ["overlaps", "clipped"] {
                assert_eq!(
                    array(&found[fault]),
                    &Vec::<Value>::new(),
                    "{fault}: {options}"
                );
            }
        }
    }
    let (page, _) = report(&Desk::new(), "-k 2 -n 3");
    let look = |scheme: u8| {
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let found = probe(&Desk::new(), &page, &[1280], &[&scheme]).remove(0);
        let (ink, paper) = (
            found["ink"].as_str().unwrap(),
            found["paper"].as_str().unwrap(),
        );
        assert!(contrast(ink, paper) > 12.0, "{ink} on {paper}");
        paper.to_owned()
    };
    assert_ne!(look(0), look(1));
}

/// Of two colours as a browser writes them, after WCAG 2.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |color: &str| {
        let digits = color.trim_start_matches("rgb(").trim_end_matches(')');
        let linear = |text: &str| {
            let c = text.trim().parse::<f64>().unwrap() / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        let weights = [0.2126, 0.7152, 0.0722].into_iter();
        digits
            .split(',')
            .map(linear)
            .zip(weights)
            .map(|(c, weight)| c * weight)
            .sum::<f64>()
            + 0.05
    };
    let (a, b) = (luminance(a), luminance(b));
    (a / b).max(b / a)
}

#[test]
fn nothing_is_fetched_and_nothing_is_wrong() {
    let desk = Desk::new();
    desk.write("<i>.tar", &desk::bytes(300_000));
    let (page, json) = report(&desk, "'<i>.tar' --hosts 4 --host-speed 1MB");
    assert_eq!(json["parameters"]["path"], "<i>.tar");
    // What a user wrote is text.
    assert!(page.contains("&lt;i&gt;.tar") && !page.contains("<i>"));
    for word in ["http:", "https:", "src=", "href=", "@import", "url(h"] {
        let without_policy = page.replace("http-equiv", "");
        assert!(!without_policy.contains(word), "{word}");
    }

    let complaints = |page: &str| {
        let output = chromium(&desk, page, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(complaints("report.html"), Vec::<String>::new());
    // Were there something to fetch or to run, it would be refused, and be heard of here.
    for bad in ["<img src='http://127.0.0.1:9/x'>", "<script>1</script>"] {
        desk.write(
            "bad.html",
            page.replace("</header>", &format!("</header>{bad}"))
                .as_bytes(),
        );
        let heard = complaints("bad.html");
        assert!(
            heard
                .iter()
                .any(|line| line.contains("Content Security Policy")),
            "{bad}: {heard:?}"
        );
    }
}

#[test]
fn pages_that_cannot_be_written() {
    let desk = Desk::new();
    desk.write("there", b"mine");
    desk.sh("mkdir folder");
    let compare = "distdup compare -k 2 -n 3 --runs 1 --size 10k --html";
    for (path, texts) in [
        ("there", ["cannot write to there", "--force"]),
        ("folder", ["cannot write to folder", "folder"]),
        ("no/such.html", ["cannot write to no/such.html", "no"]),
    ] {
        desk.complains(1, &format!("{compare} {path}"), &texts);
    }
    assert_eq!(desk.read("there"), b"mine");
    desk.complains(
        1,
        &format!("{compare} /dev/full"),
        &["cannot write /dev/full", "No space"],
    );
    desk.exits(0, &format!("{compare} there --force"));
    assert!(desk.read("there").starts_with(b"<!DOCTYPE html>"));
    desk.complains(2, "distdup compare -k 2 -n 3 --force", &["--html"]);
}
