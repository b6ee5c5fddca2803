// Draws the charts with uPlot: lines by what ranked, days along them; numbered marks; the legend says the values of a
// day, of what ranked on it.
(() => {
  const boxes = [...document.querySelectorAll("[data-chart]")], marks = JSON.parse(document.querySelector("#marks")?.dataset.marks || "[]");
  const written = (v, unit) => v == null ? "–" : unit === "share" ? `${(100 * v).toFixed(1)} %` : unit === "count" ? `${v}` : v.toFixed(2);
  const names = [...new Set(boxes.flatMap((b) => JSON.parse(b.dataset.chart).lines.map((l) => l.by)))];
  const tone = (name) => { const e = document.createElement("i"); e.className = name; document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; };
  const DAY = 86400, day = (s) => new Date(s * 1e3).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const numbered = (u) => {
    const { ctx, bbox } = u, px = devicePixelRatio;
    Object.assign(ctx, { strokeStyle: tone("tone-soft"), fillStyle: tone("tone-soft"), font: `${11 * px}px sans-serif`, textAlign: "center", lineWidth: px });
    ctx.setLineDash([3 * px, 3 * px]);
    marks.forEach((m, n) => {
      const x = Math.round(u.valToPos(m.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
      ctx.fillText(n + 1, x, bbox.top - 3 * px);
    });
    ctx.setLineDash([]);
  };
  const draw = (box) => {
    const { days, lines } = JSON.parse(box.dataset.chart), units = [...new Set(lines.map((l) => l.unit))];
    const said = (n) => lines.some((l) => l.values[n] != null), whole = days.findLastIndex((d, n) => said(n) && d + DAY / 2 < Date.now() / 1e3);
    const last = whole < 0 ? days.findLastIndex((_, n) => said(n)) : whole;  // a day that is not over says too little
    const legend = (u) => {
      if (u.legend.idx == null) return u.setLegend({ idx: last });
      u.root.querySelectorAll(".u-series").forEach((row, n) => { row.hidden = u.data[n][u.legend.idx] == null; });
    };
    box.plot?.destroy();
    const axis = (more) => ({ stroke: tone("tone-soft"), grid: { stroke: tone("tone-line"), width: 1 }, ticks: { show: false }, font: "12px sans-serif", ...more });
    box.plot = new uPlot({
      width: box.clientWidth, height: 184, padding: [14, 8, 0, 0], tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), "Etc/UTC"),
      cursor: { sync: { key: "days" }, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { range: (_, first, last) => days.length > 1 ? [first, last] : [days[0] - DAY, days[0] + DAY] }, ...Object.fromEntries(units.map((u) => [u, { range: (_, low, high) => u === "auc" ? [Math.min(low, 0.45), Math.max(high, 0.75)] : [0, high * 1.15 || 1] }])) },
      axes: [axis({ values: (_, at) => at.map(day), space: 60, size: 30, incrs: [1, 2, 7, 14, 28].map((n) => n * DAY) }),
        ...units.map((u, n) => axis({ scale: u, side: n ? 1 : 3, size: 46, ...(n ? { grid: { show: false } } : {}), values: (_, at) => at.map((v) => u === "share" ? `${Math.round(1000 * v) / 10} %` : `${Math.round(100 * v) / 100}`) }))],
      series: [{ label: "Day", value: (_, s) => s == null ? "–" : day(s) }, ...lines.map((l) => ({
        label: l.label, scale: l.unit, stroke: tone(`tone-${names.indexOf(l.by) % 5}`), width: 2, dash: l.unit === "ratio" ? [6, 4] : undefined, points: { size: 6 },
        value: (_, v) => written(v, l.unit) }))],
      hooks: { draw: [numbered], ready: [legend], setLegend: [legend] },
    }, [days, ...lines.map((l) => l.values)], box);
  };
  const all = () => boxes.forEach(draw);
  all();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; all(); } });
})();
