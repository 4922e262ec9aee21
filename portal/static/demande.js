// One page only: asks every few seconds whether the answer came, and then shows the page again.
// Without this script the page's own link does the same.

const place = document.querySelector("[data-state]");
const EVERY_MS = 3000;

async function look() {
  try {
    const answer = await fetch(place.dataset.state, { cache: "no-store" });
    if (answer.ok && (await answer.json()).state !== "waiting") {
      location.replace(place.dataset.again);
      return;
    }
  } catch {
    // The network went away for a moment: ask again.
  }
  setTimeout(look, EVERY_MS);
}

if (place) setTimeout(look, EVERY_MS);
