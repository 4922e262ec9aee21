// The desk's script, only on the pages that need it: passkeys of its people, the key of its documents.

import { Problem, ask, bytes, create, get } from "./webauthn.js";
import { codeOf, endingOf, isActive, keep, kept, make, openDocument, privateKey, readCode } from "./boite.js";

async function add(form) {
  const { options } = await ask("/v1/desk/passkeys/options");
  const name = form.elements.nom.value.trim().slice(0, 60);
  await ask("/v1/desk/passkeys", { credential: await create(options), name });
  return "/guichet/acces?ajout=1";
}

async function enter() {
  const { options } = await ask("/v1/desk/session/passkey/options");
  const { member } = await ask("/v1/desk/session/passkey", await get(options));
  return member.roles.includes("officer") ? "/guichet" : "/guichet/reglages";
}

// --- the document key: first show the code, then publish once it was noted

let waiting = null;

async function prepare(form) {
  waiting = await make();
  const place = form.closest("[data-script-place]");
  place.querySelector("[data-code]").textContent = await codeOf(waiting.d);
  place.querySelector("[data-step='code']").hidden = false;
  form.hidden = true;
  place.querySelector("[data-step='code'] h3").focus();
  return null;
}

async function publish(form) {
  if (!form.elements.note.checked) {
    form.elements.note.focus();
    throw new Problem("not-noted", {});
  }
  const key = await privateKey(waiting.d, waiting.point);
  await keep(waiting.point, key);
  await ask("/v1/desk/keys", { public: btoa(String.fromCharCode(...waiting.point)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") });
  waiting.d.fill(0);
  waiting = null;
  return "/guichet/cle?faite=1";
}

const points = () => [...document.querySelectorAll("[data-point]")].map((e) => bytes(e.dataset.point));

async function restore(form) {
  const d = await readCode(form.elements.code.value);
  for (const point of points()) {
    try {
      await keep(point, await privateKey(d, point));
      d.fill(0);
      return "/guichet/cle?remise=1";
    } catch (error) {
      continue; // the code of another version
    }
  }
  throw new Error("code");
}

async function open(form) {
  const { application, position } = form.dataset;
  const answer = await fetch(`/v1/desk/applications/${application}/documents/${position}`, { credentials: "same-origin" });
  if (!answer.ok) throw new Problem("internal-error", {});
  const data = new Uint8Array(await answer.arrayBuffer());
  for (const point of points()) {
    const key = await kept(point);
    if (!key) continue;
    let found;
    try {
      found = await openDocument(data, { key, point, application });
    } catch (error) {
      continue; // sealed to another version
    }
    let ending;
    try {
      ending = endingOf(found.content);
    } catch (error) {
      throw new Problem("kind", {}); // its seal is good, what was in it may be a program
    }
    // Saved, never shown inside this site: what a stranger sent does not run here. Its name's ending is what its bytes say.
    const blob = new Blob([found.content], { type: "application/octet-stream" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const stem = found.name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N} _-]/gu, "_").trim().slice(0, 80) || "document";
    link.download = `${stem}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    return { said: isActive(found.content, ending) ? "active" : "done" };
  }
  throw new Problem("no-key", {});
}

const ACTS = { add, enter, prepare, publish, restore, open };

for (const place of document.querySelectorAll("[data-script-place]")) place.hidden = false;
for (const other of document.querySelectorAll("[data-without-script]")) other.hidden = true;
if (!window.PublicKeyCredential) {
  for (const place of document.querySelectorAll("[data-needs-passkeys]")) place.hidden = true;
}
for (const button of document.querySelectorAll("button[data-print]")) button.addEventListener("click", () => window.print());

for (const button of document.querySelectorAll("button[data-act]")) {
  const said = button.closest("[data-script-place]").querySelector("[role=status]");
  const form = button.form;
  form.addEventListener("submit", (event) => { event.preventDefault(); button.click(); });
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = button.dataset.wait ?? "";
    try {
      const to = await ACTS[button.dataset.act](form);
      if (typeof to === "string") location.assign(to);
      else if (to) { said.textContent = button.dataset[to.said] ?? ""; button.disabled = false; }
      else { said.textContent = button.dataset.done ?? ""; button.disabled = false; }
    } catch (error) {
      button.disabled = false;
      const kind = error instanceof Problem ? error.code : "cancelled";
      const name = { cancelled: "cancelled", "no-key": "nokey", kind: "kind" }[kind] ?? "refused";
      said.textContent = button.dataset[name] ?? button.dataset.refused;
    }
  });
}
