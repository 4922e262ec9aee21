// `openid-client` (certified relying party) as a service at the door of a home's passport.
// One command a line on stdin, one answer a line on stdout. Keys are made here and never leave.

import { createInterface } from "node:readline";
import { webcrypto } from "node:crypto";

import * as client from "openid-client";

const keyPair = async (algorithm, usages) => webcrypto.subtle.generateKey(algorithm, true, usages);
const P256 = { namedCurve: "P-256" };
const signing = await keyPair({ name: "ECDSA", ...P256 }, ["sign", "verify"]);
const opening = await keyPair({ name: "ECDH", ...P256 }, ["deriveBits"]);
const bound = await client.randomDPoPKeyPair("ES256");
let config;
let dpop;
let kept = {};

const publicJwk = async (pair, more) => {
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey("jwk", pair.publicKey);
  return { kty, crv, x, y, ...more };
};

const acts = {
  // The keys it registers with.
  jwks: async () => ({
    keys: [
      await publicJwk(signing, { use: "sig", alg: "ES256", kid: "sig" }),
      await publicJwk(opening, { use: "enc", alg: "ECDH-ES", kid: "enc" }),
    ],
  }),
  discover: async ({ issuer, client_id }) => {
    config = await client.discovery(
      new URL(issuer),
      client_id,
      {
        id_token_signed_response_alg: "ES256",
        userinfo_signed_response_alg: "ES256",
        userinfo_encrypted_response_alg: "ECDH-ES",
        userinfo_encrypted_response_enc: "A256GCM",
        use_mtls_endpoint_aliases: false,
      },
      client.PrivateKeyJwt({ key: signing.privateKey, kid: "sig" }),
      { execute: [client.allowInsecureRequests] }, // the home is on this machine
    );
    client.enableDecryptingResponses(config, ["A256GCM"], {
      key: opening.privateKey,
      alg: "ECDH-ES",
      kid: "enc",
    });
    dpop = client.getDPoPHandle(config, bound);
    return config.serverMetadata();
  },
  begin: async ({ redirect_uri, scope, plain, details }) => {
    kept = {
      verifier: client.randomPKCECodeVerifier(),
      state: client.randomState(),
      nonce: client.randomNonce(),
    };
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri,
      scope,
      state: kept.state,
      nonce: kept.nonce,
      code_challenge: plain
        ? kept.verifier
        : await client.calculatePKCECodeChallenge(kept.verifier),
      code_challenge_method: plain ? "plain" : "S256",
      ...(details ? { authorization_details: JSON.stringify(details) } : {}),
    });
    return { url: url.href };
  },
  finish: async ({ url }) => {
    const tokens = await client.authorizationCodeGrant(
      config,
      new URL(url),
      {
        pkceCodeVerifier: kept.verifier,
        expectedState: kept.state,
        expectedNonce: kept.nonce,
        idTokenExpected: true,
      },
      undefined,
      { DPoP: dpop },
    );
    kept.tokens = tokens;
    kept.subject = tokens.claims().sub;
    return { tokens, claims: tokens.claims() };
  },
  userinfo: async () =>
    client.fetchUserInfo(config, kept.tokens.access_token, kept.subject, { DPoP: dpop }),
  refresh: async ({ token }) => {
    const used = token ?? kept.tokens.refresh_token;
    kept.tokens = await client.refreshTokenGrant(config, used, undefined, { DPoP: dpop });
    return { used, tokens: kept.tokens };
  },
  revoke: async () => {
    await client.tokenRevocation(config, kept.tokens.refresh_token);
    return {};
  },
  leave: async ({ post_logout_redirect_uri }) => ({
    url: client.buildEndSessionUrl(config, {
      post_logout_redirect_uri,
      id_token_hint: kept.tokens.id_token,
    }).href,
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...command } = JSON.parse(line);
  let answer;
  try {
    answer = await acts[act](command);
  } catch (error) {
    answer = { failure: error.error ?? error.code ?? String(error), message: String(error.cause ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
