//! Every format: as it was (snapshots), and unharmed by the texts of strangers.

use super::fixture::{HOSTILE, hostile_run, run, small_run};
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
    insta::assert_snapshot!(text("html", &small_run()));
}

#[test]
fn the_table_fits_its_columns() {
    for result in [run(), hostile_run()] {
        for line in text("table", &result).lines().filter(|line| !line.starts_with("    to have it: ")) {
            let width = line.chars().count();
            assert!(width <= 100 || !line.trim().contains(' '), "{width}: {line}");
        }
    }
}

#[test]
fn hostile_texts_stay_texts_in_every_format() {
    let result = hostile_run();
    let html = text("html", &result);
    assert!(!html.contains("<script"), "a script got through");
    assert!(!html.contains("onmouseover=\"alert"), "an attribute got through");
    assert_eq!(html.matches("<td").count(), html.matches("</td>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    for format in ["table", "md", "html"] {
        let text = text(format, &result);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{format} holds an escape or a direction mark");
        // The scenario stands there whole.
        let text = text.split("<pre>").next().unwrap();
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
fn a_page_needs_no_network_and_no_script() {
    let html = text("html", &run());
    for forbidden in ["<script", "<link", "@import", "url(", "src=", "href="] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(!html.contains("://"), "an address");
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
        "there is no report format \"pdf\"; the formats are table, json, md, csv, hgrm, html, junit, benchmark-smaller, benchmark-bigger, bencher"
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
        assert!(format == "table" || !told.contains("<script>"), "{format}");
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
