//! Every format: as it was (snapshots), and unharmed by the texts of strangers.

use super::fixture::{HOSTILE, hostile_run, run, small_run, sweep_run};
use super::*;

fn text(format: &str, (run, histograms): &(RunResult, Histograms)) -> String {
    String::from_utf8(render(format, run, histograms).unwrap()).unwrap()
}

#[test]
fn the_table_is_as_it_was() {
    insta::assert_snapshot!(text("table", &run()));
}

#[test]
fn the_table_in_colour_is_as_it_was() {
    let (run, histograms) = small_run();
    let options = Options { colour: true, ..Options::default() };
    let bytes = render_with("table", &run, &histograms, options).unwrap();
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap().replace('\u{1b}', "␛"));
}

#[test]
fn the_markdown_is_as_it_was() {
    insta::assert_snapshot!(text("md", &run()));
}

#[test]
fn the_csv_is_as_it_was_with_rounds() {
    let (run, histograms) = small_run();
    let options = Options { rounds: true, ..Options::default() };
    let bytes = render_with("csv", &run, &histograms, options).unwrap();
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

#[test]
fn the_json_is_as_it_was() {
    insta::assert_snapshot!(text("json", &small_run()));
}

#[test]
fn the_distributions_are_as_they_were() {
    let (run, histograms) = small_run();
    let files = render_files("hgrm", &run, &histograms, Options::default()).unwrap();
    let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["zerorpc-c64-echo.hgrm", "binary-tcp-c64-echo.hgrm"]);
    insta::assert_snapshot!(String::from_utf8(files[1].bytes.clone()).unwrap());
}

#[test]
fn the_page_is_as_it_was() {
    // Style, script and the embedded data have tests of their own.
    let mut page = text("html", &small_run());
    for (begin, end) in
        [("<style>", "</style>"), ("<script>", "</script>"), ("base64,", "\""), ("'sha256-", "'")]
    {
        let mut from = 0;
        while let Some(at) = page[from..].find(begin).map(|at| from + at + begin.len()) {
            let length = page[at..].find(end).unwrap();
            page.replace_range(at..at + length, "…");
            from = at;
        }
    }
    insta::assert_snapshot!(page);
}

/// A part of the page.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> &'a str {
    let from = page.split_once(begin).unwrap().1;
    from.split_once(end).map_or(from, |(part, _)| part)
}

#[test]
fn a_section_without_a_curve_does_not_promise_one_and_keeps_its_address() {
    for (result, title) in [(small_run(), "Calls per second"), (sweep_run(), "Latency against load")] {
        let page = text("html", &result);
        assert!(page.contains(&format!("<li><a href=\"#load\">{title}</a></li>")), "{title}");
        let section = between(&page, "<section id=\"load\"", "</section>");
        assert!(section.contains(&format!("<h2 id=\"load-title\">{title}</h2>")), "{title}");
        assert_eq!(section.contains("[sweep]"), title == "Calls per second", "how to get a curve");
    }
    let (mut run, histograms) = small_run();
    run.capacity = hostile_run().0.capacity;
    assert!(text("html", &(run, histograms)).contains("<a href=\"#load\">Capacity</a>"));
}

#[test]
fn no_sentence_of_the_short_verdict_is_told_again_under_validity() {
    for result in [run(), small_run(), sweep_run(), hostile_run()] {
        let page = text("html", &result);
        let sentences = |part: &str| -> Vec<String> {
            let mut plain = String::new();
            for piece in part.split('<') {
                plain.push('\n');
                plain.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
            }
            let parts = plain.split(['\n', '.', ':', ';']).map(str::trim);
            parts.filter(|part| part.chars().count() > 3).map(str::to_lowercase).collect()
        };
        let short = sentences(between(&page, "<div class=\"believe\"", "<section id=\"validity\""));
        let long = sentences(between(&page, "<section id=\"validity\"", "<section id=\"results\""));
        assert!(short.len() > 5 && long.len() > 5, "{short:?} {long:?}");
        for sentence in &short {
            assert!(!long.contains(sentence), "{sentence:?} stands in both");
        }
    }
}

#[test]
fn both_axes_of_every_plot_have_three_labels() {
    let mut plots = 0;
    for result in [run(), small_run(), sweep_run()] {
        let html = text("html", &result);
        for svg in html.split("<svg role").skip(1).map(|part| part.split("</svg>").next().unwrap()) {
            let labels = |anchor: &str| {
                let anchor = format!("text-anchor=\"{anchor}\"");
                svg.split("<text")
                    .skip(1)
                    .filter(|text| text.contains(&anchor) && !text.contains("rotate"))
                    .count()
            };
            // Bars have neither.
            let (across, up) = (labels("middle"), labels("end"));
            if across + up > 0 {
                plots += 1;
                assert!(across >= 3 && up >= 3, "{across} and {up} in {}", &svg[..svg.len().min(300)]);
            }
        }
    }
    assert!(plots > 60, "{plots}");
}

#[test]
fn back_ends_that_answer_different_things_are_named_in_every_format_for_people() {
    let (mut run, histograms) = small_run();
    let told =
        "echo: zerorpc and binary-tcp did not answer the same thing: 6.00 and 60.0 bytes of information";
    run.cells[1].figures.methods.get_mut("echo").unwrap().bytes_per_call.response.payload = Some(60.0);
    let says = |run: &RunResult, format: &str| {
        text(format, &(run.clone(), histograms.clone())).replace("\n  ", " ").contains(told)
    };
    assert!(!says(&run, "table"), "answers that are compared as a whole need no guess");
    run.scenario.expect.insert("echo".into(), "type".into());
    for format in ["table", "md", "html"] {
        assert!(says(&run, format), "{format}");
    }
    let page = text("html", &(run, histograms));
    assert!(between(&page, "<div class=\"believe\"", "</ul>").contains("Different answers"));
    assert!(between(&page, "<section id=\"validity\"", "</section>").contains(told));
}

#[test]
fn hostile_texts_stay_texts_in_every_format() {
    let result = hostile_run();
    let html = text("html", &result);
    assert_eq!(html.matches("<script").count(), 1, "a script got through beside the page's own");
    assert_eq!(html.matches("</script").count(), 1, "the page's script was ended early");
    assert!(!html.contains("onmouseover=\"alert"), "an attribute got through");
    assert_eq!(html.matches("<td").count(), html.matches("</td>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    for format in ["table", "md", "html"] {
        let text = text(format, &result);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{format} holds an escape or a direction mark");
        // The scenario stands there whole.
        let text = text.split("<pre").next().unwrap();
        assert!(!text.contains(&"x".repeat(1_000)), "{format} holds ten thousand characters");
    }
    let markdown = text("md", &result);
    assert!(!markdown.contains("<script") && !markdown.contains("@everyone") && !markdown.contains("![x]"));
    assert!(text("csv", &result).contains("\"'=cmd|' /C calc'!A0\""));
    let again: RunResult = serde_json::from_str(&text("json", &result)).unwrap();
    assert_eq!(again.cells[0].backend, HOSTILE[0]);
    assert!(
        render_files("hgrm", &result.0, &result.1, Options::default()).unwrap().iter().all(|file| file
            .name
            .len()
            < 200
            && !file.name.contains(['/', '\u{202e}', '\u{1b}']))
    );
}

#[test]
fn markdown_stays_below_what_a_comment_takes() {
    let (mut run, histograms) = hostile_run();
    let cells = run.cells.clone();
    for _ in 0..40 {
        run.cells.extend(cells.iter().cloned());
    }
    let markdown = text("md", &(run, histograms));
    assert!(markdown.len() < 64 * 1024, "{}", markdown.len());
    assert!(markdown.contains("lines did not fit"));
}

#[test]
fn a_page_needs_no_network_and_runs_no_script_but_its_own() {
    let html = text("html", &run());
    for forbidden in ["<link", "@import", "url(", "src=", "<iframe", "<form action"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(!html.contains("://"), "an address");
    for (at, _) in html.match_indices("href=\"") {
        let address = &html[at + 6..at + 12];
        assert!(address.starts_with('#') || address.starts_with("data:"), "{address}");
    }
    let policy = html.split("script-src '").nth(1).unwrap().split('\'').next().unwrap();
    assert!(policy.starts_with("sha256-") && policy.len() == 51, "{policy}");
}

#[test]
fn links_inside_a_page_lead_somewhere_and_ids_are_there_once() {
    for result in [run(), hostile_run()] {
        let html = text("html", &result);
        let mut ids: Vec<&str> =
            html.match_indices(" id=\"").map(|(at, _)| html[at + 5..].split('"').next().unwrap()).collect();
        for (at, _) in html.match_indices("href=\"#") {
            let target = html[at + 7..].split('"').next().unwrap();
            assert!(ids.contains(&target), "{target}");
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id stands there twice");
    }
}

#[test]
fn a_run_without_cells_and_histograms_has_every_report() {
    let (mut empty, _) = run();
    empty.cells.clear();
    empty.gates.clear();
    for format in FORMATS {
        assert!(render(format.name, &empty, &Histograms::default()).is_ok(), "{}", format.name);
    }
    let (run, _) = run();
    for format in FORMATS {
        assert!(render(format.name, &run, &Histograms::default()).is_ok(), "{}", format.name);
    }
}

#[test]
fn an_unknown_format_is_told_the_known_ones() {
    let (run, histograms) = small_run();
    let error = render("pdf", &run, &histograms).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no report format \"pdf\"; the formats are table, json, md, csv, hgrm, html, svg, junit, benchmark-smaller, benchmark-bigger, bencher, criterion"
    );
}

#[test]
fn streams_have_a_short_table_of_their_own_in_every_format_for_people() {
    let (mut run, histograms) = small_run();
    assert!(!text("table", &(run.clone(), histograms.clone())).contains("items/call"));
    let cell = &mut run.cells[0];
    let mut feed = cell.figures.methods["echo"].clone();
    feed.items = Some(feed.calls * 1_000);
    feed.items_per_s = Some(51_234.0);
    feed.first_item_ns =
        Some(crate::result::Quantiles { samples: feed.calls, p50: Some(157_000), ..feed.service_ns });
    cell.figures.methods.insert(HOSTILE[0].into(), feed);
    let result = (run, histograms);
    for format in ["table", "md", "html"] {
        let told = text(format, &result);
        for part in ["items/call", "157 µs", "51.2 k/s", "1000"] {
            assert!(told.contains(part), "{format} without {part}: {told}");
        }
        let scripts = usize::from(format == "html");
        assert!(format == "table" || told.matches("<script>").count() == scripts, "{format}");
    }
    let files = render_files("csv", &result.0, &result.1, Options::default()).unwrap();
    assert_eq!(
        files.iter().map(|file| &*file.name).collect::<Vec<_>>(),
        ["report.csv", "report-streams.csv"]
    );
    let streams = String::from_utf8(files[1].bytes.clone()).unwrap();
    assert!(streams.starts_with("backend,point,method,verdict,calls,items,items_per_s,first_item_min_ns"));
    assert_eq!(streams.lines().count(), 2);
}

#[test]
fn the_picture_of_the_main_chart_stands_alone() {
    let (run, histograms) = run();
    let files = render_files("svg", &run, &histograms, Options::default()).unwrap();
    let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["spectrum-c1.svg", "spectrum-c64.svg", "spectrum-r500.svg"]);
    let picture = String::from_utf8(files[1].bytes.clone()).unwrap();
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\""));
    assert!(picture.contains("<style>") && picture.contains("prefers-color-scheme:dark"));
    // Five lines with their names, and the target of the scenario.
    assert_eq!(picture.matches(">binary-tcp</text>").count(), 1);
    assert_eq!(picture.matches("class=\"target\"").count(), 1);
    assert!(picture.contains(">target: p99 &lt;= 1ms</text>"));
    let hostile = hostile_run();
    for file in render_files("svg", &hostile.0, &hostile.1, Options::default()).unwrap() {
        let picture = String::from_utf8(file.bytes).unwrap();
        assert!(!picture.contains("<script") && !picture.contains("onmouseover=\"") && file.name.len() < 200);
    }
}

#[test]
fn several_runs_are_one_page_that_says_how_far_they_compare() {
    let one = run();
    let mut other = small_run();
    other.0.environment.cpu = Some("another <processor>".into());
    let runs = [one, other];
    let inputs =
        [0, 1].map(|at| Input { run: &runs[at].0, histograms: &runs[at].1, options: Options::default() });
    let page = render_together("html", &inputs).unwrap().unwrap();
    assert_eq!(page.len(), 1);
    let page = String::from_utf8(page[0].bytes.clone()).unwrap();
    for part in [
        "2 runs: echo of small messages",
        "How far <bdi>Run 2</bdi> compares with run 1",
        "Not comparable",
        "another &#60;processor&#62; here",
        "id=\"spectrum-run1-c64\"",
        "id=\"spectrum-run2-c64\"",
        "data-k=\"run\" data-v=\"2\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<tr role=\"row\"").count(), 1 + runs[0].0.cells.len() + runs[1].0.cells.len());
    assert_eq!(render_together("csv", &inputs).unwrap(), None);
}

/// The boxes of a chart's texts: where they begin and end, across and down.
fn text_boxes(svg: &str) -> Vec<(f64, f64, f64, f64, String)> {
    let number = |element: &str, name: &str| -> f64 {
        element
            .split(&format!(" {name}=\""))
            .nth(1)
            .unwrap()
            .split(['"', 'e'])
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    svg.split("<text")
        .skip(1)
        .map(|part| part.split("</text>").next().unwrap())
        .filter(|element| !element.contains("rotate"))
        .map(|element| {
            let text = element
                .split_once('>')
                .unwrap()
                .1
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&");
            let size = number(element, "font-size");
            let width = charts::text_width(&text, size);
            let left = number(element, "x")
                - match element {
                    of if of.contains("\"middle\"") => width / 2.0,
                    of if of.contains("\"end\"") => width,
                    _ => 0.0,
                };
            let base = number(element, "y") + number(element, "dy") * size;
            (left, left + width, base - size * 0.75, base + size * 0.15, text)
        })
        .collect()
}

#[test]
fn no_two_texts_of_a_chart_overlap_and_none_leaves_its_chart() {
    let runs = [run(), hostile_run()];
    let mut charts = 0;
    for result in &runs {
        let html = text("html", result);
        for svg in html.split("<svg role").skip(1).map(|part| part.split("</svg>").next().unwrap()) {
            let size: Vec<f64> = svg
                .split("viewBox=\"0 0 ")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .split(' ')
                .map(|of| of.parse().unwrap())
                .collect();
            let boxes = text_boxes(svg);
            charts += 1;
            for (index, one) in boxes.iter().enumerate() {
                let inside =
                    one.0 >= -1.0 && one.1 <= size[0] + 1.0 && one.2 >= -1.0 && one.3 <= size[1] + 1.0;
                assert!(inside, "{one:?} leaves {size:?} in {}", &svg[..300]);
                for other in &boxes[index + 1..] {
                    let apart = one.1 <= other.0 || other.1 <= one.0 || one.3 <= other.2 || other.3 <= one.2;
                    assert!(apart, "{one:?} and {other:?} in {}", &svg[..300]);
                }
            }
        }
    }
    assert!(charts > 60, "{charts}");
}
