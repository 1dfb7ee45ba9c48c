//! The answer as a page: tables and drawings, which are complete without its script.

use serde_json::Value;

use super::answer::Answer;
use super::level_counts::LevelCounts;
use super::quantiles::{Measure, Quantiles};
use super::run::Run;
use super::table::lines_text;
use super::table::{grouped, span_text, time_text};
use super::text::{quantile_rows, service_columns, shown};
use super::timeline::Step;
use super::top::TopTexts;
use crate::loggers::LineLevel;
use crate::loggers::time::NANOS;
use crate::page::{Html, Page};

/// How many rows a table has at most.
const MAX_ROWS: usize = 200;

/// How many steps of time are drawn at most.
const MAX_STEPS: usize = 120;

/// The width and the height of a drawing, whatever its size on the screen.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// The parts of a bar, from its beginning: class, name, and levels.
const PARTS: [(&str, &str, LineLevel, LineLevel); 4] = [
    ("error", "error", LineLevel::Error, LineLevel::Emergency),
    ("warn", "warn", LineLevel::Warn, LineLevel::Warn),
    ("info", "info", LineLevel::Info, LineLevel::Notice),
    ("debug", "debug, trace", LineLevel::Trace, LineLevel::Debug),
];

const TOOLS: &str = r#"<form id="tools" class="tools" role="search" hidden>
<input id="search" type="search" placeholder="Filter rows ( / )" aria-label="Filter rows" autocomplete="off" spellcheck="false">
<button type="button" id="unfold">Unfold errors</button><button type="button" id="fold">Fold errors</button>
<output id="found" class="faint" aria-live="polite"></output>
</form>
"#;

impl Answer {
    /// Returns the page. `lately`: what is recent, such as `in the last 5m`. `errors`: the recent ones, as objects.
    pub(crate) fn html(&self, run: &Run, lately: &str, errors: &[Value]) -> String {
        page(self, run, lately, errors)
    }
}

fn page(answer: &Answer, run: &Run, lately: &str, errors: &[Value]) -> String {
    let mut body = Html::default();
    body.raw("<header>\n<h1>Log statistics</h1>\n");
    for line in run.head(answer) {
        body.element("p", "faint", &line).raw("\n");
    }
    body.raw("</header>\n").raw(TOOLS);
    put_figures(&mut body, answer, lately);
    put_time(&mut body, answer);
    put_services(&mut body, answer);
    put_errors(&mut body, answer, errors);
    put_top(&mut body, "Messages", &answer.messages);
    put_top(&mut body, "Targets", &answer.targets);
    for (measure, quantiles) in &answer.measures {
        put_quantiles(&mut body, measure, quantiles);
    }
    put_losses(&mut body, answer);
    body.raw("<footer>").element("p", "faint", &run.end()).raw("</footer>\n");
    let (style, script) = (include_str!("page.css"), include_str!("page.js"));
    Page { title: "Log statistics", body: &body, style, script }.render()
}

/// The numbers that people look for first.
fn put_figures(body: &mut Html, answer: &Answer, lately: &str) {
    let mut sum = LevelCounts::default();
    answer.services.values().for_each(|counts| sum += *counts);
    let about = if answer.traces.error > 0 { "≈ " } else { "" };
    let lost = answer.losses.iter().fold(0_u64, |sum, (_, _, lines)| sum.saturating_add(*lines));
    let figures = [
        ("lines", grouped(answer.lines)),
        ("services", grouped(answer.services.len() as u64)),
        ("errors", grouped(sum.errors())),
        ("warnings", grouped(sum.of(LineLevel::Warn))),
        ("traces", format!("{about}{}", grouped(answer.traces.ids))),
        ("lost lines", grouped(lost)),
    ];
    body.raw("<dl class=\"figures\">\n");
    for (name, figure) in figures {
        body.raw("<div>").element("dt", "", name).element("dd", "", &figure).raw("</div>\n");
    }
    let active = format!("traces {lately}");
    body.raw("<div>").element("dt", "", &active).element(
        "dd",
        "",
        &format!("{about}{}", grouped(answer.traces.active)),
    );
    body.raw("</div>\n</dl>\n");
}

/// Lines by level over time, and the share of errors.
fn put_time(body: &mut Html, answer: &Answer) {
    let (seconds, steps) = answer.timeline.steps(MAX_STEPS, None);
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return };
    let most = steps.iter().map(|step| step.counts.total()).max().unwrap_or(0).max(1);
    let step = span_text(seconds.saturating_mul(NANOS));
    section(body, "Lines over time");
    put_legend(body);
    put_drawing(body, "tall", &format!("lines for each {step}, at most {}", grouped(most)), |body| {
        for (at, one) in steps.iter().enumerate() {
            put_step(body, at as f64 / steps.len() as f64 * WIDTH, WIDTH / steps.len() as f64, one, most);
        }
    });
    put_axis(body, first, last, &format!("each {step}, at most {}", lines_text(most)));
    let share = |step: &Step| step.counts.errors() as f64 / step.counts.total().max(1) as f64;
    let worst = steps.iter().map(share).fold(0.0, f64::max);
    body.element("h3", "", "Share of errors");
    put_drawing(body, "low", &format!("share of errors, at most {:.2} %", worst * 100.0), |body| {
        let place = |(at, step): (usize, &Step)| {
            let x = (at as f64 + 0.5) / steps.len() as f64 * WIDTH;
            format!("{x:.1},{:.1}", HEIGHT - share(step) / worst.max(1e-9) * (HEIGHT - 2.0) - 1.0)
        };
        let places: Vec<String> = steps.iter().enumerate().map(place).collect();
        body.raw("<polyline class=\"share\"").attribute("points", places.join(" ")).raw("/>");
    });
    put_axis(body, first, last, &format!("at most {:.2} %", worst * 100.0));
    put_steps(body, &steps);
    body.raw("</section>\n");
}

/// One step of the drawing, from below.
fn put_step(body: &mut Html, x: f64, width: f64, step: &Step, most: u64) {
    let counts = &step.counts;
    body.raw("<g>").element("title", "", &format!("{}: {}", time_text(step.second), counts_text(counts)));
    let mut y = HEIGHT;
    for (class, lines) in parts(counts) {
        let height = lines as f64 / most as f64 * HEIGHT;
        y -= height;
        put_box(body, class, [x, y, (width * 0.9).max(0.5), height]);
    }
    // The pointer finds a step without lines, too.
    put_box(body, "any", [x, 0.0, width, HEIGHT]);
    body.raw("</g>");
}

/// The same numbers as a table that unfolds.
fn put_steps(body: &mut Html, steps: &[Step]) {
    body.raw("<details><summary>As a table</summary>\n<div class=\"wide\"><table><thead><tr><th>time</th>");
    put_cells(body, "th", PARTS.iter().map(|(_, name, ..)| *name));
    body.raw("<th>no level</th><th>lines</th></tr></thead>\n<tbody>\n");
    for step in steps {
        body.raw("<tr>").element("td", "", &time_text(step.second));
        put_cells(body, "td", parts(&step.counts).map(|(_, lines)| grouped(lines)));
        body.element("td", "", &grouped(step.counts.total())).raw("</tr>\n");
    }
    body.raw("</tbody></table></div></details>\n");
}

/// Services × levels, each with a bar.
fn put_services(body: &mut Html, answer: &Answer) {
    let mut services: Vec<_> = answer.services.iter().collect();
    services.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.total()));
    let most = services.first().map_or(0, |(_, counts)| counts.total()).max(1);
    let mut sum = LevelCounts::default();
    services.iter().for_each(|(_, counts)| sum += **counts);
    let (levels, has_others) = service_columns(&sum);
    section(body, "Services");
    put_legend(body);
    body.raw("<div class=\"wide\"><table class=\"services\"><thead><tr><th>service</th>");
    put_cells(body, "th", levels.iter().map(|level| level.as_str().to_lowercase()));
    if has_others {
        body.raw("<th>no level</th>");
    }
    body.raw("<th>lines</th><th class=\"b\"></th></tr></thead>\n<tbody>\n");
    let put = |body: &mut Html, name: &str, counts: &LevelCounts, has_bar: bool| {
        body.raw("<tr>").element("td", "", name);
        put_cells(body, "td", levels.iter().map(|level| grouped(counts.of(*level))));
        if has_others {
            body.element("td", "", &grouped(counts.without));
        }
        body.element("td", "", &grouped(counts.total())).raw("<td class=\"b\">");
        if has_bar {
            put_drawing(body, "bar", &counts_text(counts), |body| {
                let mut x = 0.0;
                for (class, lines) in parts(counts) {
                    let width = lines as f64 / most as f64 * WIDTH;
                    put_box(body, class, [x, 0.0, width, HEIGHT]);
                    x += width;
                }
            });
        }
        body.raw("</td></tr>\n");
    };
    services.iter().take(MAX_ROWS).for_each(|(name, counts)| put(body, &shown(name), counts, true));
    if let Some(rest) = services.get(MAX_ROWS..).filter(|rest| !rest.is_empty()) {
        let mut counts = LevelCounts::default();
        rest.iter().for_each(|(_, one)| counts += **one);
        put(body, &format!("({} more)", grouped(rest.len() as u64)), &counts, false);
    }
    body.raw("</tbody>\n<tfoot>");
    put(body, "all", &sum, false);
    body.raw("</tfoot></table></div>\n</section>\n");
}

/// The recent errors, the newest first. Each unfolds.
fn put_errors(body: &mut Html, answer: &Answer, errors: &[Value]) {
    let Some(since) = answer.recent_since else { return };
    section(body, "Recent errors");
    let count = answer.recent.count;
    let most =
        if (errors.len() as u64) < count { format!(", the newest {} of them", errors.len()) } else { String::new() };
    body.element("p", "faint", &format!("{} since {}{most}", grouped(count), time_text(since))).raw("\n");
    for error in errors {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        body.raw("<details class=\"error\"><summary>");
        for (class, name) in [("time", "time"), ("level", "level"), ("service", "service"), ("message", "message")] {
            if !text(name).is_empty() {
                body.element("span", class, text(name)).raw(" ");
            }
        }
        body.raw("</summary>\n<dl class=\"mono\">");
        for (name, value) in error.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            body.element("dt", "", name).element("dd", "", &value);
        }
        body.raw("</dl></details>\n");
    }
    body.raw("</section>\n");
}

fn put_top(body: &mut Html, what: &'static str, top: &TopTexts) {
    let Some((_, most)) = top.texts.first() else { return };
    section(body, what);
    let about = if top.error > 0 { "≥ " } else { "" };
    body.raw("<div class=\"wide\"><table class=\"top\"><tbody>\n");
    for (text, count) in &top.texts {
        let count_text = format!("{about}{}", grouped(*count));
        body.raw("<tr>").element("td", "count", &count_text).raw("<td class=\"b\">");
        put_drawing(body, "bar", &count_text, |body| {
            put_box(body, "info", [0.0, 0.0, *count as f64 / (*most).max(1) as f64 * WIDTH, HEIGHT]);
        });
        body.raw("</td>").element("td", "words", &shown(text)).raw("</tr>\n");
    }
    body.raw("</tbody></table></div>\n");
    if top.error > 0 {
        let error = format!("too many different ones: a count may be up to {} too low", grouped(top.error));
        body.element("p", "faint", &error).raw("\n");
    }
    body.raw("</section>\n");
}

fn put_quantiles(body: &mut Html, measure: &Measure, quantiles: &[Quantiles]) {
    body.raw("<section>").element("h2", "", &shown(&measure.field)).raw("\n");
    let (headings, rows) = quantile_rows(measure.by.as_deref(), quantiles, MAX_ROWS);
    if rows.is_empty() {
        body.element("p", "faint", "no line has a number under this name").raw("</section>\n");
        return;
    }
    if let Some(one) = quantiles.first().filter(|one| one.error > 0.0) {
        body.element("p", "faint", &format!("≈, within {:.2} %", one.error * 100.0)).raw("\n");
    }
    body.raw("<div class=\"wide\"><table><thead><tr>");
    put_cells(body, "th", &headings);
    body.raw("</tr></thead>\n<tbody>\n");
    for row in &rows {
        body.raw("<tr>");
        put_cells(body, "td", row);
        body.raw("</tr>\n");
    }
    body.raw("</tbody></table></div>\n");
    if quantiles.len() > rows.len() {
        let more = format!("{} more groups: --json has all of them", quantiles.len() - rows.len());
        body.element("p", "faint", &more).raw("\n");
    }
    body.raw("</section>\n");
}

fn put_losses(body: &mut Html, answer: &Answer) {
    if answer.losses.is_empty() {
        return;
    }
    section(body, "Lost lines, as reported in the logs");
    body.raw(
        "<div class=\"wide\"><table><thead><tr><th>service</th><th>reason</th><th>lines</th></tr></thead>\n<tbody>\n",
    );
    for (service, reason, lines) in &answer.losses {
        body.raw("<tr>").element("td", "", &shown(service)).element("td", "", &shown(reason));
        body.element("td", "", &grouped(*lines)).raw("</tr>\n");
    }
    body.raw("</tbody></table></div>\n</section>\n");
}

fn put_cells(body: &mut Html, tag: &'static str, texts: impl IntoIterator<Item = impl AsRef<str>>) {
    for text in texts {
        body.element(tag, "", text.as_ref());
    }
}

fn section(body: &mut Html, heading: &'static str) {
    body.raw("<section>").element("h2", "", heading).raw("\n");
}

fn put_legend(body: &mut Html) {
    body.raw("<p class=\"legend faint\">");
    for (class, name, ..) in PARTS {
        body.raw("<span><i class=\"key ").raw(class).raw("\"></i>").text(name).raw("</span>");
    }
    body.raw("</p>\n");
}

fn put_axis(body: &mut Html, first: &Step, last: &Step, middle: &str) {
    body.raw("<p class=\"axis faint\">").element("span", "", &time_text(first.second));
    body.element("span", "", middle).element("span", "", &time_text(last.second)).raw("</p>\n");
}

/// Puts a drawing that fills its place. `label`: what it says, for those who do not see it.
fn put_drawing(body: &mut Html, class: &'static str, label: &str, draw: impl FnOnce(&mut Html)) {
    body.raw("<svg class=\"").raw(class).raw("\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\"");
    body.attribute("aria-label", label).raw(">").element("title", "", label);
    draw(body);
    body.raw("</svg>\n");
}

fn put_box(body: &mut Html, class: &'static str, [x, y, width, height]: [f64; 4]) {
    if width > 0.0 && height > 0.0 {
        body.raw("<path class=\"").raw(class).raw("\"");
        body.attribute("d", format!("M{x:.2} {y:.2}h{width:.2}v{height:.2}h-{width:.2}z")).raw("/>");
    }
}

/// Returns the lines of each part of a bar, and those without a level.
fn parts(counts: &LevelCounts) -> [(&'static str, u64); PARTS.len() + 1] {
    let lines = |least: LineLevel, greatest: LineLevel| -> u64 {
        let levels = LineLevel::ALL.into_iter().filter(|level| (least..=greatest).contains(level));
        levels.map(|level| counts.of(level)).sum()
    };
    let [error, warn, info, debug] = PARTS.map(|(class, _, least, greatest)| (class, lines(least, greatest)));
    [error, warn, info, debug, ("none", counts.without)]
}

fn counts_text(counts: &LevelCounts) -> String {
    let levels = LineLevel::ALL.into_iter().rev().filter(|level| counts.of(*level) > 0);
    let levels = levels.map(|level| format!("{} {}", grouped(counts.of(level)), level.as_str().to_lowercase()));
    let without = (counts.without > 0).then(|| format!("{} without a level", grouped(counts.without)));
    let all: Vec<String> = levels.chain(without).collect();
    if all.is_empty() { "no lines".to_owned() } else { all.join(", ") }
}
