// Passkeys (WebAuthn with the PRF extension). The only script of this site, and only on the pages that need it:
// everything else works without. It talks to this home's own /v1 routes and keeps nothing.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

class Problem extends Error {
  constructor(code, body) {
    super(code);
    this.code = code;
    this.body = body;
  }
}

async function ask(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      // Writes of an open session show the page's token; the unlock page has none to show.
      "x-csrf-token": document.querySelector("meta[name=csrf]")?.content ?? "",
    },
    body: JSON.stringify(body),
    credentials: "same-origin",
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(found.code ?? "internal-error", found);
  return found;
}

const named = (list) => (list ?? []).map((item) => ({ ...item, id: bytes(item.id) }));

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: named(options.excludeCredentials),
    },
  });
  const extensions = made.getClientExtensionResults();
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: {
      clientDataJSON: text(made.response.clientDataJSON),
      attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    },
    clientExtensionResults: extensions.prf ? { prf: { enabled: extensions.prf.enabled === true } } : {},
  };
}

async function get(options) {
  const inputs = options.extensions?.prf?.evalByCredential ?? {};
  const evalByCredential = Object.fromEntries(
    Object.entries(inputs).map(([id, value]) => [id, { first: bytes(value.first) }]),
  );
  const found = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: named(options.allowCredentials),
      extensions: Object.keys(evalByCredential).length ? { prf: { evalByCredential } } : {},
    },
  });
  const first = found.getClientExtensionResults().prf?.results?.first;
  const answer = {
    credential: {
      id: found.id,
      rawId: text(found.rawId),
      type: found.type,
      response: {
        clientDataJSON: text(found.response.clientDataJSON),
        authenticatorData: text(found.response.authenticatorData),
        signature: text(found.response.signature),
        userHandle: found.response.userHandle ? text(found.response.userHandle) : null,
      },
      clientExtensionResults: {},
    },
  };
  if (first) answer.prf = text(first);
  return answer;
}

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
