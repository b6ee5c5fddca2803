// In the head of the seller's page: what is sent while nobody answers waits here, and in the tab's storage through a
// reload, and is sent again in its order. Each call has a name, so that the server does it once whatever got lost. Photos
// that fail while the server answers, as a file does that has changed since it was chosen, do not hold up the rest.
(() => {
  const CALLS = /\/gradio_api\/(run\/predict|upload)\b/, UPLOAD = /\/upload\b/;
  const ANSWER_MS = 30000, FIRST_MS = 250, LAST_MS = 4000, FOLLOW_MS = 1500; // a connection can be gone without a word
  const MOST_FAILED = 3; // uploads while the server answers; a network can also lose a large body and no small one
  const UNSENT = { error: { code: "unsent", message: "These photos could not be sent; choose them again." } };
  const GATEWAY = [502, 503, 504]; // the server behind the proxy is being started, or its store is
  const send = window.fetch.bind(window);
  const store = (window.iplStore = (() => { try { return window.sessionStorage; } catch { return {}; } })());
  const who = window.gradio_config?.username ?? "";
  if (store.iplWho !== who) Object.keys(store).filter((key) => /^ipl/.test(key)).forEach((key) => { delete store[key]; });
  store.iplWho = who; // what one person typed is not filled in for the next one
  const named = () => [...crypto.getRandomValues(new Uint32Array(4))].join("-");
  const waiting = JSON.parse(store.iplWaiting ?? "[]").map((call) => ({ ...call, settle() {} }));
  let number = waiting.length, delivering = false;
  let uploaded = null, taken = () => {}; // the number of an upload whose photos are still to be taken in, and what then goes on

  function save() { // photos under way are the browser's own: they cannot be kept through a reload
    const texts = waiting.filter(({ init }) => typeof init.body === "string");
    try { store.iplWaiting = JSON.stringify(texts.map(({ number, url, init, name }) => ({ number, url, init, name }))); } catch { /* full */ }
  }

  function say(away) {
    const box = document.getElementById("ipl-away") ?? document.body.appendChild(Object.assign(document.createElement("div"), { id: "ipl-away" }));
    box.setAttribute("role", "status");
    box.textContent = away ? "No connection. What you do here is kept, and done when it is back." : "";
  }

  async function attempt({ url, init, name }) {
    const headers = { ...init.headers, "X-IPL-Press": name };
    const signal = UPLOAD.test(url) ? init.signal : AbortSignal.timeout(ANSWER_MS);
    const answer = await send(url, { ...init, headers, signal });
    if (GATEWAY.includes(answer.status)) throw new Error(answer.status);
    return new Response(await answer.blob(), answer);
  }

  const answers = async (url) => { // the server, to a small request
    const signal = AbortSignal.timeout(ANSWER_MS);
    try { return !GATEWAY.includes((await send(url.replace(/\/upload\b.*/, "/app_id"), { signal })).status); } catch { return false; }
  };

  async function hopeless(call) { // whether an upload that failed is not to be sent again
    if (!UPLOAD.test(call.url)) return false;
    if (call.init.signal?.aborted) return true;
    call.failed = (call.failed ?? 0) + (await answers(call.url));
    return call.failed > MOST_FAILED;
  }

  function follower(of) { // what takes an upload in comes before what was pressed after it
    uploaded = of;
    return new Promise((go) => { taken = go; setTimeout(go, FOLLOW_MS); }).then(() => { uploaded = null; });
  }

  function place(url, init) {
    const follows = uploaded !== null && !UPLOAD.test(url) && String(init.body).includes('"path":');
    if (!follows) return ++number;
    setTimeout(taken);
    return uploaded + 0.5;
  }

  async function deliver() {
    if (delivering) return;
    delivering = true;
    for (let pause = FIRST_MS; waiting.length;) {
      const call = waiting[0];
      const done = (answer) => {
        call.settle(answer);
        waiting.splice(waiting.indexOf(call), 1);
        save();
        pause = FIRST_MS;
      };
      try {
        done(await attempt(call));
        if (UPLOAD.test(call.url)) await follower(call.number);
      } catch {
        if (await hopeless(call)) {
          done(Response.json(UNSENT, { status: 400 }));
          continue;
        }
        say(true);
        await new Promise((go) => { setTimeout(go, pause); window.addEventListener("online", go, { once: true }); });
        pause = Math.min(2 * pause, LAST_MS);
      }
    }
    delivering = false;
    say(false);
  }

  function wait(call) {
    waiting.push(call);
    waiting.sort((one, other) => one.number - other.number);
    save();
    deliver();
  }

  window.fetch = (url, init) => {
    if (init?.method !== "POST" || !CALLS.test(url)) return send(url, init);
    return new Promise((settle) => {
      const headers = Object.fromEntries(new Headers(init.headers));
      const call = { number: place(url, init), url: String(url), init: { ...init, headers }, name: named(), settle };
      if (waiting.length) wait(call);
      else attempt(call).then(settle, () => wait(call));
    });
  };
  deliver();
})();
