// Digital Bazaar's implementation, one JSON command a line on stdin, one answer a line on stdout.
// No network: documents (contexts, DID documents, keys) come with the command.
import {createInterface} from 'node:readline';
import * as vc from '@digitalbazaar/vc';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {cryptosuite as eddsaRdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {cryptosuite as ecdsaRdfc} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as eddsaJcs from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import * as ecdsaSd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import * as ecdsaJcs from '@digitalbazaar/ecdsa-jcs-2019-cryptosuite';

const same = cryptosuite => ({signing: cryptosuite, verifying: cryptosuite});
const pair = module => ({
  signing: module.createSignCryptosuite(),
  verifying: module.createVerifyCryptosuite(),
});
const suites = {
  'eddsa-rdfc-2022': same(eddsaRdfc),
  'ecdsa-rdfc-2019': same(ecdsaRdfc),
  'eddsa-jcs-2022': pair(eddsaJcs),
  'ecdsa-jcs-2019': pair(ecdsaJcs),
  'ecdsa-sd-2023': {verifying: ecdsaSd.createVerifyCryptosuite()},
};

const documents = new Map();

async function documentLoader(url) {
  if(!documents.has(url)) {
    throw new Error(`no such document: ${url}`);
  }
  return {contextUrl: null, documentUrl: url, document: documents.get(url)};
}

const proof = name => new DataIntegrityProof({cryptosuite: suites[name].verifying});

async function verify({document, cryptosuites, challenge, domain, at}) {
  const suite = cryptosuites.map(proof);
  const options = {suite, documentLoader, now: new Date(at)};
  const result = challenge === undefined ?
    await vc.verifyCredential({credential: document, ...options}) :
    await vc.verify({presentation: document, challenge, domain, ...options});
  const errors = result.error?.errors ?? (result.error ? [result.error] : []);
  return {verified: result.verified, errors: errors.map(String)};
}

async function sign({document, cryptosuite, key, challenge, domain, at, mandatory}) {
  if(mandatory) {
    suites[cryptosuite].signing = ecdsaSd.createSignCryptosuite({mandatoryPointers: mandatory});
  }
  const module = cryptosuite.startsWith('eddsa') ? Ed25519Multikey : EcdsaMultikey;
  const signer = (await module.from(key)).signer();
  const suite = new DataIntegrityProof({signer, cryptosuite: suites[cryptosuite].signing, date: at});
  const signed = challenge === undefined ?
    await vc.issue({credential: document, suite, documentLoader}) :
    await vc.signPresentation({presentation: document, suite, challenge, domain, documentLoader});
  return {signed};
}

async function derive({document, selective}) {
  const cryptosuite = ecdsaSd.createDiscloseCryptosuite({selectivePointers: selective});
  const suite = new DataIntegrityProof({cryptosuite});
  return {derived: await vc.derive({verifiableCredential: document, suite, documentLoader})};
}

async function bench({document, cryptosuites, rounds, at}) {
  const times = [];
  for(let round = 0; round < rounds; ++round) {
    const began = process.hrtime.bigint();
    const {verified, errors} = await verify({document, cryptosuites, at});
    if(!verified) {
      throw new Error(errors.join());
    }
    times.push(Number(process.hrtime.bigint() - began) / 1e9);
  }
  times.sort((a, b) => a - b);
  return {median_s: times[Math.floor(times.length / 2)]};
}

const acts = {
  documents: async ({documents: more}) => {
    Object.entries(more).forEach(([url, document]) => documents.set(url, document));
    return {};
  },
  verify, sign, derive, bench,
};

for await (const line of createInterface({input: process.stdin})) {
  const {act, ...command} = JSON.parse(line);
  let answer;
  try {
    answer = await acts[act](command);
  } catch(error) {
    answer = {failure: String(error), errors: (error.errors ?? []).map(String)};
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
