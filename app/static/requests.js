// In the head of the seller's page: a request that is refused or fails ends in one sentence beside what was pressed. It
// goes with the next press that succeeds, not with a look of the page at its draft. Of the photos that a person chooses
// no more are sent than a listing takes, and one, by which the server learns that there are more.
(() => {
  const MOST = 9, GAP = 8, FOOT = 110; // px between control and sentence, and of the bar at the lower edge
  const CALLS = /\/gradio_api\/(?:upload|run\/predict)\b/;
  const BROKEN = "Something went wrong on our side; try it again.";
  const request = window.fetch;
  let place = null, box = null;

  const mark = ({ target }) => {
    const rect = target.getBoundingClientRect?.();
    if (rect?.width) place = rect; // a hidden field is not where a person pressed
  };
  for (const kind of ["click", "change", "drop"]) document.addEventListener(kind, mark, true);

  const add = (tag, text, attributes) => {
    const part = Object.assign(document.createElement(tag), { textContent: text }, attributes);
    box.append(part);
    return part;
  };
  const clear = () => { box?.remove(); box = null; };
  const isPress = (body) => body instanceof FormData || String(body).includes('"do":');
  const say = (sentence, iplPress, signedOut = false) => {
    if (box?.iplSentence === sentence && box.iplPlace === place) return;
    clear();
    const { left, top, bottom } = place ?? (document.querySelector("#ipl-add") ?? document.body).getBoundingClientRect();
    box = Object.assign(document.createElement("div"), { id: "ipl-refused", className: "ipl notice bad", iplSentence: sentence, iplPlace: place, iplPress });
    box.setAttribute("role", "alert");
    add("span", "!", { className: "mark", ariaHidden: "true" });
    add("b", "That did not work");
    const words = add("p", `${sentence} `, { className: "small" });
    const href = `/sign-in?then=${encodeURIComponent(location.pathname + location.search)}`;
    if (signedOut) words.append(Object.assign(document.createElement("a"), { href, textContent: "Sign in" }));
    document.body.append(box);
    const fits = bottom + GAP + box.offsetHeight < innerHeight - FOOT;
    box.style.top = `${Math.max(GAP, fits ? bottom + GAP : top - GAP - box.offsetHeight) + scrollY}px`;
    box.style.left = `${Math.max(2 * GAP, Math.min(left, innerWidth - box.offsetWidth - 2 * GAP))}px`;
  };
  const sentence = (answer) => answer.clone().json().then(({ error }) => error?.message ?? error ?? BROKEN).catch(() => BROKEN);
  const fewer = (form) => {
    const few = new FormData();
    form.getAll("files").slice(0, MOST).forEach((file) => few.append("files", file, file.name));
    return few;
  };

  window.fetch = async (address, options) => {
    if (!CALLS.test(address?.url ?? address)) return request(address, options);
    const before = box, body = options?.body;
    const answer = await request(address, body instanceof FormData ? { ...options, body: fewer(body) } : options);
    if (!answer.ok) say(await sentence(answer), isPress(body), answer.status === 401);
    else if (box === before && (isPress(body) || !box?.iplPress)) clear();
    return answer;
  };
})();
