// The pages for buyers work without this: it only reports which cards came into view, and sends a chosen photo at once.
const grid = document.querySelector("[data-page]");
if (grid) {
  let listings = [], posts = [], waiting = 0;
  const send = () => {
    clearTimeout(waiting);
    waiting = 0;
    if (!listings.length && !posts.length) return;
    const body = JSON.stringify({ page: grid.dataset.page, listings, posts });
    listings = [];
    posts = [];
    fetch("/feed/seen", { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true }).catch(() => {});
  };
  const watch = new IntersectionObserver((cells) => {
    for (const { isIntersecting, target } of cells) {
      if (!isIntersecting) continue;
      watch.unobserve(target);
      if (target.dataset.listing) listings.push(target.dataset.listing);
      else posts.push(target.dataset.post);
    }
    waiting ||= setTimeout(send, 800);
  }, { threshold: 0.5 });
  grid.querySelectorAll(".cell").forEach((cell) => watch.observe(cell));
  addEventListener("pagehide", send);
}

document.querySelector("input[type=file]")?.addEventListener("change", ({ target }) => {
  const large = target.files[0]?.size > target.dataset.most, problem = document.getElementById("problem-photo");
  problem.textContent = large ? target.dataset.large : "";
  problem.hidden = !large;
  target.setAttribute("aria-invalid", large);
  target.setAttribute("aria-describedby", problem.id);
  target.setCustomValidity(problem.textContent); // so that no button sends it
  if (target.files.length && !large) target.form.requestSubmit();
});
// A photo opens on the page: a tap beside it, Escape or × closes it, arrows and swipes go on.
const photos = document.querySelector(".photos"), box = document.getElementById("large");
photos?.addEventListener("click", (press) => {
  const link = press.target.closest("a");
  if (!link || press.ctrlKey || press.metaKey || !box.showModal) return;
  press.preventDefault();
  const row = box.querySelector("div"), links = [...photos.querySelectorAll("a")];
  row.replaceChildren(...links.map((a) => Object.assign(new Image(), { src: a.href, alt: a.firstElementChild.alt, loading: "lazy" })));
  box.showModal();
  row.children[links.indexOf(link)].scrollIntoView({ inline: "center" });
});
box?.addEventListener("click", ({ target }) => target.tagName === "IMG" || box.close());
document.getElementById("said")?.scrollIntoView({ block: "center" });
