// In the head of the seller's page: native controls in, one event ("act") out. Nothing here decides anything: it tells
// the server what was pressed, and keeps what a person opened or is typing while a block is drawn again around it.
(() => {
  const state = (window.iplState = { open: new Set(), unfolded: new Set() });
  const store = window.iplStore;
  // What is typed and not sent yet, by field; it stays in the tab's storage through a reload, after which it is filled in.
  const typed = JSON.parse(store.iplTyped ?? "{}"), filled = new Set();
  const PHOTOS = ".jpg, .jpeg, .png, .webp, .heic, .heif";
  const PARTS = /,(?![\d-])|;/; // no comma of a number, as in "10,5 cm"
  const CONTROLS = "button, summary, [data-open]";
  let act = () => {}; // tells the server what was pressed: the event of one of Gradio's blocks
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const on = (kind, listener, capture = false) => document.addEventListener(kind, listener, capture);
  const inDraft = () => document.getElementById("ipl-draft-form");

  // What a form holds. Of the fields with a version those that were changed here, with the version that was displayed.
  function values(form) {
    const data = { versions: {} };
    for (const field of form?.elements ?? []) {
      if (!field.name) continue;
      if (!("version" in field.dataset)) data[field.name] = field.value;
      else if (field.value !== field.iplText) {
        data[field.name] = field.iplSent = field.value;
        data.versions[field.name] = field.iplVersion;
        forget(field.id);
      }
    }
    return data;
  }

  function forget(...ids) {
    ids.forEach((id) => { delete typed[id]; });
    store.iplTyped = JSON.stringify(typed);
  }

  function fill(field, id = field?.id) {
    if (!field || filled.has(id) || !(id in typed)) return;
    filled.add(id);
    field.value = typed[id].text;
    field.iplVersion = typed[id].version ?? field.iplVersion;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // A press in the draft, or one that writes it, brings along what is being typed there; each brings the note.
  function send(data, from, form) {
    const draft = values((from?.closest("#ipl-draft") || data.run) && inDraft()), sent = values(form);
    if (data.run) state.more = draft.more;
    const note = one("#ipl-note textarea")?.value ?? "";
    act({ ...draft, ...sent, ...data, note, versions: { ...draft.versions, ...sent.versions } });
  }

  function reveal(id, shown) {
    const panel = document.getElementById(id);
    if (!panel) return;
    state.open[shown ? "add" : "delete"](id);
    panel.hidden = !shown;
    all(`[data-open="${CSS.escape(id)}"]`).forEach((opener) => opener.setAttribute("aria-expanded", String(shown)));
  }

  // What is displayed is not inside something closed.
  function unfold(part) {
    for (let box = part.parentElement; box; box = box.parentElement) {
      if (box.tagName === "DETAILS") { box.open = true; state.open.add(box.dataset.keep); }
      const id = box.getAttribute("id"); // of a form, .id is its field of that name
      if (box.hidden && id) reveal(id, true);
    }
  }

  // Opens a box and sets the focus on its first button.
  function open(id) {
    reveal(id, true);
    const box = document.getElementById(id);
    box.scrollIntoView({ block: "nearest" });
    box.querySelector("button").focus({ preventScroll: true });
  }

  // The panel of an underlined word: one at a time.
  function pick(mark, shown) {
    all(".pick:not([hidden])").forEach(({ id }) => reveal(id, false));
    if (!shown) return;
    state.words = { ...mark.dataset };
    open(mark.dataset.open);
  }

  // Words for the item that begin like the part being typed; the first one is a press of Enter away.
  function suggest() {
    const field = one("#more"), box = one("#s-adds");
    if (!box) return;
    const part = field.value.split(PARTS).pop().trim().toLowerCase();
    const rank = (word) => [word === part, word.startsWith(part), ` ${word}`.includes(` ${part}`), word.includes(part), true].indexOf(true);
    const words = part ? all("#l-adds option").map(({ value }) => value) : [];
    const matches = [0, 1, 2, 3].flatMap((n) => words.filter((word) => rank(word) === n)).slice(0, 5);
    box.replaceChildren(...matches.map((word) => Object.assign(document.createElement("button"), { type: "button", className: "chip", textContent: word })));
  }

  function sayMore(word) {
    const field = one("#more"), parts = field.value.split(PARTS);
    if (word) parts[parts.length - 1] = word;
    const more = parts.map((part) => part.trim()).filter(Boolean).join(", ");
    field.value = "";
    forget("more");
    suggest();
    field.focus({ preventScroll: true });
    if (more) send({ do: "add", more }, field);
  }

  // Publishing without a price asks once for each draft.
  function asksPrice() {
    const key = inDraft().elements.key.value, asked = state.unpriced === key || one("#price")?.value.trim();
    state.unpriced = key;
    if (asked) reveal("no-price", false);
    else open("no-price");
    return !asked;
  }

  // The address says what stands there: a step back and forth in the browser opens it, and each new one is a step.
  // What was typed beside another draft is not filled in beside this one.
  function arrive({ page, address, visits }) {
    if (page !== "mine") {
      if (store.iplDraft && store.iplDraft !== address) forget(...Object.keys(typed));
      store.iplDraft = address === "/" ? "" : address;
    }
    requestAnimationFrame(() => fill(one("#ipl-note textarea"), "note")); // Gradio's, painted now
    const here = location.pathname + location.search;
    if (here !== address) history[state.visits === visits ? "pushState" : "replaceState"](null, "", address);
    state.visits = visits;
  }
  window.addEventListener("popstate", () => {
    const query = new URLSearchParams(location.search);
    act({ ...values(inDraft()), do: "visit", draft: query.get("draft") ?? "", show: query.get("show") ?? "" });
  });

  // After each redraw: a field takes the server's text unless its owner is typing in it. Then it also keeps the version
  // that its owner was shown.
  function take(field) {
    const { text, version } = field.dataset;
    if (field.iplText === text && field.iplVersion === version) return;
    const inUse = document.activeElement === field || (field.form?.dataset.do === "save" && !field.form.hidden);
    const typing = inUse && field.value !== (field.iplText ?? "") && field.value !== field.iplSent;
    field.iplText = text;
    if (typing) return;
    field.value = text;
    field.iplVersion = version;
  }

  function settle(block) {
    const within = (selector) => [...block.querySelectorAll(selector)];
    state.open.forEach((id) => block.querySelector(`[id="${CSS.escape(id)}"]`) && reveal(id, true));
    within("[data-text]").forEach(take);
    within("[data-address]").forEach(({ dataset }) => arrive(dataset));
    within("textarea, input").forEach((field) => fill(field));
    const [more] = within("[data-statements]"); // emptied once its words are in the text, if nobody typed on
    if (more && more.dataset.statements !== state.statements) {
      if (state.more && more.value === state.more) { more.value = state.more = ""; forget("more"); }
      state.statements = more.dataset.statements;
    }
    within("details[data-keep]").forEach((box) => { box.open = state.open.has(box.dataset.keep); });
    const fresh = within("[data-show]").filter(({ dataset }) => !state.unfolded.has(dataset.show));
    fresh.forEach((part) => { state.unfolded.add(part.dataset.show); unfold(part); });
    fresh[0]?.scrollIntoView({ block: "nearest" });
    if (more) suggest();
    const next = state.settled && block.querySelector(".mirror mark[data-open], .bottom .main");
    if (next) { state.settled = false; next.focus({ preventScroll: true }); }
    const sheet = state.asking && block.querySelector(".bottom:has([data-unconfirmed]) p"); // in the place of Publish
    if (sheet) { state.asking = false; sheet.focus({ preventScroll: true }); }
    const adds = within(".adds button");
    if (state.adding >= 0 && adds.length) { adds[Math.min(state.adding, adds.length - 1)].focus({ preventScroll: true }); state.adding = -1; }
    all("input[type=file]:not([accept])").forEach((field) => { field.accept = PHOTOS; }); // what is no photo is named by the server
    const [heading] = within("[data-focus]");
    if (heading && heading.dataset.focus !== state.focused) { state.focused = heading.dataset.focus; heading.focus(); window.scrollTo({ top: 0 }); }
  }

  window.iplJoin = (block, tell, watch) => { // each block of Gradio's, once it is there
    act = tell;
    watch("value", () => settle(block));
    settle(block);
  };

  on("click", (event) => {
    const { target } = event, opener = target.closest("[data-open]");
    if (opener) {
      const shown = opener.getAttribute("aria-expanded") !== "true";
      return opener.tagName === "MARK" ? pick(opener, shown) : reveal(opener.dataset.open, shown);
    }
    const box = target.closest("summary")?.parentElement; // at once: the event that says so comes later
    if (box?.matches(".else:not([open])")) { // opened by hand, so that what it is can be typed at once
      event.preventDefault();
      box.open = true;
      box.querySelector("input").focus();
      state.open.add(box.dataset.keep);
    } else if (box?.dataset.keep) state.open[box.open ? "delete" : "add"](box.dataset.keep);
    const button = target.closest(".ipl button");
    if (!button) return;
    const { close, choose, first, id, retype, copy, ...data } = button.dataset;
    if (close) {
      reveal(close, false);
      return one(close === "no-price" ? "#price" : `[data-open="${CSS.escape(close)}"]`)?.focus();
    }
    if (choose) {
      if (first) send({ do: first, id }, button);
      return one(choose)?.click();
    }
    if (copy) return navigator.clipboard?.writeText(copy).then(() => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy text"; }, 2000); });
    if (retype) {
      const field = document.getElementById(`t-${retype}`);
      field.focus();
      return field.setSelectionRange(Number(state.words.start), Number(state.words.end));
    }
    if (button.closest("#s-adds")) return sayMore(button.textContent);
    if (data.do === "add" && !data.name) return sayMore();
    if (!data.do) return;
    const panel = button.closest(".pick");
    if (panel) reveal(panel.id, false);
    state.settled = Boolean(panel ?? button.closest(".checks"));
    state.adding = all(".adds button").indexOf(button);
    send({ ...data, ...(id && { id }) }, button);
  });
  on("toggle", ({ target }) => {
    const name = target.dataset?.keep;
    if (name) state.open[target.open ? "add" : "delete"](name);
  }, true);
  on("submit", (event) => {
    const form = event.target, id = form.getAttribute("id"), { do: what, run } = form.dataset;
    if (!what) return;
    event.preventDefault();
    if (what === "publish" && asksPrice()) return;
    state.asking = what === "publish";
    send({ do: what, ...(run && { run }) }, form, form);
    forget(...[...form.elements].map((field) => field.id));
    if (state.open.has(id)) reveal(id, false);
  });
  on("change", ({ target }) => {
    if (!target.matches("[data-change]")) return;
    target.iplSent = target.value;
    forget(target.id);
    act({ do: target.dataset.change, field: target.name, value: target.value, version: target.iplVersion });
  });
  let pause;
  on("input", ({ target }) => {
    const { live } = target.dataset, id = target.closest("#ipl-note") ? "note" : target.closest(".ipl") && target.id;
    if (live) {
      clearTimeout(pause);
      pause = setTimeout(() => send({ do: live, value: target.value }), 200);
    } else if (id) {
      typed[id] = { text: target.value, version: target.iplVersion };
      filled.add(id);
      store.iplTyped = JSON.stringify(typed);
    }
    if (id === "more") suggest();
    const mirror = target.parentElement?.querySelector(":scope > .mirror");
    if (mirror) mirror.textContent = `${target.value}\u200b`;
  }, true);
  on("keydown", (event) => {
    const { target, key } = event, mark = target.closest("mark[data-open]"), panel = key === "Escape" && target.closest(".pick");
    const enter = key === "Enter" && target.tagName !== "BUTTON";
    if (mark && (key === "Enter" || key === " ")) { event.preventDefault(); mark.click(); }
    if (panel) { pick(null, false); one(`mark[data-open="${CSS.escape(panel.id)}"]`)?.focus(); }
    if (enter && target.id === "more") { event.preventDefault(); sayMore(one("#s-adds button")?.textContent); }
    if (enter && target.id === "t-title") { event.preventDefault(); target.blur(); } // one line: it is saved
  });
  // What stands filled in in one line is selected when it is entered, so that typing replaces it; what was typed is not.
  let entered = null;
  on("focusin", ({ target }) => {
    const { iplText, defaultValue, value } = target;
    const given = target.matches(".ipl input[type=text]") && value && value === (iplText ?? defaultValue);
    entered = given ? target : null;
    if (given) target.select();
  });
  on("click", () => { // the press that entered it has set the caret meanwhile
    if (entered && entered.selectionStart === entered.selectionEnd) entered.select();
    entered = null;
  });
  // A page that is put away saves what is being typed in it.
  on("visibilitychange", () => document.hidden && document.activeElement?.matches("[data-change]") && document.activeElement.blur());

  // A press counts for the control that was under it when it began, though the page is drawn again or moves before the
  // release: the browser would give the click to nobody, or to what came to lie there.
  let press = null, counted = false;
  const same = (html) => all(CONTROLS).filter((control) => control.outerHTML === html);
  const place = (control) => { const { x, y } = control.getBoundingClientRect(); return `${x} ${y}`; };
  on("pointerdown", ({ target, button, isPrimary, clientX, clientY }) => {
    counted = false;
    const control = button === 0 && isPrimary && target.closest?.(CONTROLS);
    press = control && { control, html: control.outerHTML, nth: same(control.outerHTML).indexOf(control), at: place(control), clientX, clientY };
  }, true);
  on("pointercancel", () => { press = null; }, true);
  on("pointerup", ({ target, clientX, clientY }) => {
    const { control, html, nth, at, ...from } = press || {};
    press = null;
    if (!control || Math.hypot(clientX - from.clientX, clientY - from.clientY) > 10) return;
    const now = same(html)[nth];
    if (!now || (now === control && (control.contains(target) || place(control) === at))) return;
    counted = true;
    now.click();
  }, true);
  on("click", (event) => { // the browser's own, of the same press
    if (event.isTrusted && event.detail && counted) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);

  // Photos that are dropped or pasted anywhere go through the upload control; a photo of the draft is dragged to its place
  // (the arrows do the same for touch and keyboard).
  let dragged = null;
  const carries = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes("Files");
  const over = (shot) => all(".shot").forEach((each) => each.classList.toggle("over", each === shot && shot !== dragged));
  function hand(files) {
    const input = one("#ipl-sell input[type=file]"), box = new DataTransfer();
    if (!files.length || !input) return;
    files.forEach((file) => box.items.add(file));
    input.files = box.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  on("paste", (event) => {
    const images = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    if (images.length) event.preventDefault();
    hand(images);
  });
  on("dragstart", ({ target, dataTransfer }) => {
    dragged = target.closest?.(".shot");
    if (dragged) { dragged.classList.add("dragging"); dataTransfer.effectAllowed = "move"; dataTransfer.setData("text/x-ipl", dragged.dataset.photo); }
  });
  on("dragend", () => { dragged?.classList.remove("dragging"); dragged = null; over(null); });
  on("dragover", (event) => {
    const shot = dragged && event.target.closest(".shot");
    if (shot || carries(event)) event.preventDefault();
    if (dragged) over(shot);
    else if (carries(event)) document.body.classList.add("dropping");
  });
  on("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
  on("drop", (event) => {
    const shot = dragged && event.target.closest(".shot");
    document.body.classList.remove("dropping");
    if (shot || carries(event)) event.preventDefault();
    if (shot && shot !== dragged) send({ do: "photo_move", photo: dragged.dataset.photo, to: shot.dataset.place });
    else if (!dragged && carries(event)) hand([...event.dataTransfer.files]);
  });
})();
