// The funder's document key, in its browser: made here, kept here, opened here. Only its public half leaves.
//
// HPKE base mode (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, over WebCrypto alone.
// Layouts are those of federation/sealing (box.py, document.py).

const encoder = new TextEncoder();
const P256 = { name: "ECDH", namedCurve: "P-256" };
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: no I, L, O, U to confuse
const CODE_LABEL = encoder.encode("mobility-vault/document-key/1\0");
const D_SIZE = 32, SUM_SIZE = 3;

export const concat = (...parts) => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
};
const u16 = (n) => new Uint8Array([n >> 8, n & 255]);
const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const fromB64 = (t) => Uint8Array.from(atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toB64 = (b) => btoa(String.fromCharCode(...b)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// --- the recovery code: the private number and three bytes of checksum, 56 characters in groups of four

export async function codeOf(d) {
  const all = concat(d, (await sha256(concat(CODE_LABEL, d))).slice(0, SUM_SIZE));
  let bits = 0, held = 0, out = "";
  for (const byte of all) {
    held = (held << 8) | byte; bits += 8;
    while (bits >= 5) { bits -= 5; out += ALPHABET[(held >> bits) & 31]; held &= (1 << bits) - 1; }
  }
  return out.match(/.{1,4}/g).join("-");
}

export async function readCode(code) {
  const clean = code.toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1").replace(/[^0-9A-Z]/g, "");
  let bits = 0, held = 0;
  const out = [];
  for (const char of clean) {
    const value = ALPHABET.indexOf(char);
    if (value < 0) throw new Error("code");
    held = (held << 5) | value; bits += 5;
    if (bits >= 8) { bits -= 8; out.push((held >> bits) & 255); held &= (1 << bits) - 1; }
  }
  const all = new Uint8Array(out), d = all.slice(0, D_SIZE);
  const sum = (await sha256(concat(CODE_LABEL, d))).slice(0, SUM_SIZE);
  if (all.length !== D_SIZE + SUM_SIZE || !same(all.slice(D_SIZE), sum)) throw new Error("code");
  return d;
}

// --- keys

export async function make() {
  const pair = await crypto.subtle.generateKey(P256, true, ["deriveBits"]);
  const d = fromB64((await crypto.subtle.exportKey("jwk", pair.privateKey)).d);
  return { d, point: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)) };
}

export async function privateKey(d, point) {
  const jwk = { kty: "EC", crv: "P-256", d: toB64(d), x: toB64(point.slice(1, 33)), y: toB64(point.slice(33)) };
  const key = await crypto.subtle.importKey("jwk", jwk, P256, false, ["deriveBits"]);
  // Some browsers do not compare d with x and y: a Diffie-Hellman both ways does.
  const other = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
  const mine = await crypto.subtle.importKey("raw", point, P256, false, []);
  const there = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: mine }, other.privateKey, 256));
  const here = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: other.publicKey }, key, 256));
  if (!same(there, here)) throw new Error("code");
  return key;
}

function store() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("guichet", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("cles");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function through(mode, act) {
  const database = await store();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("cles", mode);
    const asked = act(transaction.objectStore("cles"));
    transaction.oncomplete = () => { database.close(); resolve(asked.result); };
    transaction.onerror = () => { database.close(); reject(transaction.error); };
  });
}

export const keep = (point, key) => through("readwrite", (s) => s.put(key, toB64(point)));
export const kept = (point) => through("readonly", (s) => s.get(toB64(point)));

// --- opening

const SUITE = concat(encoder.encode("HPKE"), u16(0x0010), u16(0x0001), u16(0x0002));
const KEM = concat(encoder.encode("KEM"), u16(0x0010));
const V1 = encoder.encode("HPKE-v1");

async function hmac(key, data) {
  const made = await crypto.subtle.importKey("raw", key.length ? key : new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", made, data));
}
const extract = (suite, salt, label, ikm) => hmac(salt, concat(V1, suite, encoder.encode(label), ikm));
async function expand(suite, prk, label, info, size) {
  const labelled = concat(u16(size), V1, suite, encoder.encode(label), info);
  return (await hmac(prk, concat(labelled, new Uint8Array([1])))).slice(0, size); // at most 32 bytes here
}

export async function openBox(box, { key, point, info }) {
  if (box[0] !== 1 || box[1] !== 3) throw new Error("suite");
  const opening = box.slice(0, 10), enc = box.slice(10, 75), sealed = box.slice(75);
  const sender = await crypto.subtle.importKey("raw", enc, P256, false, []);
  const dh = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: sender }, key, 256));
  const empty = new Uint8Array();
  const prk = await extract(KEM, empty, "eae_prk", dh);
  const shared = await expand(KEM, prk, "shared_secret", concat(enc, point), 32);
  const whole = concat(encoder.encode("mobility-vault/box/1\0"), opening, info);
  const context = concat(
    new Uint8Array([0]),
    await extract(SUITE, empty, "psk_id_hash", empty),
    await extract(SUITE, empty, "info_hash", whole),
  );
  const secret = await extract(SUITE, shared, "secret", empty);
  const raw = await expand(SUITE, secret, "key", context, 32);
  const iv = await expand(SUITE, secret, "base_nonce", context, 12);
  const aes = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, sealed));
}

class Reader {
  constructor(data) { this.data = data; this.at = 0; }
  take(n) {
    if (this.at + n > this.data.length) throw new Error("layout");
    this.at += n;
    return this.data.slice(this.at - n, this.at);
  }
  uint(n) { return this.take(n).reduce((v, b) => v * 256 + b, 0); }
  text() { return new TextDecoder("utf-8", { fatal: true }).decode(this.take(this.uint(2))); }
}

export async function openDocument(data, { key, point, application }) {
  const outer = new Reader(data);
  if (!same(outer.take(4), concat(encoder.encode("MVF"), new Uint8Array([1])))) throw new Error("layout");
  outer.text(); // funder
  outer.uint(4); // key version
  if (outer.text() !== application) throw new Error("application");
  const opening = data.slice(0, outer.at);
  const info = concat(encoder.encode("mobility-vault/document/1\0"), opening);
  const body = new Reader(await openBox(data.slice(outer.at), { key, point, info }));
  body.uint(2);
  const name = body.text(), mediaType = body.text();
  return { name, mediaType, content: body.take(body.uint(4)) };
}

// --- what a document is by its bytes, never by its name (vault/documents.py keeps the same kinds)

const MAGIC = [
  [[0x25, 0x50, 0x44, 0x46, 0x2d], "pdf"], [[0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], "png"], [[0xff, 0xd8, 0xff], "jpg"],
  [[0x49, 0x49, 0x2a, 0], "tif"], [[0x4d, 0x4d, 0, 0x2a], "tif"],
];
const OFFICE = [["word/document.xml", "docx"], ["xl/workbook.xml", "xlsx"]];
const ODF = [["application/vnd.oasis.opendocument.text", "odt"], ["application/vnd.oasis.opendocument.spreadsheet", "ods"]];
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);

/** The ending its bytes deserve; an error for what may be a program, a page or an archive. */
export function endingOf(content) {
  for (const [magic, ending] of MAGIC) if (magic.every((b, i) => content[i] === b)) return ending;
  const head = latin(content.slice(0, 200));
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "webp";
  if (/^.{4}ftyp(heic|heix|mif1|msf1)/s.test(head)) return "heic";
  if (head.startsWith("PK\x03\x04")) {
    const names = latin(content.slice(-65_536)); // the directory of a ZIP is at its end
    for (const [name, ending] of OFFICE) if (names.includes(name)) return ending;
    for (const [type, ending] of ODF) if (head.slice(30).startsWith(`mimetype${type}PK`)) return ending;
    throw new Error("kind");
  }
  let text;
  try { text = new TextDecoder("utf-8", { fatal: true }).decode(content); } catch { throw new Error("kind"); }
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x08\x0b\x0e-\x1f]/.test(text) || /^\s*</.test(text)) throw new Error("kind");
  return /^\s*[{[]/.test(text) ? "json" : "txt";
}

/** Whether a PDF or an office file says that it carries what may run or another file. That it says nothing proves nothing. */
export function isActive(content, ending) {
  const names = { pdf: /\/(JavaScript|JS|Launch|EmbeddedFile|RichMedia)\b/, docx: /vbaProject\.bin/, xlsx: /vbaProject\.bin/ }[ending];
  return names !== undefined && names.test(latin(content));
}
