//! Just enough of Rust's grammar for the rules: code without comments and literals, without tests,
//! and the paths that it takes from `crate` and `super`.

use std::path::{Path, PathBuf};

/// A file of the project.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the project's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// A file that does not exist, for trying out a rule.
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The module that a file under `src/` is: `src/codec/mod.rs` is `codec`.
    pub fn module(&self) -> Vec<String> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        module
    }

    /// The code, with spaces for comments and for what stands in literals; lines stay where they are.
    pub fn code(&self) -> String {
        blank(&self.text)
    }

    /// The code without what is compiled for tests only.
    pub fn code_without_tests(&self) -> String {
        without_tests(&self.code())
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text files under a folder of the project, by path. Folders that are not part of it are left out.
pub fn files_under(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    collect(&root().join(folder), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The Rust files under `src/` that are not tests alone.
pub fn sources() -> Vec<File> {
    let files: Vec<File> = files_under("src").into_iter().filter(|file| file.path.ends_with(".rs")).collect();
    let tests: Vec<Vec<String>> = files.iter().flat_map(test_modules).collect();
    files.into_iter().filter(|file| !tests.iter().any(|test| file.module().starts_with(test))).collect()
}

fn collect(folder: &Path, files: &mut Vec<File>) {
    const NOT_OURS: [&str; 6] = ["target", ".git", ".venv", "node_modules", "__pycache__", "corpus"];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if NOT_OURS.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if kind.is_dir() {
            collect(&path, files);
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
        }
    }
}

/// The modules that a file declares for tests only: `#[cfg(test)] mod tests;`.
fn test_modules(file: &File) -> Vec<Vec<String>> {
    let code = file.code();
    let tokens = tokens(&code);
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    tokens
        .windows(attribute.len() + 2)
        .filter(|window| window.starts_with(&attribute) && window[attribute.len() + 1] == ";")
        .map(|window| file.module().into_iter().chain([window[attribute.len()].to_owned()]).collect())
        .collect()
}

/// Every path that code takes from `crate` or `super`, absolute within the crate.
pub fn imports(module: &[String], code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    // Inline modules that are open, each with the depth of its braces.
    let mut inline: Vec<(&str, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let follows = |token: &str| at > 0 && tokens[at - 1] == token;
        match tokens[at] {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2] == "mod" {
                    inline.push((tokens[at - 1], depth));
                }
            }
            "}" => {
                inline.retain(|(_, opened)| *opened < depth);
                depth = depth.saturating_sub(1);
            }
            "crate" if !follows("::") && tokens.get(at + 1) == Some(&"::") => {
                at = tree(&tokens, at + 2, &[], &mut found);
                continue;
            }
            "super" if !follows("::") && tokens.get(at + 1) == Some(&"::") => {
                let mut base = module.to_vec();
                base.extend(inline.iter().map(|(name, _)| (*name).to_owned()));
                while tokens.get(at) == Some(&"super") && tokens.get(at + 1) == Some(&"::") {
                    base.pop();
                    at += 2;
                }
                at = tree(&tokens, at, &base, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads `a::{b, c::d}` from `at` on, adds each path below `base`, and returns what comes after.
fn tree(tokens: &[&str], at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let Some(&first) = tokens.get(at) else { return at };
    if first == "{" {
        let mut at = at + 1;
        while at < tokens.len() && tokens[at] != "}" {
            at = if matches!(tokens[at], "," | "as") {
                // The name after `as` is no path.
                at + 1 + usize::from(tokens[at] == "as")
            } else {
                tree(tokens, at, base, found).max(at + 1)
            };
        }
        return at + 1;
    }
    if !first.starts_with(|character: char| character.is_alphabetic() || character == '_') {
        found.push(base.to_vec());
        return at + 1;
    }
    let mut path = base.to_vec();
    match first {
        "self" => {}
        "super" => drop(path.pop()),
        name => path.push(name.to_owned()),
    }
    if tokens.get(at + 1) == Some(&"::") {
        return tree(tokens, at + 2, &path, found);
    }
    found.push(path);
    at + 1
}

fn tokens(code: &str) -> Vec<&str> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|character| !is_word(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Puts spaces for comments and for what stands in literals.
fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = characters.clone();
    let mut at = 0;
    while at < characters.len() {
        let end = end_of_hidden(&characters, at);
        for character in code.iter_mut().take(end.min(characters.len())).skip(at) {
            if *character != '\n' {
                *character = ' ';
            }
        }
        at = end.max(at + 1);
    }
    code.into_iter().collect()
}

/// Where the comment or literal that begins at `at` ends; `at` itself where none does.
fn end_of_hidden(text: &[char], at: usize) -> usize {
    if !matches!(text[at], '/' | '"' | '\'' | 'r' | 'b') {
        return at;
    }
    let is = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
    let find = |from: usize, what: &str| (from..text.len()).find(|at| is(*at, what)).unwrap_or(text.len());
    let in_word = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_');
    if is(at, "//") {
        return find(at, "\n");
    }
    if is(at, "/*") {
        let (mut depth, mut at) = (1, at + 2);
        while depth > 0 && at < text.len() {
            let step = if is(at, "/*") {
                1
            } else if is(at, "*/") {
                -1
            } else {
                0
            };
            depth += step;
            at += if step == 0 { 1 } else { 2 };
        }
        return at;
    }
    if !in_word && (is(at, "r\"") || is(at, "r#") || is(at, "br\"") || is(at, "br#")) {
        let begin = at + if text[at] == 'b' { 2 } else { 1 };
        let hashes = text[begin..].iter().take_while(|character| **character == '#').count();
        if text.get(begin + hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            return find(begin + hashes + 1, &close) + close.len();
        }
    }
    if is(at, "\"") {
        let mut at = at + 1;
        while at < text.len() && text[at] != '"' {
            at += if text[at] == '\\' { 2 } else { 1 };
        }
        return at + 1;
    }
    // A quote begins a character, or a lifetime.
    if is(at, "'\\") {
        return find(at + 3, "'") + 1;
    }
    if is(at, "'") && text.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    at
}

/// Takes away what `#[cfg(test)]` stands before, of code without comments and literals.
fn without_tests(code: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(begin) = rest.find(ATTRIBUTE) {
        kept.push_str(&rest[..begin]);
        let item = &rest[begin + ATTRIBUTE.len()..];
        let mut depth = 0_usize;
        let mut end = item.len();
        for (at, character) in item.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                end = at + 1;
                break;
            }
        }
        kept.extend(item[..end].chars().filter(|character| *character == '\n'));
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

#[test]
fn literals_and_comments_are_no_code() {
    let file =
        File::sample("src/x.rs", "a /* b /* c */ d */ 'e' '\\'' &'f x \"g\\\"\" r#\"h\"\"# b\"i\" // j\nk");
    let words: Vec<String> = tokens(&file.code()).into_iter().map(str::to_owned).collect();
    assert_eq!(words, ["a", "&", "'", "f", "x", "b", "k"]);
}

#[test]
fn what_is_for_tests_is_taken_away() {
    let file = File::sample("src/x.rs", "a; #[cfg(test)] mod t { fn x() {} } b; #[cfg(test)]\nmod u; c;");
    assert_eq!(tokens(&file.code_without_tests()).concat(), "a;b;c;");
}

#[test]
fn imports_are_followed_through_braces_and_modules() {
    let module = ["a".to_owned(), "b".to_owned()];
    let code = "use crate::{c::{d, self}, e as f}; use super::g::*; mod t { use super::super::h; } \
                fn x(y: &crate::i::J<crate::k::L>) { super::m::n(); }";
    let found: Vec<String> = imports(&module, code).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["c::d", "c", "e", "a::g", "a::h", "i::J", "k::L", "a::m::n"]);
}
