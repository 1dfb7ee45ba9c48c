"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const tools = $("tools"), search = $("search"), found = $("found");
  const rows = [...document.querySelectorAll(".services tbody tr, .top tr, details.error")];
  const errors = rows.filter((row) => row.tagName === "DETAILS");
  rows.forEach((row) => { row.words = row.textContent.toLowerCase(); });

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.words.includes(word));
      if (!row.hidden) count += 1;
    }
    found.textContent = words.length > 0 ? `${count} of ${rows.length} rows` : "";
  }

  search.addEventListener("input", show);
  $("unfold").addEventListener("click", () => errors.forEach((error) => { error.open = true; }));
  $("fold").addEventListener("click", () => errors.forEach((error) => { error.open = false; }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); }
    if (event.key === "Escape" && search.value) { search.value = ""; show(); }
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;
})();
