// The libraries of the OpenWallet Foundation as wallet, verifier, issuer and holder against our servers.
// One command a line on stdin, one answer a line on stdout; a server of ours runs in the test's own process.
// All cryptography is Node's: what the libraries leave to their caller is written out here.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";

import { Openid4vciClient, Openid4vciIssuer } from "@openid4vc/openid4vci";
import { Openid4vpClient, Openid4vpVerifier } from "@openid4vc/openid4vp";
import { preAuthorizedCodeGrantIdentifier, setGlobalConfig } from "@openid4vc/oauth2";

setGlobalConfig({ allowInsecureUrls: true }); // the servers are on this machine

const b64 = (bytes) => Buffer.from(bytes).toString("base64url");
const un64 = (text) => Buffer.from(text, "base64url");
const sha256 = (data) => createHash("sha256").update(data).digest();
// The test's clock, not the machine's: what ours signed is of then.
const Machine = Date;
let shift = 0;
globalThis.Date = class extends Machine {
  constructor(...given) {
    super(...(given.length ? given : [Machine.now() + shift]));
  }
  static now() {
    return Machine.now() + shift;
  }
};

const known = new Map(); // verification method -> JWK

// --- what the libraries ask their caller for -------------------------------------------------------

function check(jwk, compact) {
  const [head, body, signature] = compact.split(".");
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const isEdwards = jwk.kty === "OKP";
  return verify(
    isEdwards ? null : "sha256",
    Buffer.from(`${head}.${body}`),
    isEdwards ? key : { key, dsaEncoding: "ieee-p1363" },
    un64(signature),
  );
}

function signed(header, payload, jwk) {
  const text = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(payload))}`;
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  return `${text}.${b64(sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }))}`;
}

function jwkOf(signer) {
  if (signer.method === "did") return known.get(signer.didUrl);
  if (signer.method === "jwk") return signer.publicJwk;
  if (signer.method === "x5c") {
    return new X509Certificate(Buffer.from(signer.x5c[0], "base64")).publicKey.export({ format: "jwk" });
  }
  return undefined;
}

const uint32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
};

function agreed(privateKey, publicKey, { enc, apu = "", apv = "" }) {
  const size = { A128GCM: 16, A256GCM: 32 }[enc];
  const secret = diffieHellman({ privateKey, publicKey });
  const parts = [Buffer.from(enc), un64(apu), un64(apv)].flatMap((p) => [uint32(p.length), p]);
  const hash = sha256(Buffer.concat([uint32(1), secret, ...parts, uint32(size * 8)]));
  return hash.subarray(0, size); // RFC 7518, 4.6.2: one round is enough
}

function encrypted({ publicJwk, alg, enc, apu, apv }, data) {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y } = own.publicKey.export({ format: "jwk" });
  const header = { alg, enc, kid: publicJwk.kid, apu, apv, epk: { kty, crv, x, y } };
  const head = b64(JSON.stringify(header));
  const key = agreed(own.privateKey, createPublicKey({ key: publicJwk, format: "jwk" }), header);
  const iv = randomBytes(12);
  const cipher = createCipheriv(enc === "A128GCM" ? "aes-128-gcm" : "aes-256-gcm", key, iv);
  cipher.setAAD(Buffer.from(head));
  const text = Buffer.concat([cipher.update(data), cipher.final()]);
  return { encryptionJwk: publicJwk, jwe: `${head}..${b64(iv)}.${b64(text)}.${b64(cipher.getAuthTag())}` };
}

function decrypted(jwe, jwk) {
  const [head, , iv, text, tag] = jwe.split(".");
  const header = JSON.parse(un64(head));
  const key = agreed(
    createPrivateKey({ key: jwk, format: "jwk" }),
    createPublicKey({ key: header.epk, format: "jwk" }),
    header,
  );
  const cipher = createDecipheriv(header.enc === "A128GCM" ? "aes-128-gcm" : "aes-256-gcm", key, un64(iv));
  cipher.setAAD(Buffer.from(head));
  cipher.setAuthTag(un64(tag));
  return { header, payload: Buffer.concat([cipher.update(un64(text)), cipher.final()]).toString() };
}

function callbacks({ signing, decryption } = {}) {
  return {
    fetch,
    hash: (data, algorithm) => createHash(algorithm.replace("-", "")).update(data).digest(),
    generateRandom: (size) => randomBytes(size),
    signJwt: (signer, { header, payload }) => ({ jwt: signed(header, payload, signing), signerJwk: signing }),
    verifyJwt: (signer, { compact }) => {
      const jwk = jwkOf(signer);
      return jwk && check(jwk, compact) ? { verified: true, signerJwk: jwk } : { verified: false };
    },
    encryptJwe: encrypted,
    decryptJwe: (jwe) => {
      const { payload } = decrypted(jwe, decryption);
      return { decrypted: true, decryptionJwk: decryption, payload };
    },
    getX509CertificateMetadata: (text) => {
      const names = new X509Certificate(Buffer.from(text, "base64")).subjectAltName ?? "";
      return { sanDnsNames: names.split(", ").map((n) => n.replace("DNS:", "")), sanUriNames: [] };
    },
    clientAuthentication: () => {},
  };
}

// --- servers ----------------------------------------------------------------------------------------

function serve(handle) {
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      let answer;
      try {
        answer = await handle(request, Buffer.concat(parts).toString());
      } catch (error) {
        answer = { status: 400, body: { error: String(error?.message ?? error) } };
      }
      const isText = typeof answer.body === "string";
      response.shouldKeepAlive = false;
      response.writeHead(answer.status ?? 200, { "content-type": answer.type ?? "application/json" });
      response.end(isText ? answer.body : JSON.stringify(answer.body));
    });
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done({ server, origin: `http://localhost:${server.address().port}` }));
  });
}

let running;

// A verifier known by its certificate: what it asks, and what it got.
async function verifier({ x5c, signing, query, clientId, at, extra }) {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const decryption = keys.privateKey.export({ format: "jwk" });
  const { kty, crv, x, y } = keys.publicKey.export({ format: "jwk" });
  const cb = callbacks({ signing, decryption });
  const library = new Openid4vpVerifier({ callbacks: cb });
  const nonce = b64(randomBytes(24));
  const got = {};
  let asked;
  const { server, origin } = await serve(async (request, body) => {
    if (request.url === "/demande") {
      const form = new URLSearchParams(body);
      got.method = request.method;
      got.walletMetadata = JSON.parse(form.get("wallet_metadata") ?? "null");
      const wallet = form.get("wallet_nonce");
      const made = await library.createOpenId4vpAuthorizationRequest({
        authorizationRequestPayload: { ...asked, ...(wallet ? { wallet_nonce: wallet } : {}) },
        jar: {
          jwtSigner: { method: "x5c", x5c, alg: "ES256" },
          requestUri: `${origin}/demande`,
          expiresInSeconds: 300,
          now: new Date(at),
          additionalJwtPayload: { aud: got.walletMetadata?.issuer ?? "https://self-issued.me/v2" },
        },
        wallet: { expectedNonce: wallet ?? undefined },
      });
      return { body: made.jar.authorizationRequestJwt, type: "application/oauth-authz-req+jwt" };
    }
    if (request.url === "/reponse" && new URLSearchParams(body).has("error")) {
      got.refused = Object.fromEntries(new URLSearchParams(body));
      return { body: {} };
    }
    if (request.url === "/reponse") {
      got.response = await library.parseOpenid4vpAuthorizationResponse({
        authorizationRequestPayload: asked,
        authorizationResponse: Object.fromEntries(new URLSearchParams(body)),
        callbacks: cb,
      });
      return { body: { redirect_uri: `${origin}/merci` } };
    }
    return { status: 404, body: {} };
  });
  asked = {
    response_type: "vp_token",
    client_id: clientId,
    response_mode: "direct_post.jwt",
    response_uri: `${origin}/reponse`,
    nonce,
    state: "etat-1",
    dcql_query: query,
    client_metadata: {
      client_name: "Vérifieur de Node",
      jwks: { keys: [{ kty, crv, x, y, use: "enc", alg: "ECDH-ES", kid: "k1" }] },
      encrypted_response_enc_values_supported: ["A128GCM"],
      vp_formats_supported: { "dc+sd-jwt": { "kb-jwt_alg_values": ["ES256"], "sd-jwt_alg_values": ["ES256"] } },
    },
    ...extra,
  };
  running = { server, got, nonce, clientId };
  const link = `openid4vp://?${new URLSearchParams({ client_id: clientId, request_uri: `${origin}/demande`, request_uri_method: "post" })}`;
  return { link, origin };
}

// What arrived; the key binding of an SD-JWT is checked here, with nothing of ours.
function received() {
  const { got, nonce, clientId } = running;
  const token = got.response.dcql.presentations;
  const bindings = Object.values(token).flat().filter((item) => typeof item === "string").map((item) => {
    const end = item.lastIndexOf("~") + 1;
    const [jwt, kb] = [item.slice(0, item.indexOf("~")), item.slice(end)];
    const issued = JSON.parse(un64(jwt.split(".")[1]));
    const bound = JSON.parse(un64(kb.split(".")[1]));
    return {
      signature: check(issued.cnf.jwk, kb),
      nonce: bound.nonce === nonce,
      audience: bound.aud === clientId,
      hash: bound.sd_hash === b64(sha256(item.slice(0, end))),
    };
  });
  return { token, bindings, method: got.method, wallet: got.walletMetadata, encrypted: got.response.jarm?.type };
}

// An issuer of SD-JWT VCs with the pre-authorised code.
async function issuer({ signing, kid, did, configuration, claims, at }) {
  const cb = callbacks({ signing });
  const library = new Openid4vciIssuer({ callbacks: cb });
  const code = b64(randomBytes(24));
  const access = b64(randomBytes(24));
  const nonce = b64(randomBytes(24));
  const got = {};
  let metadata;
  const { server, origin } = await serve(async (request, body) => {
    switch (request.url) {
      case "/.well-known/openid-credential-issuer":
        return { body: metadata.credentialIssuer };
      case "/.well-known/oauth-authorization-server":
        return { body: metadata.authorizationServers[0] };
      case "/token": {
        const form = new URLSearchParams(body);
        if (form.get("pre-authorized_code") !== code) return { status: 400, body: { error: "invalid_grant" } };
        return { body: { access_token: access, token_type: "Bearer", expires_in: 300 } };
      }
      case "/nonce":
        return { body: library.createNonceResponse({ cNonce: nonce }) };
      case "/credential": {
        if (request.headers.authorization !== `Bearer ${access}`) return { status: 401, body: { error: "invalid_token" } };
        const parsed = library.parseCredentialRequest({ issuerMetadata: metadata, credentialRequest: JSON.parse(body) });
        const [jwt] = parsed.proofs?.jwt ?? [];
        const proof = await library.verifyCredentialRequestJwtProof({
          issuerMetadata: metadata, jwt, expectedNonce: nonce, now: new Date(at),
        });
        const cnf = { jwk: jwkOf(proof.signer) };
        got.configuration = parsed.credentialConfigurationId;
        const payload = { iss: did, iat: Math.floor(new Date(at) / 1000), cnf, ...claims };
        const credential = `${signed({ alg: "ES256", typ: "dc+sd-jwt", kid }, payload, signing)}~`;
        return { body: library.createCredentialResponse({ credentialRequest: parsed, credentials: [{ credential }] }) };
      }
      default:
        return { status: 404, body: {} };
    }
  });
  metadata = {
    credentialIssuer: library.createCredentialIssuerMetadata({
      credential_issuer: origin,
      credential_endpoint: `${origin}/credential`,
      nonce_endpoint: `${origin}/nonce`,
      credential_configurations_supported: {
        [configuration]: {
          format: "dc+sd-jwt",
          vct: claims.vct,
          cryptographic_binding_methods_supported: ["did:key"],
          credential_signing_alg_values_supported: ["ES256"],
          proof_types_supported: { jwt: { proof_signing_alg_values_supported: ["ES256"] } },
        },
      },
    }),
    authorizationServers: [{ issuer: origin, token_endpoint: `${origin}/token`, grant_types_supported: [preAuthorizedCodeGrantIdentifier] }],
    knownCredentialConfigurations: {},
    originalDraftVersion: "V1",
  };
  const { credentialOffer } = await library.createCredentialOffer({
    issuerMetadata: metadata,
    credentialConfigurationIds: [configuration],
    grants: { [preAuthorizedCodeGrantIdentifier]: { "pre-authorized_code": code } },
  });
  running = { server, got };
  return { offer: credentialOffer };
}

// --- clients ----------------------------------------------------------------------------------------

async function resolve({ link, nonce }) {
  const library = new Openid4vpClient({ callbacks: callbacks() });
  const found = await library.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: Object.fromEntries(new URL(link).searchParams),
    // The library posts the wallet's metadata as it stands: the nonce goes with it.
    wallet: { expectedNonce: nonce, metadata: { wallet_nonce: nonce } },
  });
  return {
    payload: found.authorizationRequestPayload,
    client: found.client.prefix,
    query: found.dcql.query,
    version: found.version,
  };
}

async function answer({ payload, vpToken }) {
  const library = new Openid4vpClient({ callbacks: callbacks() });
  const made = await library.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: payload,
    authorizationResponsePayload: { vp_token: vpToken },
    jarm: {
      encryption: { nonce: "" },
      serverMetadata: {
        authorization_signing_alg_values_supported: [],
        authorization_encryption_alg_values_supported: ["ECDH-ES"],
        authorization_encryption_enc_values_supported: ["A256GCM"],
      },
    },
  });
  const { response } = await library.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: payload,
    authorizationResponsePayload: made.authorizationResponsePayload,
    jarm: made.jarm,
  });
  return { status: response.status, body: await response.json() };
}

async function obtain({ offer, txCode, holder, method, configuration, at }) {
  const library = new Openid4vciClient({ callbacks: callbacks({ signing: holder }) });
  const credentialOffer = await library.resolveCredentialOffer(offer);
  const issuerMetadata = await library.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const { accessTokenResponse } = await library.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, txCode,
  });
  const { c_nonce: nonce } = await library.requestNonce({ issuerMetadata });
  const { jwt } = await library.createCredentialRequestJwtProof({
    issuerMetadata,
    signer: { method: "did", didUrl: method, alg: "ES256" },
    issuedAt: new Date(at),
    nonce,
    credentialConfigurationId: configuration,
  });
  const { credentialResponse } = await library.retrieveCredentials({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    credentialConfigurationId: configuration,
    proofs: { jwt: [jwt] },
  });
  return { credentials: credentialResponse.credentials, version: issuerMetadata.originalDraftVersion };
}

const acts = {
  clock: ({ at }) => ((shift = new Machine(at) - Machine.now()), {}),
  know: ({ method, jwk }) => (known.set(method, jwk), {}),
  stop: () => (running?.server.close(), running?.server.closeAllConnections(), {}),
  verifier,
  received,
  refused: () => running.got.refused,
  issuer,
  resolve,
  answer,
  obtain,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...command } = JSON.parse(line);
  let said;
  try {
    said = await acts[act](command);
  } catch (error) {
    said = { failure: `${error?.name}: ${error?.message} ${error?.cause ?? ""}`.slice(0, 2000) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit(0); // whatever server still listens
