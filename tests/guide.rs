//! Checks every link of the guides, both on GitHub and in rustdoc.

use std::collections::{BTreeMap, BTreeSet};

/// Each page with its path as seen from `docs`.
const PAGES: [(&str, &str); 8] = [
    ("adoption.md", include_str!("../docs/adoption.md")),
    ("columns.md", include_str!("../docs/columns.md")),
    ("elsewhere.md", include_str!("../docs/elsewhere.md")),
    ("performance.md", include_str!("../docs/performance.md")),
    ("proof.md", include_str!("../docs/proof.md")),
    ("rotation.md", include_str!("../docs/rotation.md")),
    ("../README.md", include_str!("../README.md")),
    ("../SECURITY.md", include_str!("../SECURITY.md")),
];

#[test]
fn every_link_of_a_guide_works_on_github_and_in_rustdoc() {
    let overrides = definitions(include_str!("../src/guide.rs"));
    let mut problems = Vec::new();
    for (label, target) in &overrides {
        if let Some(target) = target.strip_prefix("crate::guide::") {
            problems.extend(dangling(&target.replacen('#', ".md#", 1)).map(|why| format!("links!: {label}: {why}")));
        }
    }
    for (path, text) in PAGES.iter().filter(|(path, _)| !path.starts_with("..")) {
        let page = Page::read(text);
        problems.extend(page.problems.iter().map(|problem| format!("{path}: {problem}")));
        problems.extend(page.inline.iter().filter_map(|target| match target.strip_prefix('#') {
            Some(anchor) if page.anchors.contains(anchor) => None,
            None if target.starts_with("https://") => None,
            Some(_) => Some(format!("{path}: there is no heading for ]({target})")),
            None => Some(format!("{path}: rustdoc cannot follow ]({target}); use [guide-…]")),
        }));
        for label in &page.labels {
            if !page.definitions.contains_key(label) {
                problems.push(format!("{path}: [{label}] is not defined at its end"));
            }
            if !overrides.contains_key(label) {
                problems.push(format!("links!: [{label}], which {path} uses, is missing"));
            }
        }
        for (label, target) in &page.definitions {
            if !page.labels.contains(label) {
                problems.push(format!("{path}: [{label}] is defined and not used"));
            }
            if *label != label_of(target) {
                problems.push(format!("{path}: [{label}] should be [{}]", label_of(target)));
            }
            problems.extend(dangling(target).map(|why| format!("{path}: [{label}]: {why}")));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[derive(Default)]
struct Page {
    /// The anchors of its headings, as GitHub and rustdoc spell them.
    anchors: BTreeSet<String>,
    /// The targets of `[…](target)`.
    inline: Vec<String>,
    /// The labels of `[…][label]`.
    labels: BTreeSet<String>,
    definitions: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self { definitions: definitions(text), ..Self::default() };
        let mut is_code = false;
        for line in text.lines() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                is_code = !is_code;
                if is_code && language.is_empty() {
                    page.problems.push("a block of code has no language".into());
                }
            } else if !is_code {
                page.read_line(line);
            }
        }
        page
    }

    fn read_line(&mut self, line: &str) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && !self.anchors.insert(slug(heading)) {
            self.problems.push(format!("two headings are called {heading}"));
        }
        self.inline.extend(between(line, "](", ")").map(str::to_owned));
        let labels = between(line, "][", "]").filter(|label| label.starts_with("guide-"));
        self.labels.extend(labels.map(str::to_owned));
    }
}

/// The lines `[guide-…]: target`.
fn definitions(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| line.starts_with("[guide-"));
    let pairs = lines.filter_map(|line| line[1..].split_once("]: "));
    pairs.map(|(label, target)| (label.to_owned(), target.to_owned())).collect()
}

fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
}

fn slug(heading: &str) -> String {
    let text = heading.trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
}

/// `guide-columns-guards` for `columns.md#guards`
fn label_of(target: &str) -> String {
    let path = target.trim_start_matches("../").to_lowercase();
    format!("guide-{}", path.replacen(".md", "", 1).replacen('#', "-", 1))
}

/// Why a target such as `columns.md#guards` or `columns` leads nowhere.
fn dangling(target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let is_page = |(name, _): &&(&str, &str)| *name == path || name.strip_suffix(".md") == Some(path);
    let Some((_, text)) = PAGES.iter().find(is_page) else { return Some(format!("there is no page {path}")) };
    let is_there = anchor.is_empty() || Page::read(text).anchors.contains(anchor);
    (!is_there).then(|| format!("{path} has no heading for #{anchor}"))
}
