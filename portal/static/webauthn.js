// What the scripts of this site share: base64url, a JSON call with the page's token, WebAuthn in JSON.

export const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
export const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

export class Problem extends Error {
  constructor(code, body) {
    super(code);
    this.code = code;
    this.body = body;
  }
}

export async function ask(path, body = {}, method = "POST") {
  const answer = await fetch(path, {
    method,
    headers: {
      ...(method === "GET" ? {} : { "content-type": "application/json" }),
      accept: "application/json",
      // Writes of an open session show the page's token; a sign-in page has none to show.
      "x-csrf-token": document.querySelector("meta[name=csrf]")?.content ?? "",
    },
    ...(method === "GET" ? {} : { body: JSON.stringify(body) }),
    credentials: "same-origin",
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(found.code ?? "internal-error", found);
  return found;
}

const named = (list) => (list ?? []).map((item) => ({ ...item, id: bytes(item.id) }));

export async function create(options) {
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

export async function get(options) {
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
