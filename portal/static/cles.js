// Passkeys (WebAuthn with the PRF extension). One script, and only on the pages that need it:
// everything else works without. It talks to this home's own /v1 routes and keeps nothing.

import { Problem, ask, create, get } from "./webauthn.js";

async function open(form) {
  const number = form.elements.coffre.value.trim();
  const restored = form.elements.restaure?.checked ?? false;
  const back = encodeURIComponent(form.elements.retour.value);
  // An empty number: any passkey of this site, whose answer names the vault.
  let { options } = await ask("/v1/session/passkey/options", number ? { vault: number } : {});
  for (let step = 0; step < 2; step += 1) {
    const found = await ask("/v1/session/passkey", { ...(await get(options)), restored });
    if (found.expiresAt) return `/ouvrir/fait?retour=${back}`;
    if (!found.then) return `/ouvrir?reconnu=${found.vault}&retour=${back}`;
    options = found.then;
  }
  throw new Problem("passkey-refused");
}

async function add(form) {
  const { options } = await ask("/v1/slots/passkey/options");
  const name = form.elements.nom.value.trim().slice(0, 60);
  const made = await ask("/v1/slots/passkey", { credential: await create(options), name });
  if (!made.then) return "/coffre/cles?ajout=reconnait";
  await ask("/v1/slots/passkey/secret", await get(made.then));
  return "/coffre/cles?ajout=ouvre";
}

async function finish(form) {
  const { options } = await ask(`/v1/slots/passkey/${form.elements.cle.value}/options`);
  await ask("/v1/slots/passkey/secret", await get(options));
  return "/coffre/cles?ajout=ouvre";
}

const ACTS = { open, add, finish };

for (const button of document.querySelectorAll("button[data-passkey]")) {
  if (!window.PublicKeyCredential) break;
  const place = button.closest("[data-passkey-place]");
  const said = place.querySelector("[role=status]");
  place.hidden = false;
  for (const other of document.querySelectorAll("[data-without-passkey]")) other.hidden = true;
  button.addEventListener("click", async () => {
    const form = button.form;
    button.disabled = true;
    said.textContent = button.dataset.wait;
    try {
      location.assign(await ACTS[button.dataset.passkey](form));
    } catch (error) {
      button.disabled = false;
      if (["unlock-again", "session-ended"].includes(error.code)) {
        location.assign("/ouvrir?retour=/coffre/cles");
        return;
      }
      if (["vault-rolled-back", "vault-forked"].includes(error.code)) {
        location.assign(`/ouvrir?ancien=1&retour=${encodeURIComponent(form.elements.retour.value)}`);
        return;
      }
      const kind = error instanceof Problem ? "refused" : "cancelled";
      said.textContent = button.dataset[error.code === "slow-down" ? "slow" : kind];
    }
  });
}
