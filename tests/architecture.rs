//! What reviewers would otherwise repeat: who may import whom, what code may not contain, how long a
//! file may be. Each rule is tried on a sample that breaks it before it is put to the project.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "architecture/source.rs"]
mod source;

use source::{File, files_under, imports, sources};

/// Who may import whom: a module, and what it may import. What those may, it may too.
///
/// A new module of `lib.rs` needs a row here, and a line in CONTRIBUTING.md.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("rpc", &[]),
    ("clock", &[]),
    ("codec", &["rpc"]),
    ("transport", &["rpc", "clock"]),
    ("scenario", &["rpc"]),
    ("result", &["rpc"]),
    ("protocol", &["codec", "transport"]),
    ("record", &["result", "scenario"]),
    ("analysis", &["result", "scenario"]),
    ("report", &["analysis"]),
    ("host", &["protocol", "record"]),
    ("load", &["protocol", "record"]),
    ("run", &["analysis", "host", "load"]),
    ("cli", &["report", "run"]),
];

/// Modules without I/O and without a clock: values in, values out.
const PURE: &[&str] = &["rpc", "codec", "analysis", "report"];

/// Where plug-ins stand in line: the folder, the file with the registry, and the text between which
/// the registry stands. Only what is named there is a plug-in; other files are shared.
const REGISTRIES: &[(&str, &str, &str, &str)] = &[
    ("codec", "src/codec/mod.rs", "const ALL", "];"),
    ("transport", "src/transport/mod.rs", "const ALL", "];"),
    ("protocol", "src/protocol/registry.rs", "const NAMED", "];"),
    ("report", "src/report/mod.rs", "const FORMATS", "];"),
    ("cli", "src/cli/mod.rs", "enum Command", "\n}"),
];

/// `unwrap` and friends outside tests: where, and why nothing can go wrong there.
const ALLOWED_PANICS: &[(&str, &str)] = &[];

/// Longer files have a second idea in them.
const MOST_LINES: usize = 450;

/// What a rule finds wrong: one line each.
type Complaints = Vec<String>;

/// Tries the rule on a sample that breaks it, then on the project.
fn enforce(rule: impl Fn(&[File]) -> Complaints, broken: &[File], files: &[File]) {
    assert!(!rule(broken).is_empty(), "the rule finds nothing wrong with {broken:#?}");
    assert!(!files.is_empty(), "there is nothing to look at");
    let complaints = rule(files);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn reachable(module: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut next: Vec<&str> = vec![module];
    while let Some(module) = next.pop() {
        for &below in MAY_IMPORT.iter().filter(|(name, _)| *name == module).flat_map(|(_, below)| *below) {
            if !found.contains(&below) {
                found.push(below);
                next.push(below);
            }
        }
    }
    found
}

fn wrong_imports(files: &[File]) -> Complaints {
    let mut complaints = Complaints::new();
    for file in files {
        let module = file.module();
        // The crate's own front page and its binary stand above all modules.
        let Some(own) = module.first().filter(|own| *own != "main") else { continue };
        let allowed = reachable(own);
        for path in imports(&module, &file.code()) {
            let Some(other) = path.first() else { continue };
            let is_module = MAY_IMPORT.iter().any(|(name, _)| name == other);
            if is_module && other != own && !allowed.contains(&other.as_str()) {
                complaints.push(format!("{}: `{own}` may not import `{}`", file.path, path.join("::")));
            }
        }
    }
    complaints
}

#[test]
fn a_module_imports_only_what_lies_below_it() {
    let broken = [
        File::sample("src/codec/json/mod.rs", "use crate::{rpc::Value, transport::Wiring};"),
        File::sample("src/analysis/cell.rs", "fn now() -> u64 { crate::clock::now_ns() }"),
        File::sample("src/rpc/value.rs", "mod inner { use super::super::super::result::RunResult; }"),
    ];
    for file in &broken {
        assert_eq!(wrong_imports(std::slice::from_ref(file)).len(), 1, "{file:?}");
    }
    assert!(wrong_imports(&[File::sample("src/rpc/mod.rs", "//! See [`crate::codec`].")]).is_empty());
    // Tests follow the same rules: what a test needs from above belongs into tests/.
    let files: Vec<File> = files_under("src").into_iter().filter(|file| file.path.ends_with(".rs")).collect();
    enforce(wrong_imports, &broken, &files);
}

#[test]
fn the_table_of_imports_knows_every_module_and_has_no_cycle() {
    let library = files_under("src").into_iter().find(|file| file.path == "src/lib.rs").unwrap();
    let code = library.code();
    let modules: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ").or(line.trim().strip_prefix("mod ")))
        .map(|rest| rest.trim_end_matches(';'))
        .collect();
    let mut known: Vec<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(modules, known, "src/lib.rs and the table of this test name different modules");
    for (module, _) in MAY_IMPORT {
        assert!(!reachable(module).contains(module), "{module} may import itself in the end");
    }
}

/// The plug-ins of a registry, by module.
fn plug_ins(files: &[File], (_, path, begin, end): &(&str, &str, &str, &str)) -> Vec<String> {
    let Some(file) = files.iter().find(|file| file.path == *path) else { return Vec::new() };
    let code = file.code_without_tests();
    let registry = code
        .find(begin)
        .map(|begin| &code[begin..])
        .and_then(|rest| Some(&rest[..rest.find(end)?]))
        .unwrap_or_default();
    let mut names: Vec<String> = registry
        .match_indices("::")
        .map(|(at, _)| {
            let head = &registry[..at];
            let begin = head.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
            head[begin..].to_owned()
        })
        .filter(|name| name.starts_with(|first: char| first.is_lowercase()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn imported_siblings(files: &[File]) -> Complaints {
    let mut complaints = Complaints::new();
    for registry in REGISTRIES {
        let folder = registry.0;
        let plug_ins = plug_ins(files, registry);
        for file in files {
            let module = file.module();
            let Some(own) = module.get(1).filter(|own| module[0] == folder && plug_ins.contains(own)) else {
                continue;
            };
            for path in imports(&module, &file.code()) {
                let Some(other) = path.get(1).filter(|_| path[0] == folder) else { continue };
                if other != own && plug_ins.contains(other) {
                    complaints
                        .push(format!("{}: the {folder} `{own}` imports its sibling `{other}`", file.path));
                }
            }
        }
    }
    complaints
}

#[test]
fn a_codec_transport_protocol_report_or_command_never_imports_a_sibling() {
    let registry = "pub const ALL: &[&dyn Transport] = &[&http1::Http1, &tcp::Tcp];";
    let broken = [
        File::sample("src/transport/mod.rs", registry),
        File::sample("src/transport/tcp.rs", "use super::{buffer::ReadBuffer, http1};"),
    ];
    let shared = [broken[0].clone(), File::sample("src/transport/tcp.rs", "use super::buffer::ReadBuffer;")];
    assert!(imported_siblings(&shared).is_empty());
    let files = sources();
    for registry in REGISTRIES {
        let found = plug_ins(&files, registry);
        assert!(found.len() >= 3, "{}: the registry was not found, only {found:?}", registry.1);
    }
    enforce(imported_siblings, &broken, &files);
}

fn impure(files: &[File]) -> Complaints {
    const EFFECTS: &[&str] = &[
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::env",
        "Instant",
        "SystemTime",
        "tokio",
        "nix",
        "rustix",
    ];
    let mut complaints = Complaints::new();
    for file in files.iter().filter(|file| PURE.contains(&file.module().first().map_or("", |name| name))) {
        let code = file.code_without_tests();
        for effect in EFFECTS.iter().filter(|effect| has_word(&code, effect)) {
            complaints.push(format!("{}: a pure module uses {effect}", file.path));
        }
    }
    complaints
}

#[test]
fn codecs_analysis_and_reports_do_no_io_and_read_no_clock() {
    let broken = [File::sample("src/report/csv.rs", "fn f() { std::fs::write(\"a\", \"b\"); }")];
    enforce(impure, &broken, &sources());
}

/// Whether `word` stands in `text` by itself.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

fn unfinished(files: &[File]) -> Complaints {
    // Put together, so that this file does not complain about itself.
    let macros = [["to", "do!"].concat(), ["unimple", "mented!"].concat(), ["d", "bg!"].concat()];
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), "X".repeat(3)];
    let mut complaints = Complaints::new();
    for file in files {
        let code = file.code();
        for (number, (line, text)) in code.lines().zip(file.text.lines()).enumerate() {
            let found =
                macros.iter().find(|name| has_word(line, name.trim_end_matches('!')) && line.contains(*name));
            if let Some(what) = found.or_else(|| marks.iter().find(|mark| has_word(text, mark))) {
                complaints.push(format!("{}:{}: {what}", file.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn nothing_is_left_unfinished() {
    for text in ["fn f() { to".to_owned() + "do!() }", "// FIX".to_owned() + "ME later"] {
        assert!(!unfinished(&[File::sample("src/x.rs", &text)]).is_empty(), "{text}");
    }
    let broken = [File::sample("src/x.rs", &["let x = d", "bg!(y);"].concat())];
    let folders = ["src", "benches", "tests", "fuzz", "examples"];
    let files: Vec<File> =
        folders.into_iter().flat_map(files_under).filter(|file| file.path.ends_with(".rs")).collect();
    enforce(unfinished, &broken, &files);
}

fn panics(files: &[File]) -> Complaints {
    const PANICS: &[&str] =
        // Behind `expect` a space, which is where a literal began: decoders have an `expect` of their own.
        &[".unwrap()", ".expect( ", ".unwrap_err()", ".expect_err( ", "panic!(", "unreachable!("];
    let mut complaints = Complaints::new();
    for file in files.iter().filter(|file| !ALLOWED_PANICS.iter().any(|(path, _)| *path == file.path)) {
        for (number, line) in file.code_without_tests().lines().enumerate() {
            if let Some(what) = PANICS.iter().find(|what| line.contains(*what)) {
                complaints.push(format!("{}:{}: {what} outside a test", file.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn nothing_panics_outside_tests() {
    let broken = [File::sample("src/x.rs", "#[cfg(test)]\nmod tests { }\nfn f() { g().unwrap(); }")];
    let good = [File::sample("src/x.rs", "#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }")];
    assert!(panics(&good).is_empty());
    for (path, reason) in ALLOWED_PANICS {
        assert!(!reason.is_empty() && source::root().join(path).exists(), "{path}");
    }
    enforce(panics, &broken, &sources());
}

fn too_long(files: &[File]) -> Complaints {
    let lines = |file: &File| file.text.lines().count();
    let long = files.iter().filter(|file| lines(file) > MOST_LINES);
    long.map(|file| format!("{}: {} lines, {MOST_LINES} are allowed", file.path, lines(file))).collect()
}

#[test]
fn a_file_fits_into_450_lines() {
    let broken = [File::sample("src/x.rs", &"\n".repeat(MOST_LINES + 1))];
    let is_written = |file: &File| !file.path.ends_with(".snap");
    let files: Vec<File> = files_under("src").into_iter().filter(is_written).collect();
    enforce(too_long, &broken, &files);
}

fn undocumented(files: &[File]) -> Complaints {
    let bare = files.iter().filter(|file| !file.text.starts_with("//! "));
    bare.map(|file| format!("{}: does not begin with a //! comment that says what it is for", file.path))
        .collect()
}

#[test]
fn a_file_says_first_what_it_is_for() {
    let broken = [File::sample("src/x.rs", "use std::io;\n//! too late")];
    let files: Vec<File> = ["src", "benches"]
        .into_iter()
        .flat_map(files_under)
        .filter(|file| file.path.ends_with(".rs"))
        .collect();
    enforce(undocumented, &broken, &files);
}

fn incomplete_manifest(files: &[File]) -> Complaints {
    let manifest: toml::Table = files.first().map_or("", |file| &file.text).parse().unwrap();
    let package = manifest.get("package").and_then(toml::Value::as_table);
    ["rust-version", "license", "description", "readme"]
        .into_iter()
        .filter(|key| package.and_then(|package| package.get(*key)).and_then(toml::Value::as_str).is_none())
        .map(|key| format!("Cargo.toml: [package] has no {key}"))
        .collect()
}

#[test]
fn the_manifest_names_the_rust_version_and_the_licence() {
    let broken = [File::sample("Cargo.toml", "[package]\nname = \"x\"\nlicense = \"MIT\"")];
    let files: Vec<File> = files_under("").into_iter().filter(|file| file.path == "Cargo.toml").collect();
    enforce(incomplete_manifest, &broken, &files);
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(source::root().join(licence).is_file(), "{licence} is missing");
    }
}

/// Every file of the project that is committed, or would be.
fn committed() -> Vec<File> {
    let ignored =
        |file: &File| file.path.starts_with("reports/") && !file.path.starts_with("reports/example/");
    files_under("").into_iter().filter(|file| !ignored(file)).collect()
}

fn of_one_machine(files: &[File]) -> Complaints {
    // Put together, so that this file does not complain about itself.
    let folders =
        [["/wo", "rk"], ["/ro", "ot"], ["/ho", "me"], ["/Us", "ers"], ["/tmp", "/wt"]].map(|p| p.concat());
    let hosts = [["pypi", ".org"], ["npmjs", ".org"], ["index.crates", ".io"], ["static.crates", ".io"]];
    let settings = [["index", "-url"], ["replace", "-with"], ["trusted", "-host"]];
    let hosts: Vec<String> = hosts.iter().chain(&settings).map(|parts| parts.concat()).collect();
    let in_a_name = |character: char| character.is_alphanumeric() || "._-".contains(character);
    let mut complaints = Complaints::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let folder = folders.iter().find(|folder| {
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|before: char| in_a_name(before) || "/:{}$>)".contains(before))
                        && !line[at + folder.len()..].starts_with(in_a_name)
                })
            });
            if let Some(what) = folder.or_else(|| hosts.iter().find(|host| line.contains(host.as_str()))) {
                complaints.push(format!("{}:{}: names {what}", file.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn nothing_names_a_path_of_one_machine_or_a_package_registry() {
    for text in [["see /wo", "rk/x"].concat(), ["\"/ro", "ot\""].concat(), ["--index", "-url x"].concat()] {
        assert_eq!(of_one_machine(&[File::sample("README.md", &text)]).len(), 1, "{text}");
    }
    let good = ["a/wo", "rk/x, https://x.y/ho", "me, /wo", "rking"].concat();
    assert!(of_one_machine(&[File::sample("README.md", &good)]).is_empty());
    let broken = [File::sample("README.md", &["/ho", "me/me/x"].concat())];
    enforce(of_one_machine, &broken, &committed());
}
