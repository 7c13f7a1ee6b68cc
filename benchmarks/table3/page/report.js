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
