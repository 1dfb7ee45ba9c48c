//! A waterfall as a page: a table with a row for each span, each line in it, and each gap.

use serde_json::{Map, Value, json};

use super::extents::Extent;
use super::rows::{Kind, Row, Waterfall};
use super::span::{Event, Span};
use super::summary::{Summary, oddities};
use super::units::duration;
use crate::counted::counted;
use crate::loggers::LineLevel;
use crate::page::{Html, Page};

const MICRO: &str = "µs";

/// The width of a bar's drawing, whatever its width on the screen.
const SCALE: f64 = 1000.0;

/// More lines make a page slow. If there are more, it has only warnings and errors, and at most this many.
const MAX_LINES: usize = 10_000;

/// The classes of rows by their depth. Deeper ones are not indented further.
const DEPTHS: [&str; 13] = ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12"];
const COLORS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

const TOOLS: &str = r#"<form id="tools" class="tools" role="search" hidden>
<input id="search" type="search" placeholder="Filter rows ( / )" aria-label="Filter rows" autocomplete="off" spellcheck="false">
<select id="lines" aria-label="Lines"><option value="severe">warnings and errors</option><option value="all">all lines</option><option value="none">no lines</option></select>
<select id="only" aria-label="Rows"><option value="all">all spans</option><option value="chain">longest chain</option><option value="errors">with errors</option></select>
<button type="button" id="fold">Fold</button><button type="button" id="unfold">Unfold</button>
<output id="found" class="faint" aria-live="polite"></output>
</form>
"#;

const LEGEND: &str = r#"<p class="legend faint"><span><i class="key"></i>longest chain</span><span><i class="key other"></i>other spans</span><span><i class="key line"></i>line</span><span><i class="key warn"></i>warning</span><span><i class="key err"></i>error</span><span><i class="key gap"></i>gap</span><span>≥ at least, from lines</span></p>
"#;

const DETAILS: &str = r#"<aside id="details" aria-label="Details of the span" hidden><button type="button" id="close">Close</button><dl id="fields" class="mono"></dl></aside>
"#;

/// Returns the page. `waterfall`: with rows for all lines.
pub(super) fn page(waterfall: &Waterfall<'_>) -> String {
    let summary = Summary::new(waterfall, MICRO);
    let mut body = Html::default();
    let least = least_level(waterfall);
    put_header(&mut body, &summary, least);
    body.raw(TOOLS);
    put_table(&mut body, waterfall, least);
    body.raw(DETAILS).data("data", &details(waterfall).to_string());
    let id = summary.ids.first().map_or("", |(_, id)| id.as_str());
    let title = format!("Trace {id}");
    Page { title: &title, body: &body, style: include_str!("page.css"), script: include_str!("page.js") }.render()
}

/// Returns the level of the lines that are on the page.
fn least_level(waterfall: &Waterfall<'_>) -> LineLevel {
    let lines = waterfall.rows.iter().filter(|row| matches!(row.kind, Kind::Event(_))).count();
    if lines > MAX_LINES { LineLevel::Warn } else { LineLevel::Trace }
}

fn put_header(body: &mut Html, summary: &Summary, least: LineLevel) {
    body.raw("<header>\n<h1>Trace</h1>\n");
    for (name, id) in &summary.ids {
        body.raw("<p class=\"ids\">").element("b", "", name).element("code", "", id).raw("</p>\n");
    }
    for text in summary.time.iter().chain([&summary.counts]) {
        body.element("p", "faint", text).raw("\n");
    }
    if let Some((total, parts)) = &summary.chain {
        body.raw("<p class=\"longest\">").element("b", "", "Longest chain ").text(&format!("{total}, most of it in "));
        for [time, share, name] in parts {
            body.raw("<span>").element("b", "", name).text(&format!(" {time}, {share}")).raw("</span> ");
        }
        body.raw("</p>\n");
    }
    for note in &summary.notes {
        body.element("p", "odd", note).raw("\n");
    }
    if least > LineLevel::Trace {
        body.element("p", "odd", "The page has only the warnings and the errors of the many lines.").raw("\n");
    }
    body.raw(LEGEND).raw("</header>\n");
}

fn put_table(body: &mut Html, waterfall: &Waterfall<'_>, least: LineLevel) {
    let whole = waterfall.tree.whole().filter(|whole| whole.nanos() > 0);
    body.raw("<table id=\"spans\" role=\"treegrid\" aria-label=\"Spans\">\n<thead><tr><th>Span</th><th>");
    body.raw("<span class=\"axis\">");
    for quarter in 0..4 {
        let at = whole.map(|whole| duration(whole.nanos() / 4 * quarter, MICRO)).unwrap_or_default();
        body.element("span", "", &at);
    }
    body.raw("</span></th><th>Time</th></tr></thead>\n<tbody>\n");
    let mut lines = 0;
    for row in &waterfall.rows {
        if let Kind::Event(event) = row.kind {
            if least > LineLevel::Trace && event.level < Some(least) {
                continue;
            }
            lines += 1;
            if lines > MAX_LINES {
                continue;
            }
        }
        Drawing { waterfall, whole, row }.put(body);
    }
    body.raw("</tbody>\n</table>\n");
}

/// One row.
struct Drawing<'w, 't> {
    waterfall: &'w Waterfall<'t>,
    whole: Option<Extent>,
    row: &'w Row<'t>,
}

impl Drawing<'_, '_> {
    fn put(&self, html: &mut Html) {
        match &self.row.kind {
            Kind::Span => self.put_span(html),
            Kind::Event(event) => self.put_event(html, event),
            Kind::Gap(gap) => {
                let text = format!("gap: {} → {}", gap.after, gap.before);
                self.begin(html, "g", &[]);
                html.text(&text).raw("</td><td class=\"b\">");
                self.put_drawing(html, |html| {
                    let (x, width) = self.place(gap.start, gap.end);
                    html.raw("<path class=\"gap\"").attribute("d", format!("M{x:.1} 8h{width:.1}")).raw("/>");
                });
                html.raw("</td>").element("td", "t", &duration(gap.nanos(), MICRO)).raw("</tr>\n");
            }
            Kind::More { spans, nanos } => {
                self.begin(html, "m", &[]);
                html.text(&format!("{} more", counted(*spans as u64, "span", "spans")));
                html.raw("</td>").element("td", "t", &duration(*nanos, MICRO)).raw("</tr>\n");
            }
            Kind::Folded(count) => {
                self.begin(html, "m", &[]);
                html.text(&format!("{} counted only", counted(*count, "further line", "further lines")));
                html.raw("</td><td class=\"t\"></td></tr>\n");
            }
        }
    }

    /// Begins a row and its first cell.
    fn begin(&self, html: &mut Html, kind: &'static str, classes: &[&'static str]) {
        let tree = self.waterfall.tree;
        html.raw("<tr role=\"row\" class=\"").raw(kind);
        let service = tree.span(self.row.span).and_then(|span| span.identity.service);
        let color = service.and_then(|number| COLORS.get(number % COLORS.len()));
        for class in classes.iter().chain(color) {
            html.raw(" ").raw(class);
        }
        html.raw("\"").attribute("aria-level", self.row.depth + 1);
        if kind == "s" {
            html.attribute("data-span", self.row.span);
        }
        let depth = DEPTHS.get(self.row.depth.min(DEPTHS.len() - 1)).copied().unwrap_or_default();
        html.raw("><td class=\"n ").raw(depth).raw("\"");
        // Texts take the place of the bar.
        html.raw(if matches!(kind, "e" | "m") { " colspan=\"2\">" } else { ">" });
    }

    fn put_span(&self, html: &mut Html) {
        let (tree, number) = (self.waterfall.tree, self.row.span);
        let Some(span) = tree.span(number) else { return };
        let is_in_chain = self.waterfall.is_in_chain(number).then_some("chain");
        let has_errors = (span.counts.errors > 0).then_some("err");
        let classes: Vec<_> = is_in_chain.into_iter().chain(has_errors).collect();
        self.begin(html, "s", &classes);
        if let Some(service) = tree.service(number) {
            html.element("span", "service", service).raw(" ");
        }
        html.element("span", "name", &tree.name(number));
        if let Some(about) = &span.identity.about {
            html.raw(" ").element("span", "about", about);
        }
        if let Some(remark) = tree.remark(number) {
            html.raw(" ").element("span", "about", remark);
        }
        let counts = span.counts;
        if counts.errors > 0 {
            html.raw(" ").element("span", "badge err", &counted(counts.errors, "error", "errors"));
        }
        if counts.warnings > 0 {
            html.raw(" ").element("span", "badge warn", &counted(counts.warnings, "warning", "warnings"));
        }
        for oddity in oddities(self.waterfall, number, MICRO) {
            html.element("span", "odd", &oddity);
        }
        html.raw("</td><td class=\"b\">");
        let extent = tree.extent(number);
        if let Some(extent) = extent {
            self.put_drawing(html, |html| self.put_bar(html, span, extent));
        }
        html.raw("</td><td class=\"t\">");
        match extent {
            Some(extent) if extent.is_measured => html.text(&duration(extent.nanos(), MICRO)),
            Some(extent) => html.element("span", "least", "≥ ").text(&duration(extent.nanos(), MICRO)),
            None => html.element("span", "least", "no time"),
        };
        html.raw("</td></tr>\n");
    }

    fn put_drawing(&self, html: &mut Html, put: impl FnOnce(&mut Html)) {
        if self.whole.is_some() {
            html.raw("<svg viewBox=\"0 0 1000 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
            put(html);
            html.raw("</svg>");
        }
    }

    /// Draws a bar, and a mark for each line in it; of those in the same place, the most severe one.
    fn put_bar(&self, html: &mut Html, span: &Span, extent: Extent) {
        let (x, width) = self.place(extent.start, extent.end);
        put_rect(html, "bar", x, (3.0, 10.0), width.max(2.0));
        let mut marks = std::collections::BTreeMap::new();
        for event in &span.events {
            let Some(time) = event.time else { continue };
            let (x, _) = self.place(time, time);
            let mark = marks.entry((x / 4.0) as u64).or_insert((event.level, x));
            *mark = if event.level > mark.0 { (event.level, x) } else { *mark };
        }
        for (level, x) in marks.into_values() {
            let class = class_of(level).unwrap_or("line");
            let (height, width) = if class == "line" { ((1.0, 14.0), 2.0) } else { ((0.0, 16.0), 5.0) };
            put_rect(html, class, x.min(SCALE - width), height, width);
        }
    }

    /// Returns where a time is in a drawing, and its width.
    fn place(&self, start: i64, end: i64) -> (f64, f64) {
        let Some(whole) = self.whole else { return (0.0, 0.0) };
        let place = |time: i64| time.saturating_sub(whole.start) as f64 / whole.nanos() as f64 * SCALE;
        (place(start), place(end) - place(start))
    }

    fn put_event(&self, html: &mut Html, event: &Event) {
        self.begin(html, "e", class_of(event.level).as_slice());
        if let Some(level) = event.level {
            html.element("span", "level", level.as_str()).raw(" ");
        }
        html.element("span", "message", &event.message);
        if let Some(error) = event.error.as_deref().filter(|error| **error != *event.message) {
            html.raw(" ").element("span", "cause", error);
        }
        let after = event.time.zip(self.whole).map(|(time, whole)| time.saturating_sub(whole.start));
        let after = after.map(|nanos| format!("+{}", duration(nanos, MICRO))).unwrap_or_default();
        html.raw("</td>").element("td", "t", &after).raw("</tr>\n");
    }
}

/// Draws a rectangle. `height`: its top and its height.
fn put_rect(html: &mut Html, class: &'static str, x: f64, height: (f64, f64), width: f64) {
    let digits = |value: f64| format!("{value:.1}");
    html.raw("<rect class=\"").raw(class).raw("\"").attribute("x", digits(x)).attribute("y", height.0);
    html.attribute("width", digits(width)).attribute("height", height.1).raw("/>");
}

/// Returns the class of severe lines.
fn class_of(level: Option<LineLevel>) -> Option<&'static str> {
    match level {
        level if level >= Some(LineLevel::Error) => Some("err"),
        level if level >= Some(LineLevel::Warn) => Some("warn"),
        _ => None,
    }
}

/// Returns what the page tells of a span when it is chosen, by the span's number.
fn details(waterfall: &Waterfall<'_>) -> Value {
    let tree = waterfall.tree;
    let zero = tree.whole().map_or(0, |whole| whole.start);
    let shown = waterfall.rows.iter().filter(|row| matches!(row.kind, Kind::Span));
    let details = shown.filter_map(|row| {
        let span = tree.span(row.span)?;
        let texts = [
            ("name", Some(tree.name(row.span))),
            ("about", span.identity.about.clone()),
            ("service", tree.service(row.span).map(str::to_owned)),
            ("span id", span.identity.id.clone()),
            ("trace id", tree.store.traces.name(span.identity.trace).map(str::to_owned)),
            ("parent", tree.parent(row.span).map(|parent| tree.name(parent))),
            (
                "start",
                tree.extent(row.span).map(|extent| format!("+{}", duration(extent.start.saturating_sub(zero), MICRO))),
            ),
            ("time", tree.extent(row.span).map(|extent| duration(extent.nanos(), MICRO))),
            (
                "own time in the longest chain",
                waterfall.chain.get(row.span).copied().flatten().map(|own| duration(own, MICRO)),
            ),
        ];
        let mut object: Map<String, Value> =
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect();
        object.insert("lines".to_owned(), json!(span.counts.lines));
        Some((row.span.to_string(), Value::Object(object)))
    });
    Value::Object(details.collect())
}
