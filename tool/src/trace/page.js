"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const table = $("spans");
  const rows = [...table.tBodies[0].rows];
  const spans = JSON.parse($("data").textContent);
  const tools = $("tools"), search = $("search"), lines = $("lines"), only = $("only"), found = $("found");
  const details = $("details"), fields = $("fields");

  // Each row's parent, from the levels; rows are in the order of the tree.
  const path = [];
  rows.forEach((row, at) => {
    const level = Number(row.getAttribute("aria-level"));
    row.at = at;
    row.level = level;
    row.up = level > 1 ? path[level - 1] : undefined;
    path[level] = row;
    row.words = row.textContent.toLowerCase();
    row.tabIndex = -1;
    if (row.up) row.up.hasInside = true;
  });
  for (const row of rows) {
    if (!row.hasInside) continue;
    const button = document.createElement("button");
    button.className = "fold";
    button.type = "button";
    button.tabIndex = -1;
    button.setAttribute("aria-hidden", "true");
    row.cells[0].prepend(button);
    row.button = button;
    fold(row, false);
  }

  function fold(row, is) {
    if (!row.button) return;
    row.isFolded = is;
    row.button.textContent = is ? "▸" : "▾";
    row.setAttribute("aria-expanded", String(!is));
  }

  function isChosen(row, words) {
    const kind = row.classList;
    if (kind.contains("e")) {
      const isSevere = kind.contains("warn") || kind.contains("err");
      if (lines.value === "none" || (lines.value === "severe" && !isSevere)) return false;
    }
    if (only.value === "chain" && !kind.contains("chain")) return false;
    if (only.value === "errors" && !kind.contains("err")) return false;
    return words.every((word) => row.words.includes(word));
  }

  // Shows what is chosen, with everything around it, unless it is folded.
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isFiltered = words.length > 0 || only.value !== "all";
    let count = 0;
    for (const row of rows) row.isShown = false;
    for (const row of rows) {
      if (!isChosen(row, words)) continue;
      count += 1;
      for (let around = row; around && !around.isShown; around = around.up) around.isShown = true;
    }
    for (const row of rows) {
      row.isInFold = Boolean(row.up && (row.up.isInFold || (row.up.isFolded && !isFiltered)));
      row.hidden = !row.isShown || row.isInFold;
    }
    found.textContent = isFiltered ? `${count} of ${rows.length} rows` : "";
    if (!current || current.hidden) move(rows.find((row) => !row.hidden), false);
  }

  let current;
  function move(row, hasFocus = true) {
    if (!row) return;
    if (current) { current.tabIndex = -1; current.classList.remove("at"); }
    current = row;
    row.tabIndex = 0;
    if (hasFocus) { row.classList.add("at"); row.focus(); }
  }

  function step(by) {
    for (let at = current.at + by; at >= 0 && at < rows.length; at += by) {
      if (!rows[at].hidden) return move(rows[at]);
    }
  }

  function tell(row) {
    const span = spans[row.dataset.span];
    if (!span) return;
    fields.replaceChildren();
    for (const [name, value] of Object.entries(span)) {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name;
      text.textContent = String(value);
      fields.append(term, text);
    }
    details.hidden = false;
  }

  table.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || row.at === undefined) return;
    move(row);
    if (event.target.closest(".fold")) { fold(row, !row.isFolded); show(); } else if (!String(getSelection())) tell(row);
  });
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !current) return;
    const keys = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      ArrowRight: () => { if (current.isFolded) { fold(current, false); show(); } else step(1); },
      ArrowLeft: () => { if (current.button && !current.isFolded) { fold(current, true); show(); } else move(current.up); },
      Home: () => move(rows.find((row) => !row.hidden)),
      End: () => move(rows.findLast((row) => !row.hidden)),
      Enter: () => tell(current),
      " ": () => tell(current),
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); }
    if (event.key !== "Escape") return;
    if (!details.hidden) { details.hidden = true; if (current) current.focus(); } else if (search.value) { search.value = ""; show(); }
  });
  for (const control of [search, lines, only]) control.addEventListener("input", show);
  $("fold").addEventListener("click", () => { for (const row of rows) fold(row, row.level > 1 || row.hasInside); show(); });
  $("unfold").addEventListener("click", () => { for (const row of rows) fold(row, false); show(); });
  $("close").addEventListener("click", () => { details.hidden = true; if (current) current.focus(); });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;
  table.classList.add("js");
  show();
})();
