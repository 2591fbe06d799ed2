// An authorization server for tests of what is wrong with tokens: it signs whatever it is told to,
// by whichever key, and can take its keys away. It prints one line with its address.
//   POST /sign     {alg, kid?, header?, claims}: a token, as text
//   POST /control  {keys?: [alg, …], away?: bool, name?: issuer told in the metadata}
//   GET  /counts   how often each path was asked for
import http from 'node:http';
import crypto from 'node:crypto';
import * as jose from 'jose';

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'];
const METADATA = '/.well-known/oauth-authorization-server/tenant';
const state = { away: false, name: undefined, counts: {} };
let generation = 0;
let keys = {};

async function makeKeys(algorithms) {
  generation += 1;
  keys = {};
  for (const alg of algorithms) {
    const options = alg === 'EdDSA' ? { crv: 'Ed25519' } : {};
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { ...options, extractable: true });
    const kid = `${alg}-${generation}`;
    keys[kid] = { privateKey, publicKey, alg, jwk: { ...await jose.exportJWK(publicKey), kid, use: 'sig' } };
  }
}

const server = http.createServer();
await makeKeys(ALGORITHMS);
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
const base = `http://127.0.0.1:${server.address().port}`;
const issuer = `${base}/tenant`;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// Tokens that no library makes.
async function forge({ alg, header, claims }) {
  const text = `${encode({ alg, typ: 'at+jwt', ...header })}.${encode(claims)}`;
  if (alg === 'none') return `${text}.`;
  const rsa = Object.values(keys).find((key) => key.alg === 'RS256');
  const secret = await jose.exportSPKI(rsa.publicKey);
  return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
}

async function sign(order) {
  if (order.alg === 'none' || order.alg === 'HS256') return forge(order);
  const [kid, key] = Object.entries(keys).find(([, one]) => one.alg === order.alg);
  return new jose.SignJWT(order.claims)
    .setProtectedHeader({ alg: order.alg, typ: 'at+jwt', kid, ...order.header })
    .sign(key.privateKey);
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': typeof value === 'string' ? 'text/plain' : 'application/json' });
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

async function control(order) {
  if (order.keys !== undefined) await makeKeys(order.keys);
  if (order.away !== undefined) state.away = order.away;
  if (order.name !== undefined) state.name = order.name;
}

server.on('request', async (request, response) => {
  if (request.url === '/sign') return answer(response, 200, await sign(await read(request)));
  if (request.url === '/control') return answer(response, 200, await control(await read(request)) ?? {});
  if (request.url === '/counts') return answer(response, 200, state.counts);
  state.counts[request.url] = (state.counts[request.url] ?? 0) + 1;
  if (state.away) return answer(response, 503, {});
  if (request.url === METADATA) return answer(response, 200, { issuer: state.name ?? issuer, jwks_uri: `${base}/keys` });
  if (request.url === '/keys') return answer(response, 200, { keys: Object.values(keys).map((key) => key.jwk) });
  return answer(response, 404, {});
});
console.log(issuer);
