// Tables of the operator's pages: a click on a heading sorts, a field above filters. Without this they can be read.
"use strict";
for (const table of document.querySelectorAll("table[data-sorts]")) {
  const body = table.tBodies[0], rows = [...body.rows];
  const number = (text) => { const n = parseFloat(text.replace(/,/g, "")); return /^[-+.\d]/.test(text) && !/^\d{4}-/.test(text) && !isNaN(n) ? n : null; };
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = head.textContent; head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[place].textContent.trim();
      rows.sort((a, b) => {
        const x = number(key(a)), y = number(key(b));
        const order = x !== null && y !== null ? x - y : (x !== null) - (y !== null) || key(a).localeCompare(key(b));
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
  if (rows.length > 5) {
    const field = document.createElement("input");
    field.type = "search"; field.placeholder = "Filter"; field.className = "filter";
    field.setAttribute("aria-label", `Filter ${table.parentElement.getAttribute("aria-label") || "the table"}`);
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    table.parentElement.before(field);
  }
}
