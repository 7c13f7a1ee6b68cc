"""What every page of results shares: its style, and the script that sorts tables."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --line: #d0d5dc; --soft: #f3f5f8;
  --quiet: #55606e; --mark: #0b63c5; --bar: #6f9fd8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #14171b; --line: #3a424c; --soft: #1e2329;
  --quiet: #a5b0bd; --mark: #7db7ff; --bar: #3f6fa8; } }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
p, li { max-width: 48rem; }
.quiet, caption, .missing { color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 40rem; }
caption { text-align: left; padding: .4rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .7rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--soft); }
td small { display: block; color: var(--quiet); white-space: nowrap; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: .2rem;
  cursor: pointer; }
th button::after { content: " \\2195"; color: var(--quiet); }
th[aria-sort="ascending"] button::after { content: " \\2191"; color: var(--mark); }
th[aria-sort="descending"] button::after { content: " \\2193"; color: var(--mark); }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .axis { fill: var(--quiet); }
svg .bar { fill: var(--bar); } svg .mean { stroke: var(--mark); stroke-width: 2.5; } svg .line { stroke: var(--line); }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; padding: 0; }
.examples li { list-style: none; border: 1px solid var(--line); border-radius: .4rem; padding: .7rem; }
audio { width: 100%; } code { overflow-wrap: anywhere; }
"""

SCRIPT = """
"use strict";
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const first = head.dataset.first || "descending";
    const other = first === "descending" ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const th of head.parentNode.cells) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const place = head.cellIndex, way = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const x = a.cells[place].dataset.value, y = b.cells[place].dataset.value;
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      const number = Number(x) - Number(y);
      return way * (Number.isNaN(number) ? x.localeCompare(y) : number);
    };
    body.append(...[...body.rows].sort(compare));
    const said = document.getElementById("said");
    if (said) said.textContent = `Sorted by ${button.textContent}, ${order}`;
  });
}
"""
