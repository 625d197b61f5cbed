// SPDX-License-Identifier: BSL-1.0
// search.js - finds fibers by id, name or place. Exact ids and names that begin so come first.

const search = { matches: [], at: -1 };

function findFibers(text) {
  const wanted = text
    .trim()
    .toLowerCase()
    .replace(/^fiber\s+/, "");
  if (wanted === "") return [];
  // Many fibers share their name and place: those are looked at once.
  const textHits = meta.texts.map((t) => t.toLowerCase().indexOf(wanted)),
    placeHits = meta.places.map((p) => p.text.toLowerCase().includes(wanted));
  const ranked = [[], [], [], []];
  for (let f = 0; f < fiberCount; ++f) {
    const name = textHits[trace.fibers.name[f]],
      place = trace.fibers.place[f];
    if (String(trace.fibers.id[f]) === wanted) ranked[0].push(f);
    else if (name === 0) ranked[1].push(f);
    else if (name > 0) ranked[2].push(f);
    else if (place >= 0 && placeHits[place]) ranked[3].push(f);
  }
  return ranked.flat();
}

function showFound() {
  const box = element("search"),
    n = search.matches.length;
  element("found").textContent =
    box.value.trim() === ""
      ? ""
      : n === 0
        ? "none"
        : search.at < 0
          ? n.toLocaleString("en")
          : `${search.at + 1} of ${n.toLocaleString("en")}`;
}
function hideMatches() {
  element("matches").hidden = true;
}
function searchFor(text) {
  search.matches = findFibers(text);
  search.at = -1;
  const few = 40,
    all = search.matches.slice(0, few).map((f, i) =>
      node("div", [fiberLabel(f), " ", node("small", fiberPlace(f))], {
        onmousedown: (event) => {
          event.preventDefault();
          goToMatch(i);
        },
      }),
    );
  if (search.matches.length > few)
    all.push(
      node(
        "div",
        node(
          "small",
          `and ${(search.matches.length - few).toLocaleString("en")} more: n goes through them`,
        ),
      ),
    );
  element("matches").replaceChildren(...all);
  element("matches").hidden = all.length === 0;
  showFound();
  return search.matches.length;
}
function goToMatch(i) {
  const n = search.matches.length;
  if (n === 0) return;
  search.at = ((i % n) + n) % n;
  showFound();
  hideMatches();
  selectFiber(search.matches[search.at], { jump: true });
}

function listenToSearch() {
  const box = element("search");
  box.addEventListener("input", () => searchFor(box.value));
  box.addEventListener("focus", () => {
    if (search.at < 0 && search.matches.length > 0) element("matches").hidden = false;
  });
  box.addEventListener("blur", hideMatches);
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") goToMatch(search.at + (event.shiftKey ? -1 : 1));
    if (event.key === "Escape") box.blur();
  });
}
