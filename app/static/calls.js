// In the head of the seller's page, around fetch. Calls go to the server one at a time, so that no answer overtakes
// another; what nobody answers waits, in the tab's storage through a reload, and is sent again in its order. Each call
// has a name, by which the server does it once. A refused one ends in one sentence beside what was pressed.
(() => {
  const CALLS = /\/gradio_api\/(run\/predict|upload)\b/, UPLOAD = /\/upload\b/;
  const ANSWER_MS = 30000, FIRST_MS = 250, LAST_MS = 4000, FOLLOW_MS = 1500; // a connection can be gone without a word
  const MAX_FAILED = 3; // uploads while the server answers; a network can also lose a large body and no small one
  const MAX_PHOTOS = 9; // of those chosen: what a listing takes, and one by which the server learns that there are more
  const UNSENT = { error: { code: "unsent", message: "These photos could not be sent; choose them again." } };
  const BROKEN = "Something went wrong on our side; try it again.";
  const GATEWAY = [502, 503, 504]; // the server behind the proxy is being started, or its store is
  const GAP = 8, FOOT = 110; // px between control and sentence, and of the bar at the lower edge
  const send = window.fetch.bind(window);
  const store = (window.iplStore = (() => { try { return window.sessionStorage; } catch { return {}; } })());
  const user = window.gradio_config?.username ?? "";
  if (store.iplUser !== user) Object.keys(store).filter((key) => /^ipl/.test(key)).forEach((key) => { delete store[key]; });
  store.iplUser = user; // what one person typed is not filled in for the next one
  const waiting = JSON.parse(store.iplWaiting ?? "[]").map((call) => ({ ...call, settle() {} }));
  let count = Math.max(0, ...waiting.map(({ number }) => number)), delivering = false, away = false;
  let uploaded = null, taken = () => {}; // the number of an upload whose photos are still to be taken in, and what then goes on

  function save() { // photos under way are the browser's own: they cannot be kept through a reload
    const texts = waiting.filter(({ init }) => typeof init.body === "string");
    try { store.iplWaiting = JSON.stringify(texts.map(({ number, url, init, name }) => ({ number, url, init, name }))); } catch { /* full */ }
  }

  function showAway(on) {
    away = on;
    const box = document.getElementById("ipl-away") ?? document.body.appendChild(Object.assign(document.createElement("div"), { id: "ipl-away" }));
    box.setAttribute("role", "status");
    box.textContent = on ? "No connection. What you do here is kept, and done when it is back." : "";
  }

  async function attempt({ url, init, name }) {
    const signal = UPLOAD.test(url) ? init.signal : AbortSignal.timeout(ANSWER_MS);
    const answer = await send(url, { ...init, headers: { ...init.headers, "X-IPL-Press": name }, signal });
    if (GATEWAY.includes(answer.status)) throw new Error(answer.status);
    return new Response(await answer.blob(), answer);
  }

  async function hopeless(call) { // whether an upload that failed is not to be sent again, as the server answers
    if (!UPLOAD.test(call.url)) return false;
    if (call.init.signal?.aborted) return true;
    const signal = AbortSignal.timeout(ANSWER_MS);
    const probe = await send(call.url.replace(/\/upload\b.*/, "/app_id"), { signal }).catch(() => ({ status: GATEWAY[0] }));
    call.failed = (call.failed ?? 0) + !GATEWAY.includes(probe.status);
    return call.failed > MAX_FAILED;
  }

  function follower(number) { // what takes an upload in comes before what was pressed after it
    uploaded = number;
    return new Promise((go) => { taken = go; setTimeout(go, FOLLOW_MS); }).then(() => { uploaded = null; });
  }

  async function deliver() {
    if (delivering) return;
    delivering = true;
    for (let pause = FIRST_MS; waiting.length;) {
      const call = waiting[0];
      let answer = await attempt(call).catch(() => null);
      const sent = answer !== null;
      if (!sent && await hopeless(call)) answer = Response.json(UNSENT, { status: 400 });
      if (answer) {
        call.settle(answer);
        waiting.splice(waiting.indexOf(call), 1);
        save();
        pause = FIRST_MS;
        if (sent && UPLOAD.test(call.url)) await follower(call.number);
        continue;
      }
      showAway(true);
      await new Promise((go) => { setTimeout(go, pause); window.addEventListener("online", go, { once: true }); });
      pause = Math.min(2 * pause, LAST_MS);
    }
    delivering = false;
    if (away) showAway(false);
  }

  function wait(call) {
    waiting.push(call);
    waiting.sort((one, other) => one.number - other.number);
    save();
    deliver();
  }

  function call(url, init) {
    return new Promise((settle) => {
      const headers = Object.fromEntries(new Headers(init.headers)), name = [...crypto.getRandomValues(new Uint32Array(4))].join("-");
      const follows = uploaded !== null && String(init.body).includes('"path":');
      const call = { number: follows ? uploaded + 0.5 : ++count, url, init: { ...init, headers }, name, settle };
      if (UPLOAD.test(url) && !away) attempt(call).then(settle, () => wait(call)); // presses go on beside it
      else wait(call);
      if (follows) setTimeout(taken);
    });
  }

  let place = null, box = null; // where was pressed last, and the sentence that stands there
  const mark = ({ target }) => {
    const rect = target.getBoundingClientRect?.();
    if (rect?.width) place = rect; // a hidden field is not where a person pressed
  };
  for (const kind of ["click", "change", "drop"]) document.addEventListener(kind, mark, true);

  const clear = () => { box?.remove(); box = null; };
  function say(sentence, press, signedOut) {
    if (box?.iplSentence === sentence && box.iplPlace === place) return;
    clear();
    const { left, top, bottom } = place ?? (document.querySelector("#ipl-add") ?? document.body).getBoundingClientRect();
    box = Object.assign(document.createElement("div"), { id: "ipl-refused", className: "ipl notice bad", iplSentence: sentence, iplPlace: place, iplPress: press });
    box.setAttribute("role", "alert");
    box.innerHTML = '<span class="mark" aria-hidden="true">!</span><b>That did not work</b><p class="small"></p>';
    const href = `/sign-in?then=${encodeURIComponent(location.pathname + location.search)}`;
    box.lastChild.append(`${sentence} `, ...(signedOut ? [Object.assign(document.createElement("a"), { href, textContent: "Sign in" })] : []));
    document.body.append(box);
    const fits = bottom + GAP + box.offsetHeight < innerHeight - FOOT;
    box.style.top = `${Math.max(GAP, fits ? bottom + GAP : top - GAP - box.offsetHeight) + scrollY}px`;
    box.style.left = `${Math.max(2 * GAP, Math.min(left, innerWidth - box.offsetWidth - 2 * GAP))}px`;
  }

  window.fetch = async (address, init) => {
    const url = String(address?.url ?? address);
    if (init?.method !== "POST" || !CALLS.test(url)) return send(address, init);
    const { body } = init, photos = body instanceof FormData ? new FormData() : null;
    if (photos) body.getAll("files").slice(0, MAX_PHOTOS).forEach((file) => photos.append("files", file, file.name));
    const before = box, press = photos !== null || String(body).includes('"do":');
    const answer = await call(url, { ...init, body: photos ?? body });
    if (!answer.ok) {
      const { error } = await answer.clone().json().catch(() => ({}));
      say(error?.message ?? error ?? BROKEN, press, answer.status === 401);
    } else if (box === before && (press || !box?.iplPress)) clear(); // it goes with the next press, not with a look at the draft
    return answer;
  };
  deliver();
})();
