// Runs once for every HTML block of the seller's page: native controls in, one event ("act") out.
// Nothing here decides anything: it only tells the server what was pressed, and keeps what a person
// opened or is typing while the block is drawn again around it.
const state = (window.iplState ??= { open: new Set(), unfolded: new Set() });
const store = window.iplStore;
// What is typed and not sent yet, by field; it stays in the tab's storage through a reload, after which it is filled in.
const typed = (window.iplTyped ??= JSON.parse(store.iplTyped ?? "{}"));
const filled = (window.iplFilled ??= new Set());

const PHOTOS = ".jpg, .jpeg, .png, .webp, .heic, .heif";
const PARTS = /,(?![\d-])|;/; // no comma of a number, as in "10,5 cm"

// What a form holds. Of the fields with a version those that were changed here, with the version that was shown.
function values(form) {
  const data = { versions: {} };
  for (const field of form?.elements ?? []) {
    if (!field.name) continue;
    if (!("version" in field.dataset)) data[field.name] = field.value;
    else if (field.value !== field.iplText) {
      data[field.name] = field.iplSent = field.value;
      data.versions[field.name] = field.iplVersion;
      forget(field);
    }
  }
  return data;
}

function forget(field) {
  delete typed[field.id];
  store.iplTyped = JSON.stringify(typed);
}

// What was typed beside another draft is not filled in beside this one.
function show({ page, address }) {
  if (page === "mine") return;
  if (store.iplDraft && store.iplDraft !== address) {
    Object.keys(typed).forEach((id) => { delete typed[id]; });
    store.iplTyped = "{}";
  }
  store.iplDraft = address === "/" ? "" : address;
}

function fill(field, id = field?.id) {
  if (!field || filled.has(id) || !(id in typed)) return;
  filled.add(id);
  field.value = typed[id].text;
  field.iplVersion = typed[id].version ?? field.iplVersion;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// Requests may overtake one another: of two steps to another page the one that was pressed last counts.
const nextPress = () => String(state.presses = (state.presses ?? 0) + 1);

// Every press beside the draft brings along what is being typed in it.
function send({ run, ...data }, form) {
  const beside = values(run ? document.getElementById("ipl-draft-form") : element.querySelector("#ipl-draft-form"));
  const sent = values(form);
  if (run) state.more = beside.more;
  trigger(run ? "run" : "act", { ...beside, ...sent, ...data, press: nextPress(), versions: { ...beside.versions, ...sent.versions } });
}

function reveal(id, on) {
  const panel = document.getElementById(id);
  if (!panel) return;
  panel.hidden = !on;
  element.querySelectorAll(`[data-open="${CSS.escape(id)}"]`).forEach((b) => b.setAttribute("aria-expanded", String(on)));
}

// What is shown is not inside something closed.
function unfold(part) {
  for (let box = part.parentElement; box && box !== element; box = box.parentElement) {
    if (box.tagName === "DETAILS") { box.open = true; state.open.add(box.dataset.keep); }
    const id = box.getAttribute("id"); // of a form, .id is its field of that name
    if (box.hidden && id) { state.open.add(id); reveal(id, true); }
  }
}

// The panel of an underlined word: one at a time, the first choice has the focus.
function pick(mark, on) {
  element.querySelectorAll(".pick:not([hidden])").forEach((panel) => { state.open.delete(panel.id); reveal(panel.id, false); });
  if (!on) return;
  state.open.add(mark.dataset.open);
  state.words = { ...mark.dataset };
  reveal(mark.dataset.open, true);
  const panel = document.getElementById(mark.dataset.open);
  panel.querySelector("button").focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest" });
}

// Words for the item that begin like the part being typed; the first one is a press of Enter away.
function suggest() {
  const field = element.querySelector("[data-suggest]"), box = field && document.getElementById(field.dataset.suggest);
  if (!box) return;
  const part = field.value.split(PARTS).pop().trim().toLowerCase();
  const rank = (word) => [word === part, word.startsWith(part), ` ${word}`.includes(` ${part}`), word.includes(part), true].indexOf(true);
  const words = part ? [...element.querySelectorAll("#l-adds option")].map(({ value }) => value) : [];
  const matches = [0, 1, 2, 3].flatMap((n) => words.filter((word) => rank(word) === n)).slice(0, 5);
  box.replaceChildren(...matches.map((word) => Object.assign(document.createElement("button"), { type: "button", className: "chip", textContent: word })));
}

function tell(field, word) {
  const parts = field.value.split(PARTS);
  if (word) parts[parts.length - 1] = word;
  const more = parts.map((part) => part.trim()).filter(Boolean).join(", ");
  field.value = "";
  forget(field);
  suggest();
  field.focus({ preventScroll: true });
  if (more) send({ do: "add", more });
}

// Publishing without a price asks once for each draft.
function asksPrice() {
  const key = element.querySelector("#ipl-draft-form [name=key]").value;
  const asked = state.unpriced === key || element.querySelector("#price")?.value.trim();
  state.unpriced = key;
  reveal("no-price", !asked);
  if (asked) { state.open.delete("no-price"); return false; }
  state.open.add("no-price");
  const box = element.querySelector("#no-price");
  box.scrollIntoView({ block: "nearest" });
  box.querySelector("button").focus({ preventScroll: true });
  return true;
}

// The address says what stands there: a step back and forth in the browser opens it, and each new one is a step.
function arrive({ address, visits }) {
  const here = location.pathname + location.search;
  if (state.visits === undefined) window.addEventListener("popstate", () => {
    const query = new URLSearchParams(location.search), form = document.getElementById("ipl-draft-form");
    trigger("act", { ...values(form), do: "visit", draft: query.get("draft") ?? "", show: query.get("show") ?? "", press: nextPress() });
  });
  if (here !== address) history[state.visits === visits ? "pushState" : "replaceState"](null, "", address);
  state.visits = visits;
}

function settle() {
  // After each redraw: open panels stay open; a field takes the server's text unless its owner is typing in it. Then
  // it also keeps the version that its owner was shown.
  state.open.forEach((id) => element.querySelector(`[id="${CSS.escape(id)}"]`) && reveal(id, true));
  element.querySelectorAll("[data-text]").forEach((field) => {
    const { text, version } = field.dataset;
    if (field.iplText === text && field.iplVersion === version) return;
    const open = document.activeElement === field || (field.form?.dataset.do === "save" && !field.form.hidden);
    const typing = open && field.value !== (field.iplText ?? "") && field.value !== field.iplSent;
    field.iplText = text;
    if (typing) return;
    field.value = text;
    field.iplVersion = version;
  });
  const frame = element.querySelector("[data-address]");
  if (frame) {
    show(frame.dataset);
    requestAnimationFrame(() => fill(document.querySelector("#ipl-note textarea"), "note")); // Gradio's, painted now
    arrive(frame.dataset);
  }
  element.querySelectorAll("textarea, input").forEach((field) => fill(field));
  const more = element.querySelector("[data-told]"); // emptied once its words are in the text, if nobody typed on
  if (more && more.dataset.told !== state.statements) {
    if (state.more && more.value === state.more) { more.value = state.more = ""; forget(more); }
    state.statements = more.dataset.told;
  }
  element.querySelectorAll("details[data-keep]").forEach((d) => { d.open = state.open.has(d.dataset.keep); });
  const fresh = [...element.querySelectorAll("[data-show]")].filter(({ dataset }) => !state.unfolded.has(dataset.show));
  fresh.forEach((part) => { state.unfolded.add(part.dataset.show); unfold(part); });
  fresh[0]?.scrollIntoView({ block: "nearest" });
  suggest();
  const next = state.settled && element.querySelector(".mirror mark[data-open], .bottom .main");
  if (next) { state.settled = false; next.focus({ preventScroll: true }); }
  const adds = element.querySelectorAll(".adds button");
  if (state.adding >= 0 && adds.length) { adds[Math.min(state.adding, adds.length - 1)].focus({ preventScroll: true }); state.adding = -1; }
  // What is no photo is named by the server.
  document.querySelectorAll("input[type=file]:not([accept])").forEach((field) => { field.accept = PHOTOS; });
  const say = element.querySelector("[data-focus]");
  if (say && say.dataset.focus !== state.focused) { state.focused = say.dataset.focus; say.focus(); window.scrollTo({ top: 0 }); }
}

element.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    const on = opener.getAttribute("aria-expanded") !== "true";
    if (opener.tagName === "MARK") return pick(opener, on);
    state.open[on ? "add" : "delete"](opener.dataset.open);
    reveal(opener.dataset.open, on);
    return;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) {
    state.open.delete(closer.dataset.close);
    reveal(closer.dataset.close, false);
    (closer.dataset.close === "no-price" ? element.querySelector("#price") : element.querySelector(`[data-open="${CSS.escape(closer.dataset.close)}"]`))?.focus();
    return;
  }
  const { choose, first, id, retype, copy } = event.target.closest("button")?.dataset ?? {};
  if (choose) {
    if (first) send({ do: first, id });
    return document.querySelector(choose)?.click();
  }
  if (copy) {
    const { target } = event;
    return navigator.clipboard?.writeText(copy).then(() => { target.textContent = "Copied"; setTimeout(() => { target.textContent = "Copy text"; }, 2000); });
  }
  if (retype) {
    const field = document.getElementById(`t-${retype}`);
    field.focus();
    return field.setSelectionRange(Number(state.words.start), Number(state.words.end));
  }
  const proposed = event.target.closest("#s-adds button"), field = element.querySelector("[data-suggest]");
  if (proposed) return tell(field, proposed.textContent);
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  if (button.dataset.do === "add" && !button.dataset.name) return tell(field);
  const panel = button.closest(".pick");
  if (panel) { state.open.delete(panel.id); reveal(panel.id, false); }
  state.settled = Boolean(panel ?? button.closest(".checks"));
  state.adding = [...element.querySelectorAll(".adds button")].indexOf(button);
  send({ ...button.dataset });
});

// What opens or closes is known at once: the event that says so comes later, and the page may be drawn again before.
element.addEventListener("click", ({ target }) => {
  const box = target.closest("summary")?.parentElement;
  if (box?.dataset.keep) state.open[box.open ? "delete" : "add"](box.dataset.keep);
});

element.addEventListener("toggle", (event) => {
  const name = event.target.dataset?.keep;
  if (name) state.open[event.target.open ? "add" : "delete"](name);
}, true);

element.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.dataset.do === "publish" && asksPrice()) return;
  send({ do: form.dataset.do, run: form.dataset.run }, form);
  [...form.elements].forEach(forget);
  const id = form.getAttribute("id"); // form.id is its field of that name
  if (id && state.open.delete(id)) reveal(id, false);
});

element.addEventListener("change", (event) => {
  const field = event.target.closest("[data-change]");
  if (!field) return;
  field.iplSent = field.value;
  forget(field);
  trigger("act", { do: field.dataset.change, field: field.name, value: field.value, version: field.iplVersion });
});

let pause;
element.addEventListener("input", (event) => {
  const { live } = event.target.dataset;
  if (live) {
    clearTimeout(pause);
    pause = setTimeout(() => send({ do: live, value: event.target.value }), 200);
  }
  suggest();
  const mirror = event.target.parentElement?.querySelector(":scope > .mirror");
  if (mirror) mirror.textContent = event.target.value + "\u200b";
});

element.addEventListener("keydown", (event) => {
  const mark = event.target.closest("mark[data-open]");
  if (mark && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); mark.click(); }
  const open = event.key === "Escape" && event.target.closest(".pick");
  if (open) { pick(null, false); element.querySelector(`mark[data-open="${CSS.escape(open.id)}"]`)?.focus(); }
  if (event.key === "Enter" && event.target.dataset.suggest) {
    event.preventDefault();
    tell(event.target, element.querySelector("#s-adds button")?.textContent);
  }
  // A one-line title: Enter saves it instead of breaking the line.
  if (event.key === "Enter" && event.target.name === "title" && event.target.tagName === "TEXTAREA") { event.preventDefault(); event.target.blur(); }
});

// Reorder by dragging (the arrows do the same for touch and keyboard).
let dragged = null;
element.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".shot");
  if (dragged) { dragged.classList.add("dragging"); event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/x-ipl", dragged.dataset.photo); }
});
element.addEventListener("dragend", () => { element.querySelectorAll(".shot").forEach((s) => s.classList.remove("dragging", "over")); dragged = null; });
element.addEventListener("dragover", (event) => {
  const over = event.target.closest(".shot");
  if (!dragged || !over) return;
  event.preventDefault();
  element.querySelectorAll(".shot").forEach((s) => s.classList.toggle("over", s === over && s !== dragged));
});
element.addEventListener("drop", (event) => {
  const over = event.target.closest(".shot");
  if (!dragged || !over) return;
  event.preventDefault();
  event.stopPropagation();
  if (over !== dragged) send({ do: "photo_move", photo: dragged.dataset.photo, to: over.dataset.place });
});

// A press counts for the control that was under it when it began, though the page is drawn again or moves before the
// release: the browser would give the click to nobody, or to what came to lie there.
if (!window.iplPress) {
  const CONTROLS = "button, summary, [data-open]";
  const same = (html) => [...document.querySelectorAll(CONTROLS)].filter((control) => control.outerHTML === html);
  const place = (control) => { const { x, y } = control.getBoundingClientRect(); return `${x} ${y}`; };
  let press = null, counted = false;
  window.iplPress = true;
  document.addEventListener("pointerdown", ({ target, button, isPrimary, clientX, clientY }) => {
    counted = false;
    const control = button === 0 && isPrimary && target.closest?.(CONTROLS);
    press = control && { control, html: control.outerHTML, nth: same(control.outerHTML).indexOf(control), at: place(control), clientX, clientY };
  }, true);
  document.addEventListener("pointercancel", () => { press = null; }, true);
  document.addEventListener("pointerup", ({ target, clientX, clientY }) => {
    const { control, html, nth, at, ...from } = press || {};
    press = null;
    if (!control || Math.hypot(clientX - from.clientX, clientY - from.clientY) > 10) return;
    const now = same(html)[nth];
    if (!now || (now === control && (control.contains(target) || place(control) === at))) return;
    counted = true;
    now.click();
  }, true);
  document.addEventListener("click", (event) => { // the browser's own, of the same press
    if (event.isTrusted && event.detail && counted) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
}

if (!window.iplTyping) {
  window.iplTyping = true;
  document.addEventListener("input", ({ target }) => {
    const id = target.closest("#ipl-note") ? "note" : target.closest(".ipl") && !target.dataset.live && target.id;
    if (!id) return;
    typed[id] = { text: target.value, version: target.iplVersion };
    filled.add(id);
    store.iplTyped = JSON.stringify(typed);
  }, true);
}

// A page that is put away saves what is being typed in it.
if (!window.iplAway) {
  window.iplAway = true;
  document.addEventListener("visibilitychange", () => document.hidden && document.activeElement?.matches("[data-change]") && document.activeElement.blur());
}

// Photos dropped or pasted anywhere go through the same upload control as chosen ones.
if (!window.iplDrop) {
  window.iplDrop = true;
  const hand = (files) => {
    const input = document.querySelector("#ipl-add input[type=file], #ipl-add-box input[type=file]") ?? document.querySelector("input[type=file]");
    if (!files.length || !input) return;
    const box = new DataTransfer();
    files.forEach((file) => box.items.add(file));
    input.files = box.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("paste", (event) => {
    const images = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (images.length) event.preventDefault();
    hand(images);
  });
  document.addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); document.body.classList.add("dropping"); } });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => { document.body.classList.remove("dropping"); if (carries(event)) { event.preventDefault(); hand([...event.dataTransfer.files]); } });
}

// Answers can overtake one another: a painting that is older than what stands here is put back.
const painting = (html) => Number(/^<!--(\d+)-->/.exec(html ?? "")?.[1] ?? 0);
let newest = props.value;
watch("value", () => {
  if (painting(props.value) < painting(newest)) props.value = newest;
  else { newest = props.value; settle(); }
});
settle();
